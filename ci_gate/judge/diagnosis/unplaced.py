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

    There are no such causes where ``waits`` has a place for the time, or is empty; then it gets what the
    endpoints show.
    """
    if not waits or select_placed(waits):
        return (), waits
    if stall := tuple(make_stall(head, usage)):
        return stall, _take_off(stall[0], waits)
    is_unknown = any(cause.code == UNKNOWN for cause in waits)
    if slow := tuple(make_slow_endpoint(recordings, head) if is_unknown else ()):
        return slow, _take_off(slow[0], waits)
    first, *others = waits
    numbers = (*first.numbers[:1], *describe_endpoints(head.steady), *first.numbers[1:])
    return (), (msgspec.structs.replace(first, numbers=numbers), *others)


def _take_off(explained: Cause, waits: Causes) -> Causes:
    """No time is counted twice; of what is left less than a cause has to hold, no share is said."""
    left = [(each.share or 0.0) - (explained.share or 0.0) for each in waits]
    return tuple(
        msgspec.structs.replace(each, share=share if share >= MIN_SHARE else None)
        for each, share in zip(waits, left, strict=True)
    )
