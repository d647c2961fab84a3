"""The slowest requests of the steady phase, each with what leads to its trace."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import numpy as np

from ci_gate.evidence.ranges import Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.samples import UNSENT
from ci_gate.evidence.traces import TraceId
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.summary import name_status

MAX_SLOWEST: Final = 10
TRACE_ID: Final = "{trace_id}"

Link = Annotated[str, msgspec.Meta(pattern=r"""^(https?://[^\s<>"'`\\()\[\]]+)?\Z""", max_length=2000)]


class SlowRequest(StrictValue, frozen=True):
    """One request: when it was sent in the steady phase, and how long it took from then.

    ``status`` is as reports name it. ``trace_id`` and ``link`` are empty where none was sent, or asked for.
    """

    endpoint: str
    sent_at_s: Quantity
    response_ms: Quantity
    status: str
    trace_id: TraceId = ""
    link: Link = ""


def find_slowest(classified: ClassifiedRecording, trace_link: str | None) -> tuple[SlowRequest, ...]:
    """The slowest MAX_SLOWEST first, by their time since they were sent; failures are among them.

    ``trace_link`` has TRACE_ID in it.
    """
    steady, traces = classified.steady, classified.recording.traces
    unsent = [number for number, text in enumerate(steady.strings) if text == UNSENT]
    is_sent = ~np.isin(steady.samples["endpoint"], unsent)
    times_ms = steady.samples["response_ms"][is_sent]
    faster = max(len(times_ms) - MAX_SLOWEST, 0)
    if faster:
        times_ms.partition(faster)  # and no copy of all rows: there may be millions
        is_sent &= steady.samples["response_ms"] >= times_ms[faster]
    slowest = steady.samples[is_sent]
    order = np.lexsort((slowest["start_s"], -slowest["response_ms"]))[:MAX_SLOWEST]
    return tuple(
        SlowRequest(
            endpoint=steady.strings[int(row["endpoint"])],
            sent_at_s=max(float(row["start_s"]) - steady.begin_s, 0.0),
            response_ms=float(row["response_ms"]),
            status=name_status(int(row["status"])),
            trace_id=(trace_id := traces.get(float(row["start_s"]), "")),
            link=trace_link.replace(TRACE_ID, trace_id) if trace_link and trace_id else "",
        )
        for row in slowest[order]
    )
