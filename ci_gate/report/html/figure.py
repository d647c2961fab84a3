"""A chart together with the same in a few figures, for those who do not see it."""

from __future__ import annotations

from dataclasses import dataclass

from ci_gate.judge.timeline.timeline import Timeline
from ci_gate.report.html.chart import Chart, Values
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.wording import format_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart, and the same in a few figures."""

    chart: Chart
    figures: Table


def count_figures(chart: Chart, timeline: Timeline) -> Table:
    """A table of the least, mean and greatest value of each line in the steady phase."""
    rows = []
    for line in chart.lines:
        values = steady_values(line.values, timeline)
        figures = (min(values), sum(values) / len(values), max(values)) if values else (None, None, None)
        rows.append(
            (Cell(line.label), *(Cell("-" if each is None else format_number(each)) for each in figures))
        )
    columns = [
        Column(title="line"),
        *(Column(title=each, is_number=True) for each in ("least", "mean", "greatest")),
    ]
    return Table(
        caption=f"Seconds of the steady phase, {chart.y_label}", columns=tuple(columns), rows=tuple(rows)
    )


def steady_values(values: Values, timeline: Timeline) -> list[float]:
    """The values in the steady phase, gaps left out; of the whole recording where it never began."""
    steady = next((phase for phase in timeline.phases if phase.name == "steady"), None)
    begin_s, end_s = (steady.begin_s, steady.end_s - timeline.span_s) if steady else (0.0, float("inf"))
    return [
        value
        for at_s, value in zip(timeline.time_s, values, strict=True)
        if value is not None and begin_s <= at_s <= end_s
    ]
