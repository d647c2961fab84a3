"""traces-<process>.jsonl: the trace ids of the slowest requests, where a scenario sends them.

Of the others nobody asks for one, so they are not kept. They change no verdict: what cannot be read is left
out.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from ci_gate.errors import EvidenceError
from ci_gate.evidence.clocks import read_clock
from ci_gate.evidence.ranges import Moment
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.strict_json import decode

if TYPE_CHECKING:
    from pathlib import Path

KEPT_TRACES: Final = 100
"""Of each process of Locust."""

_FILES: Final = "traces-*.jsonl"
_MAX_FILES: Final = 256
_MAX_BYTES: Final = 64 * 1024

TraceId = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?\Z")]


class Trace(StrictValue, frozen=True):
    """The id that was sent with the request which was sent at ``start_s``."""

    start_s: Moment
    trace_id: TraceId


def read_traces(*folders: Path) -> dict[float, str]:
    """The trace ids by the moment at which their requests were sent, without moments that are of two."""
    found: dict[float, str] = {}
    twice: set[float] = set()
    for path in [path for folder in folders for path in sorted(folder.glob(_FILES))][:_MAX_FILES]:
        clock = read_clock(path.parent)
        offset_s = clock.offset_s if clock else 0.0
        with contextlib.suppress(OSError, EvidenceError), path.open("rb") as file:
            for line in file.read(_MAX_BYTES).splitlines():
                trace = decode(line, Trace, str(path))
                start_s = trace.start_s + offset_s
                twice |= {start_s} & found.keys()
                found[start_s] = trace.trace_id
    return {start_s: trace_id for start_s, trace_id in found.items() if start_s not in twice}
