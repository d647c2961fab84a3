"""The trends of a branch as a page: history.html."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.history.record import METRICS, History
from ci_gate.judge.history.series import from_scale
from ci_gate.judge.history.trends import Drift, Trend, is_judged
from ci_gate.judge.history.worse import Trends
from ci_gate.report.history import (
    SHIFT_HEADERS,
    SHORT,
    describe_machine,
    describe_source,
    describe_worsening,
    format_between,
    format_size,
    shift_rows,
    summarise_trends,
)
from ci_gate.report.html.chart import COLOURS, Chart, Colour, Line, Mark
from ci_gate.report.html.page import render_page
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.thresholds import Metric, metric_of
from ci_gate.thresholds.metrics import MS, PER_S, SHARE
from ci_gate.wording import count

_MAX_MACHINES: Final = 3  # in one chart: those with the most runs
_CODE: Final = ("since",)
_NUMBERS: Final = ("change", "commits ago")
_Y_LABELS: Final = {MS: "ms", PER_S: "per second", SHARE: "% of requests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """One scenario as the template shows it."""

    key: str
    name: str
    charts: tuple[Chart, ...]


def render_history_html(history: History, trends: Trends) -> str:
    """The whole page as HTML that needs no other file."""
    scenarios = dict.fromkeys(each.name for run in history.runs for each in run.scenarios)
    sections = tuple(
        _Section(key=key, name=name, charts=tuple(_draw_scenario(history, trends, name, key)))
        for key, name in ((f"h{number}", name) for number, name in enumerate(scenarios))
    )
    return render_page(
        "history.html",
        charts=[chart for section in sections for chart in section.charts],
        headline=_summarise_page(trends),
        worse=tuple(f"{describe_worsening(each)}, by {describe_source(each)}" for each in trends.worse),
        history=history,
        sections=tuple(section for section in sections if section.charts),
        shifts=_make_table(history, trends),
    )


def _summarise_page(trends: Trends) -> str:
    summary = summarise_trends(trends)
    return summary if trends.worse else summary[0].upper() + summary[1:]


def _make_table(history: History, trends: Trends) -> Table | None:
    rows = tuple(
        tuple(
            Cell(text, kind="code" if title in _CODE else "")
            for title, text in zip(SHIFT_HEADERS, row, strict=True)
        )
        for row in shift_rows(history, trends)
    )
    if not rows:
        return None
    columns = tuple(Column(title=title, is_number=title in _NUMBERS) for title in SHIFT_HEADERS)
    return Table(caption="Where a level changed, the newest first", columns=columns, rows=rows)


def _draw_scenario(history: History, trends: Trends, name: str, key: str) -> Iterator[Chart]:
    for metric in map(metric_of, METRICS):
        found = [
            each for each in trends.trends if (each.series.scenario, each.series.metric) == (name, metric)
        ]
        if found:
            yield _draw_metric(history, found, metric, key)
    for drift in trends.drifts:
        if drift.chain.scenario == name and len(drift.chain.changes) > 1:
            yield _draw_chain(history, drift, key)


def _draw_metric(history: History, trends: list[Trend], metric: Metric, key: str) -> Chart:
    """A line of points for each kind of machine, and its levels as a dashed one with their interval."""
    shown = sorted(trends, key=lambda trend: -len(trend.series.points))[:_MAX_MACHINES]
    lines = tuple(
        line
        for trend, colour in zip(shown, COLOURS, strict=False)
        for line in _draw_lines(history, trend, colour)
    )
    marks = tuple(
        Mark(
            label=f"{format_size(metric, shift.change)} at {shift.first.commit[:7]}",
            at=float(shift.index),
            axis="x",
            tone="fail" if metric.worse * shift.change > 0 else "pass",
        )
        for trend in shown
        for shift in trend.shifts
    )
    return Chart(
        key=f"{key}-{metric.name}",
        title=metric.name,
        x=tuple(map(float, range(len(history.runs)))),
        x_names=tuple(run.commit[:7] for run in history.runs),
        x_label="commit",
        x_kind="name",
        y_label=_Y_LABELS[metric.unit],
        y_is_close=not metric.is_share,
        lines=lines,
        marks=marks,
        summary=" ".join(map(_summarise, shown)) + _count_hidden(len(trends) - len(shown)),
        sync=key,
    )


def _draw_lines(history: History, trend: Trend, colour: Colour) -> Iterator[Line]:
    series, size = trend.series, len(history.runs)
    factor = series.metric.unit.factor
    points: list[float | None] = [None] * size
    for point in series.points:
        points[point.index] = point.value * factor
    columns: tuple[list[float | None], ...] = ([None] * size, [None] * size, [None] * size)
    for each in trend.levels:
        begin, end = series.points[each.begin].index, series.points[each.end - 1].index
        for index in range(begin, end + 1):
            for column, value in zip(columns, (each.value, each.low, each.high), strict=True):
                column[index] = value * factor
    name = describe_machine(series.machine)
    load = f"{count(series.users, 'user')}, {series.profile}"
    yield Line(label=f"{name}; {load}", values=tuple(points), colour=colour, has_points=True)
    yield Line(
        label="its level",
        values=tuple(columns[0]),
        colour=colour,
        is_dashed=True,
        low=tuple(columns[1]),
        high=tuple(columns[2]),
    )


def _summarise(trend: Trend) -> str:
    series, newest = trend.series, trend.levels[-1]
    show = series.metric.unit.format
    level = f"{show(newest.value)} ({show(newest.low)} to {show(newest.high)})"
    runs = count(len(series.points), "run")
    where = f"{describe_machine(series.machine)}, {count(series.users, 'user')}, {runs}"
    if not is_judged(series):
        return f"{where}: too few to judge; mean {level}."
    if not trend.shifts:
        return f"{where}: one level, {level}."
    last = trend.shifts[-1]
    changed = f"{format_size(series.metric, last.change)} at {last.first.commit[:SHORT]}"
    return f"{where}: {count(len(trend.levels), 'level')}, the last {level} after {changed}."


def _count_hidden(number: int) -> str:
    return f" {count(number, 'kind of machine is', 'kinds of machines are')} not drawn." if number else ""


def _draw_chain(history: History, drift: Drift, key: str) -> Chart:
    chain, size = drift.chain, len(history.runs)
    values: list[float | None] = [None] * size
    for index, total in zip(chain.indices, itertools.accumulate(chain.changes), strict=True):
        values[index] = 100 * from_scale(chain.metric, total)
    runs = count(len(chain.changes), "run")
    is_known = (drift.low, drift.high) != (0.0, 0.0)
    between = (
        f", 99.9 % interval {format_between(drift.low, drift.high)}" if is_known else ", too few to judge"
    )
    return Chart(
        key=f"{key}-chain-{chain.metric.name}",
        title=f"{chain.metric.name} against base, added up",
        x=tuple(map(float, range(size))),
        x_names=tuple(run.commit[:7] for run in history.runs),
        x_label="commit",
        x_kind="name",
        y_label="% since the first",
        lines=(Line(label="all changes so far", values=tuple(values), colour="head", has_points=True),),
        summary=f"{runs}, each against the one before, on any machine: "
        f"{format_size(chain.metric, drift.change)}{between}.",
        sync=key,
    )
