"""How each group of a timeline's series is drawn as a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ci_gate.evidence.probe_kinds import PROBE_KINDS
from ci_gate.judge.timeline.timeline import Timeline
from ci_gate.report.html.chart import COLOURS, Colour, Line, Span, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartStyle:
    """How a group of series is drawn; ``names`` are label and colour of those that have their own."""

    title: str
    y_label: str
    names: Mapping[str, tuple[str, Colour]]
    colours: tuple[Colour, ...] = COLOURS  # of the others
    dashed: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()


CHART_STYLES: Final = {
    "rate": ChartStyle(
        title="Rate",
        y_label="per second",
        names={"successes": ("successes", "good"), "failures": ("failures", "bad")},
        dashed=frozenset({"failures"}),
        filled=frozenset({"successes", "failures"}),
    ),
    "latency": ChartStyle(
        title="Response time",
        y_label="ms, logarithmic",
        names={"p50": ("p50", "teal"), "p95": ("p95", "blue"), "p99": ("p99", "purple")},
    ),
    "failures": ChartStyle(
        title="Failures by status",
        y_label="per second",
        names={},
        colours=("bad", "orange", "purple", "pink", "blue", "grey"),
    ),
    "users": ChartStyle(title="Users", y_label="running", names={}),
    "cpu": ChartStyle(
        title="CPU",
        y_label="% of one core; host: % of all",
        names={
            "service": ("service", "blue"),
            "busiest process of it": ("its busiest process", "teal"),
            "generator": ("generator (Locust)", "orange"),
            "host": ("host", "grey"),
            "others": ("other programs", "bad"),
        },
        dashed=frozenset({"host", "busiest process of it"}),
    ),
    "memory": ChartStyle(
        title="Memory",
        y_label="MiB",
        names={"service": ("service", "blue"), "generator": ("generator (Locust)", "orange")},
    ),
    "listen": ChartStyle(
        title="Listen queue",
        y_label="connections not accepted yet",
        names={"waiting": ("in the queue of the service's port", "bad")},
        filled=frozenset({"waiting"}),
    ),
    "statements": ChartStyle(
        title="Statements per success",
        y_label="statements",
        names={"per success": ("per success", "purple")},
    ),
    **{
        chart.group: ChartStyle(
            title=chart.title,
            y_label=chart.y_label,
            names={line.value: (line.label, line.colour) for line in chart.lines},
            dashed=frozenset(line.value for line in chart.lines if line.is_dashed),
            filled=frozenset(line.value for line in chart.lines if line.is_filled),
        )
        for kind in PROBE_KINDS
        for chart in kind.charts
    },
}


def draw_lines(style: ChartStyle, series: Mapping[str, Values]) -> Iterator[Line]:
    """A line for each series; those without a style of their own get the next colour."""
    for index, (name, values) in enumerate(series.items()):
        label, colour = style.names.get(name, (name, style.colours[index % len(style.colours)]))
        is_dashed = name in style.dashed or (name not in style.names and index >= len(style.colours))
        yield Line(
            label=label,
            values=values,
            colour=colour,
            is_dashed=is_dashed,
            is_filled=name in style.filled,
        )


def draw_phases(timeline: Timeline) -> tuple[Span, ...]:
    """A span for each phase, shaded but for the steady one, which alone counts."""
    return tuple(
        Span(label=phase.name, begin=phase.begin_s, end=phase.end_s, is_plain=phase.name == "steady")
        for phase in timeline.phases
    )
