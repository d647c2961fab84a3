"""What other programs took of the machine: how much is too much, and who it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ci_gate.evidence.readings import MachineReading

MAX_FOREIGN: Final = 0.25
"""Of all cores: what others take from here on may break a limit of latency or rate (docs/validity.md)."""

TAKEN_CODE: Final = "machine-taken"
"""The code of the finding that they took too much; a comparison is none the worse: its sides share it."""

_MIN_KNOWN: Final = 0.5  # of the readings
_MAX_SHOWN: Final = 3
_HOST_OF_HOST: Final = "the host of this virtual machine"


def find_foreign(machine: Iterable[MachineReading]) -> tuple[float, tuple[tuple[str, float], ...]] | None:
    """Cores that others used on average, and by whom, most first; None where too few readings know."""
    readings = tuple(machine)
    known = [each.foreign for each in readings if each.foreign is not None]
    if not known or len(known) < _MIN_KNOWN * len(readings):
        return None
    by_name: dict[str, float] = {}
    for use in known:
        taken = [(_HOST_OF_HOST, use.stolen_cores), *((each.name, each.cores) for each in use.processes)]
        for name, cores in taken:
            by_name[name] = by_name.get(name, 0.0) + cores
    takers = sorted(((name, sum_ / len(known)) for name, sum_ in by_name.items()), key=lambda each: -each[1])
    return sum(use.cores for use in known) / len(known), tuple(takers[:_MAX_SHOWN])


def is_much(reading: MachineReading) -> bool:
    """Whether others took so much in one second that it may break a limit of latency or rate."""
    if reading.foreign is None or not reading.host_cores:
        return False
    return reading.foreign.cores >= MAX_FOREIGN * reading.host_cores


def describe_takers(takers: Iterable[tuple[str, float]]) -> str:
    """``python 1.2, cc1 0.2``: cores by name."""
    return ", ".join(f"{name} {cores:.1f}" for name, cores in takers if round(cores, 1))
