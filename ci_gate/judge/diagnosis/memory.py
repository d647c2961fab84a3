"""Whether memory was short: the service's own, and what Redis may have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ci_gate.evidence.readings import KILLED, KILLED_FOR_MEMORY
from ci_gate.evidence.recording import Recording
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.failures import find_end
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.wording import count, format_mib

_NEAR_LIMIT: Final = 0.95
_LAST: Final = 3  # readings: what memory did before these says nothing of the end


def _is_killed_for_memory(recording: Recording, end: str, limit_bytes: int | None) -> bool:
    """Its engine says so; or it was killed, and a reading later would have been near its limit."""
    if end.startswith(KILLED_FOR_MEMORY):
        return True
    foreseen = _foresee(_read_held(recording))
    return bool(limit_bytes) and end.startswith(KILLED) and foreseen >= _NEAR_LIMIT * (limit_bytes or 0)


def find_kill(recording: Recording, limit_bytes: int | None) -> Iterator[Cause]:
    """The service was killed for want of memory."""
    end = find_end(recording)
    if not _is_killed_for_memory(recording, end, limit_bytes):
        return
    of = f" of {format_mib(limit_bytes)}" if limit_bytes else ""
    is_told = end.startswith(KILLED_FOR_MEMORY)
    title = "memory ran out" if is_told else "the service was killed near its memory limit"
    yield _make_cause(title, f"the service was {end}", *_describe_last(_read_held(recording)[-_LAST:], of))


def find_full_memory(recording: Recording, limit_bytes: int | None) -> Iterator[Cause]:
    """The service held nearly all that it may have, which need not be what ended it."""
    held = _read_held(recording)
    if limit_bytes and max(held, default=0) >= _NEAR_LIMIT * limit_bytes:
        most = f"{format_mib(max(held))} of {format_mib(limit_bytes)} at most"
        yield _make_cause(
            "the service held nearly all the memory that it may have",
            f"the service used {most}, {format_mib(held[0])} at first",
        )


def _make_cause(title: str, *numbers: str) -> Cause:
    return Cause(
        code="memory",
        title=title,
        numbers=numbers,
        next_step="look for what grows with each request; then give it more memory",
        share=None,
    )


def find_evictions(usage: ResourceUsage) -> Iterator[Cause]:
    """Redis threw keys away to stay within its memory."""
    evicted = usage.redis.rate("evicted_keys") or 0.0
    if evicted > 0:
        yield Cause(
            code="memory",
            title="Redis threw keys away to stay within its memory",
            numbers=(f"Redis evicted {evicted:,.1f} keys a second",),
            next_step="look for keys that nobody needs or that never expire; then give Redis more memory",
            share=None,
        )


def _read_held(recording: Recording) -> list[int]:
    """What the service held, oldest first, while it ran."""
    machine = sorted(recording.machine, key=lambda each: each.wall_s)
    return [each.service_memory_bytes for each in machine if each.service_memory_bytes]


def _foresee(held: list[int]) -> int:
    """What a service would have held a reading later: a mean rise more where the last one shows a rise."""
    last = held[-_LAST:]
    rises = [after - before for before, after in pairwise(last)]
    if not rises or rises[-1] <= 0:
        return last[-1] if last else 0
    return last[-1] + max(sum(rises) // len(rises), 0)


def _describe_last(last: list[int], of: str) -> Iterator[str]:
    """What was read, oldest first; nothing of what it did after."""
    if last:
        readings = f"its last {count(len(last), 'reading')}" if len(last) > 1 else "its last reading"
        yield f"it used {', '.join(map(format_mib, last))}{of} by {readings}"
