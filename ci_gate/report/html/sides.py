"""Base beside head: how response times are spread, and how they went while both were under load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, HEAD
from ci_gate.judge.timeline.run_timeline import ScenarioTimeline
from ci_gate.judge.timeline.timeline import Timeline
from ci_gate.report.cells import format_ms
from ci_gate.report.html.chart import Chart, Colour, Line, Values
from ci_gate.report.html.chart_style import draw_phases
from ci_gate.report.html.figure import Figure, count_figures
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.wording import format_exact

_SIDES: Final[Mapping[str, tuple[str, Colour]]] = {
    HEAD: ("head alone", "purple"),
    DUET_BASE: ("base", "base"),
    DUET_HEAD: ("head", "head"),
}


def draw_distribution(timeline: ScenarioTimeline, key: str) -> Iterator[Figure]:
    """A chart of how many per cent of the successes fell into each bin, a line for each side."""
    sides = [side for side in _SIDES if sum(timeline.counts.get(side, ()))]
    if not sides:
        return
    lines = []
    for side in sides:
        counts = timeline.counts[side]
        shares = tuple(100 * count / sum(counts) for count in counts)
        label, colour = _SIDES[side] if len(sides) > 1 else ("head", "head")
        is_last = side == sides[-1]
        lines.append(
            Line(
                label=label,
                values=(*shares, 0.0),
                colour=colour,
                is_dashed=side == DUET_BASE,
                is_filled=is_last,
            )
        )
    compared = " Base and head were under load together, head alone before that." if len(sides) > 1 else ""
    chart = Chart(
        key=f"{key}-distribution",
        title="How response times are spread",
        x=timeline.edges_ms,
        x_label="response time from",
        x_kind="ms",
        x_is_log=True,
        y_label="% of successes",
        is_stepped=True,
        lines=tuple(lines),
        summary=f"Successes of the steady phase by response time, logarithmic.{compared}",
    )
    yield Figure(chart=chart, figures=_count_quantiles(timeline, sides))


def _count_quantiles(timeline: ScenarioTimeline, sides: Sequence[str]) -> Table:
    ranks = (0.5, 0.9, 0.95, 0.99, 0.999)
    rows = tuple(
        (
            Cell(_SIDES[side][0]),
            *(
                Cell(format_ms(_read_quantile(timeline.edges_ms, timeline.counts[side], rank)))
                for rank in ranks
            ),
        )
        for side in sides
    )
    columns = (
        Column(title=""),
        *(Column(title=f"p{format_exact(100 * rank)}", is_number=True) for rank in ranks),
    )
    return Table(caption="Upper edge of the bin that holds the percentile", columns=columns, rows=rows)


def _read_quantile(edges_ms: Sequence[float], counts: Sequence[int], rank: float) -> float:
    reached, wanted = 0, rank * sum(counts)
    for index, count in enumerate(counts):
        reached += count
        if reached >= wanted:
            return edges_ms[index + 1]
    return edges_ms[-1]


def draw_duet(timeline: ScenarioTimeline, key: str) -> Iterator[Figure]:
    """A chart of the p95 of base and head over the time that they had together."""
    base, head = (timeline.recordings.get(side) for side in (DUET_BASE, DUET_HEAD))
    if base is None or head is None:
        return
    lines = tuple(
        Line(label=_SIDES[side][0], values=values, colour=_SIDES[side][1], is_dashed=side == DUET_BASE)
        for side, values in ((DUET_BASE, _read_p95(base)), (DUET_HEAD, _shift(base, head)))
    )
    chart = Chart(
        key=f"{key}-duet",
        title="Base and head under load together: p95",
        x=base.time_s,
        x_label="since the start",
        x_kind="elapsed",
        y_label="ms, logarithmic",
        y_is_log=True,
        lines=lines,
        spans=draw_phases(base),
        summary="The p95 of each second on both sides at the same moment; what hits both is the machine's.",
    )
    yield Figure(chart=chart, figures=count_figures(chart, base))


def _read_p95(timeline: Timeline) -> Values:
    return timeline.series.get("latency", {}).get("p95", (None,) * len(timeline.time_s))


def _shift(base: Timeline, head: Timeline) -> Values:
    """Head's p95 at the moments of base's points."""
    step_s = base.time_s[1] - base.time_s[0] if len(base.time_s) > 1 else 1.0
    later = round((base.begin_s - head.begin_s) / step_s)
    values = _read_p95(head)
    places = range(later, later + len(base.time_s))
    return tuple(values[place] if 0 <= place < len(values) else None for place in places)
