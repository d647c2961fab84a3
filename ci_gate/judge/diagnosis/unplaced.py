"""What the samples say of a wait that is for nothing that was observed: when it was, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ci_gate.judge.diagnosis.causes import UNKNOWN, Cause
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.judge.diagnosis.slow_endpoint import describe_endpoints, make_slow_endpoint
from ci_gate.judge.diagnosis.stalls import make_stall
from ci_gate.judge.steady import ClassifiedRecording

_UNPLACED: Final = frozenset({UNKNOWN, "slow-dependency"})

Causes = tuple[Cause, ...]


def explain_unplaced(
    waits: Causes,
    head: ClassifiedRecording,
    usage: ResourceUsage,
    recordings: Mapping[str, ClassifiedRecording],
) -> tuple[Causes, Causes]:
    """Causes that say more than ``waits``, and ``waits`` with what the endpoints show.

    There are none where ``waits`` has a place for the time, or is empty.
    """
    if not waits or any(cause.code not in _UNPLACED for cause in waits):
        return (), waits
    if stall := tuple(make_stall(head, usage)):
        return stall, waits
    is_unknown = any(cause.code == UNKNOWN for cause in waits)
    if slow := tuple(make_slow_endpoint(recordings, head) if is_unknown else ()):
        return slow, waits
    first, *others = waits
    numbers = (*first.numbers[:1], *describe_endpoints(head.steady), *first.numbers[1:])
    return (), (msgspec.structs.replace(first, numbers=numbers), *others)
