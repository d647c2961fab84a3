"""What the samples say of a wait that is for nothing that was observed: when it was, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ci_gate.judge.diagnosis.causes import UNKNOWN, Cause
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.judge.diagnosis.occupancy import MIN_SHARE
from ci_gate.judge.diagnosis.slow_endpoint import describe_endpoints, make_slow_endpoint
from ci_gate.judge.diagnosis.stalls import make_stall
from ci_gate.judge.steady import ClassifiedRecording

_UNPLACED: Final = frozenset({UNKNOWN, "slow-dependency"})

Causes = tuple[Cause, ...]


def select_placed(waits: Causes) -> Causes:
    """Those of something that was observed."""
    return tuple(cause for cause in waits if cause.code not in _UNPLACED)


def explain_unplaced(
    waits: Causes,
    head: ClassifiedRecording,
    usage: ResourceUsage,
    recordings: Mapping[str, ClassifiedRecording],
) -> tuple[Causes, Causes]:
    """Causes that say more than ``waits``, and ``waits`` with the share that is left of theirs.

    There are no such causes where all of the time has a place, or 20 % of it; else ``waits`` get what the
    endpoints show.
    """
    placed = select_placed(waits)
    unplaced = tuple(cause for cause in waits if cause.code in _UNPLACED)
    if not unplaced or any(cause.share is None or cause.share >= MIN_SHARE for cause in placed):
        return (), waits
    if stall := tuple(make_stall(head, usage)):
        return stall, (*placed, *_take_off(stall[0], unplaced))
    is_unknown = any(cause.code == UNKNOWN for cause in unplaced)
    if slow := tuple(make_slow_endpoint(recordings, head) if is_unknown else ()):
        return slow, (*placed, *_take_off(slow[0], unplaced))
    first, *others = unplaced
    numbers = (*first.numbers[:1], *describe_endpoints(head.steady), *first.numbers[1:])
    return (), (*placed, msgspec.structs.replace(first, numbers=numbers), *others)


def _take_off(explained: Cause, waits: Causes) -> Causes:
    """No time is counted twice; of what is left less than a cause has to hold, no share is said."""
    left = [(each.share or 0.0) - (explained.share or 0.0) for each in waits]
    return tuple(
        msgspec.structs.replace(each, share=share if share >= MIN_SHARE else None)
        for each, share in zip(waits, left, strict=True)
    )
