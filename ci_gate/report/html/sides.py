"""Base beside head: how response times are spread, and each metric while both were under load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, HEAD
from ci_gate.judge.timeline.run_timeline import ScenarioTimeline
from ci_gate.judge.timeline.timeline import Timeline
from ci_gate.report.cells import format_ms
from ci_gate.report.html.chart import Chart, Colour, Line, Values
from ci_gate.report.html.chart_style import CHART_STYLES, ChartStyle, draw_lines, draw_phases
from ci_gate.report.html.figure import Figure, count_figures, steady_values
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.wording import format_exact, format_number

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


def draw_both(timeline: ScenarioTimeline, key: str) -> Iterator[Figure]:
    """A chart of each metric with base and head on it, over the time that they had together."""
    base, head = (timeline.recordings.get(side) for side in (DUET_BASE, DUET_HEAD))
    if base is None or head is None:
        return
    for group, style in CHART_STYLES.items():
        pairs = tuple(_pair_lines(style, base, head, group))
        if not pairs:
            continue
        chart = Chart(
            key=f"{key}-both-{group}",
            title=f"{style.title}, base and head",
            x=base.time_s,
            x_label="since the start",
            x_kind="elapsed",
            y_label=style.y_label,
            y_is_log=group == "latency",
            lines=tuple(line for pair in pairs for line in pair),
            spans=draw_phases(base),
            summary=_summarise_both(pairs, base),
            sync=f"{key}-both",
        )
        yield Figure(chart=chart, figures=count_figures(chart, base))


def _pair_lines(style: ChartStyle, base: Timeline, head: Timeline, group: str) -> Iterator[tuple[Line, Line]]:
    """For each series base's line, dashed, and head's in the same colour, at the moments of base's points."""
    nothing = (None,) * len(base.time_s)
    ours = {name: _shift(base, head, values) for name, values in head.series.get(group, {}).items()}
    theirs = base.series.get(group, {})
    names = dict.fromkeys([*theirs, *ours])
    drawn = draw_lines(style, {name: theirs.get(name, nothing) for name in names})
    for name, line in zip(names, drawn, strict=True):
        pair = tuple(
            msgspec.structs.replace(
                line,
                label=f"{line.label} {side}",
                values=values,
                is_dashed=side == "base",
                is_filled=False,
            )
            for side, values in (("base", line.values), ("head", ours.get(name, nothing)))
        )
        if any(value is not None for each in pair for value in each.values):
            yield pair[0], pair[1]


def _summarise_both(pairs: Sequence[tuple[Line, Line]], base: Timeline) -> str:
    """Each metric's mean on both sides, of the seconds of the steady phase."""
    parts = []
    for pair in pairs:
        values = [steady_values(line.values, base) for line in pair]
        if all(values):
            of_base, of_head = (format_number(sum(each) / len(each)) for each in values)
            parts.append(f"{pair[0].label.removesuffix(' base')} {of_base} on base, {of_head} on head")
    return f"Mean of the steady seconds: {'; '.join(parts)}." if parts else "Read on one side alone."


def _shift(base: Timeline, head: Timeline, values: Values) -> Values:
    """Head's values at the moments of base's points."""
    step_s = base.time_s[1] - base.time_s[0] if len(base.time_s) > 1 else 1.0
    later = round((base.begin_s - head.begin_s) / step_s)
    places = range(later, later + len(base.time_s))
    return tuple(values[place] if 0 <= place < len(values) else None for place in places)
