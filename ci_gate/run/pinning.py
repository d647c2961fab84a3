"""Which CPUs the processes of Locust have to themselves, and which the service and all else have."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CPUS: Final = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinning:
    """One CPU for each process of Locust that runs users, and those for everything else; () for all."""

    generator: tuple[int, ...] = ()
    others: tuple[int, ...] = ()


NO_PINNING: Final = Pinning()


def choose_pinning(cores: Sequence[tuple[int, ...]], processes: int) -> Pinning:
    """Nothing is pinned for a single process, nor where fewer CPUs would be left than Locust takes.

    ``cores`` are the CPUs of each core. Locust has whole ones, the last: what shares a core with the service
    would slow it down.
    """
    if processes == 1:
        return NO_PINNING
    left, taken = list(cores), list[int]()
    while left and len(taken) < processes:
        taken = [*left.pop(), *taken]
    others = tuple(sorted(cpu for core in left for cpu in core))
    if len(taken) < processes or len(others) < processes:
        return NO_PINNING
    return Pinning(generator=tuple(sorted(taken)[:processes]), others=others)


def read_cores(folder: Path = _CPUS) -> tuple[tuple[int, ...], ...]:
    """The CPUs that are ours, by the core that they are of; each its own core where that is not known."""
    ours = sorted(os.sched_getaffinity(0))
    cores: dict[str, tuple[int, ...]] = {}
    for cpu in ours:
        siblings = str(cpu)
        with contextlib.suppress(OSError):
            siblings = (folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
        cores[siblings] = (*cores.get(siblings, ()), cpu)
    return tuple(cores.values())


@contextlib.contextmanager
def pinned_to(cpus: Sequence[int]) -> Iterator[None]:
    """Let this thread, and all that it starts meanwhile, use only ``cpus``; () changes nothing."""
    before = os.sched_getaffinity(0)
    if cpus:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        if cpus:
            os.sched_setaffinity(0, before)
