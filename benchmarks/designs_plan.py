"""What `benchmarks.designs` measures, and in which order the Locusts of a pair are switched on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.pairs import SIDES
from ci_gate.evidence.readings import StrictValue

SETTLE_S = 2.0  # after a side was switched on
DUET, SEQUENTIAL, GATE = "duet", "sequential", "gate"
DESIGNS = (DUET, SEQUENTIAL)
ALONE = {"base": ("base-a", "base-b"), "head": ("head-a", "head-b")}  # one side bears the whole load
BOTH = ("base-a", "head-a")
LOCUSTS = (*ALONE["base"], *ALONE["head"])


class Cell(StrictValue, frozen=True):
    """One fault under one load; ``pairs`` are the expected effect and the faults of base and of head."""

    name: str
    scenario: str
    users: int  # of one pair's whole load
    endpoint: str
    metric: str
    pairs: tuple[tuple[float, str, str], ...]


# Strengths that are about +10 % and +20 % of the percentile named, where the README's table was measured.
# Base has a weaker form of some faults: on a reply of 1 ms, the shortest sleep would be +100 %.
MATRIX = (
    Cell(name="equal", scenario="connector-scaling", users=50, endpoint="all", metric="p50",
         pairs=((0.0, "", ""),) * 4),
    Cell(name="cpu", scenario="connector-scaling", users=50, endpoint="all", metric="p50",
         pairs=((0.1, "", "extra_cpu=0.1ms"), (0.2, "", "extra_cpu=0.2ms")) * 2),
    Cell(name="query", scenario="cab-approvals", users=32, endpoint="GET /api/v1/approvals", metric="p50",
         pairs=((0.1, "n_plus_one=9", "n_plus_one=10"), (0.2, "n_plus_one=4", "n_plus_one=5"))),
    Cell(name="sleep", scenario="connector-scaling", users=50, endpoint="all", metric="p50",
         pairs=((0.1, "slow_dependency=10ms", "slow_dependency=11ms"),
                (0.2, "slow_dependency=10ms", "slow_dependency=12ms")) * 2),
    Cell(name="lock", scenario="connector-scaling", users=50, endpoint="all", metric="p50",
         pairs=((0.1, "lock_contention=4ms", "lock_contention=4.4ms"),
                (0.2, "lock_contention=4ms", "lock_contention=4.9ms")) * 2),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Which Locusts run for how long."""

    design: str
    turn: int
    on: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Span:
    """What counts of a slot, in Unix seconds."""

    slot: Slot
    start_s: float
    end_s: float


def plan_pieces(turns: int, seconds: float, duet_s: float) -> list[list[Slot]]:
    """The duet in one piece, then turns of base and then head; each piece may come first."""
    pieces = [[Slot(design=DUET, turn=0, on=BOTH, seconds=duet_s + SETTLE_S + 2)]]
    pieces += [
        [Slot(design=SEQUENTIAL, turn=turn, on=ALONE[side], seconds=seconds / 2) for side in SIDES]
        for turn in range(turns)
    ]
    return pieces


def rotate(pieces: Sequence[list[Slot]], pair: int, pairs: int) -> list[Slot]:
    """Each pair begins with another piece, so that one event on the machine meets different designs."""
    first = pair * len(pieces) // pairs
    return [slot for piece in (*pieces[first:], *pieces[:first]) for slot in piece]
