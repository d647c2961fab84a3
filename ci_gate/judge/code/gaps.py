"""What stacks do not show of a service, in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ci_gate.judge.code.attribution import Function
from ci_gate.judge.code.costs import SideCosts

_LOOPS: Final = {
    "asyncio": re.compile(r"(^|/)asyncio/(runners|base_events)\.py$|(^|/)uvloop/"),
    "trio": re.compile(r"(^|/)trio/_core/_run\.py$"),
    "gevent": re.compile(r"(^|/)gevent/hub\.py$"),
    "eventlet": re.compile(r"(^|/)eventlet/hubs/"),
}


def find_gaps(sides: Sequence[SideCosts]) -> Iterator[str]:
    """What is not known of these sides beside what was sampled."""
    functions: set[Function] = set().union(*(side.functions for side in sides))
    loops = [name for name, file in _LOOPS.items() if any(file.search(each.file) for each in functions)]
    if loops:
        yield (
            f"the service runs an event loop ({', '.join(loops)}): a coroutine that waits is on no stack, so "
            "waiting is known of blocking code only"
        )
    if any(side.wall is None for side in sides):
        yield "perf samples only what is on a CPU: waiting is not known"
    if all(each.is_library for each in functions):
        yield (
            "no function of the service's own code was seen: a binary needs its symbols, Node.js "
            "--perf-basic-prof"
        )
