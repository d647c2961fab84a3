"""The table of the slowest requests."""

from __future__ import annotations

from collections.abc import Sequence

from ci_gate.judge.slowest import SlowRequest
from ci_gate.report.cells import format_ms
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.report.html.tables import number_columns
from ci_gate.wording import NOTHING


def make_slowest_table(slowest: Sequence[SlowRequest]) -> Table:
    """A row for each of the slowest requests, with its trace id where the scenario sends them."""
    has_traces = any(request.trace_id for request in slowest)
    columns = (
        Column(title="endpoint"),
        *number_columns("sent at", "time"),
        *(Column(title=title) for title in ("status", *(["trace"] if has_traces else []))),
    )
    rows = tuple(
        (
            Cell(request.endpoint, kind="code"),
            Cell(f"{request.sent_at_s:,.1f} s", request.sent_at_s),
            Cell(format_ms(request.response_ms), request.response_ms),
            Cell(request.status),
            *([Cell(request.trace_id or NOTHING, kind="code", href=request.link)] if has_traces else []),
        )
        for request in slowest
    )
    caption = "The slowest requests of head's steady phase, failures included; each from when it was sent"
    return Table(caption=caption, columns=columns, rows=rows)
