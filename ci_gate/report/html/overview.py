"""Several runs on one page: how each scenario stands in its latest run, and how it went from run to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.outcome import Outcome, worst
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.cells import format_ms, format_rate, format_share
from ci_gate.report.explain import explain_finding, list_blocking
from ci_gate.report.html.chart import Chart, Colour, Line, Span
from ci_gate.report.html.charts import mark_limits
from ci_gate.report.html.page import render_page
from ci_gate.report.html.table import Cell, Column, Table, make_outcome_cell
from ci_gate.report.html.tables import figure_cells, number_columns
from ci_gate.report.outcome_words import count_outcomes
from ci_gate.wording import NOTHING, count

_MIN_FOR_A_TREND: Final = 2
_TO_THE_MINUTE: Final = len("2026-11-23T15:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRun:
    """One run. ``href`` leads to its report.html; empty where there is none."""

    name: str
    verdict: Verdict
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One scenario of one run."""

    run: OverviewRun
    scenario: ScenarioVerdict

    @property
    def total(self) -> EndpointSummary | None:
        return self.scenario.endpoints[0] if self.scenario.endpoints else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A scenario that was measured more than once, oldest run first."""

    name: str
    outcome: Outcome
    charts: tuple[Chart, ...]


def render_overview(runs: Sequence[OverviewRun]) -> str:
    """The whole page as HTML; the runs may be in any order."""
    ordered = sorted(runs, key=lambda run: (run.verdict.started_at, run.name))
    measured: dict[str, list[_Measured]] = {}
    for run in ordered:
        for scenario in run.verdict.scenarios:
            measured.setdefault(scenario.name, []).append(_Measured(run=run, scenario=scenario))
    latest = [each[-1] for each in measured.values()]
    trends = tuple(
        _draw_trend(name, each, f"t{number}")
        for number, (name, each) in enumerate(measured.items())
        if len(each) >= _MIN_FOR_A_TREND
    )
    every = [each for row in measured.values() for each in row]
    every.sort(key=lambda each: (each.run.verdict.started_at, each.run.name), reverse=True)
    outcome = worst(each.scenario.outcome for each in latest) if latest else Outcome.INVALID
    return render_page(
        "overview.html",
        charts=[chart for trend in trends for chart in trend.charts],
        outcome=outcome,
        headline=_say(latest, len(ordered)),
        findings=tuple(
            (run, explain_finding(each)) for run in ordered for each in list_blocking(run.verdict.findings)
        ),
        latest=_make_table("The latest run of each scenario", latest),
        every=_make_table("Every run, the latest first", every) if len(every) > len(latest) else None,
        trends=trends,
    )


def _say(latest: Sequence[_Measured], runs: int) -> str:
    counts = count_outcomes(each.scenario.outcome for each in latest)
    what = f"{count(len(latest), 'scenario')} in {count(runs, 'run')}"
    return f"{what}: {counts or 'nothing was measured'}"


def _make_table(caption: str, rows: Sequence[_Measured]) -> Table:
    titles = ("scenario", "verdict", "run", "started", "profile", "commit")
    columns = (
        *(Column(title=title) for title in titles),
        *number_columns("requests", "rate", "p50", "p95", "p99", "failures"),
    )
    return Table(caption=caption, columns=columns, rows=tuple(map(_make_row, rows)))


def _make_row(measured: _Measured) -> tuple[Cell, ...]:
    run, scenario, total = measured.run, measured.scenario, measured.total
    first = (
        Cell(scenario.name),
        make_outcome_cell(scenario.outcome),
        Cell(run.name, kind="tight", href=run.href),
        Cell(run.verdict.started_at[:_TO_THE_MINUTE].replace("T", " "), kind="tight"),
        Cell(run.verdict.profile),
        Cell(run.verdict.git.get("head", "")[:12] or NOTHING, kind="code"),
    )
    if total is None:
        return (*first, *[Cell(NOTHING)] * 6)
    return (*first, *figure_cells(total), Cell(format_share(total.failure_share), total.failure_share))


_PERCENTILES: Final[tuple[tuple[str, Colour], ...]] = (("p50", "teal"), ("p95", "blue"), ("p99", "purple"))


def _draw_trend(name: str, measured: Sequence[_Measured], key: str) -> Trend:
    return Trend(
        name=name, outcome=measured[-1].scenario.outcome, charts=tuple(_draw_charts(name, measured, key))
    )


def _draw_charts(name: str, measured: Sequence[_Measured], key: str) -> Iterator[Chart]:
    totals = [each.total for each in measured]
    last = totals[-1]
    latency = {rank: tuple(getattr(each, f"{rank}_ms", None) for each in totals) for rank, _ in _PERCENTILES}
    lines = tuple(
        Line(label=rank, values=latency[rank], colour=colour, has_points=True)
        for rank, colour in _PERCENTILES
    )
    latest = ", ".join(f"{rank} {format_ms(values[-1])}" for rank, values in latency.items())
    yield _draw_chart(
        measured, f"{key}-latency", f"{name}: response time", "ms, logarithmic", lines, f"Latest: {latest}."
    )
    rates = tuple(each.rate_per_s if each else None for each in totals)
    yield _draw_chart(
        measured,
        f"{key}-rate",
        f"{name}: rate",
        "successes per second",
        (Line(label="rate", values=rates, colour="good", has_points=True),),
        f"Latest: {format_rate(last.rate_per_s if last else None)}.",
    )
    shares = tuple(
        100 * each.failure_share if each and each.failure_share is not None else None for each in totals
    )
    yield _draw_chart(
        measured,
        f"{key}-failures",
        f"{name}: failures",
        "% of requests",
        (Line(label="failures", values=shares, colour="bad", has_points=True),),
        f"Latest: {format_share(last.failure_share if last else None)}.",
    )


def _draw_chart(
    measured: Sequence[_Measured], key: str, title: str, unit: str, lines: tuple[Line, ...], summary: str
) -> Chart:
    group = key.rpartition("-")[2]
    return Chart(
        key=key,
        title=title,
        x=tuple(map(float, range(len(measured)))),
        x_names=tuple(each.run.name for each in measured),
        x_label="run",
        x_kind="name",
        y_label=unit,
        y_is_log=group == "latency",
        lines=lines,
        spans=tuple(
            Span(label=each.scenario.outcome, begin=index - 0.5, end=index + 0.5)
            for index, each in enumerate(measured)
            if each.scenario.outcome != Outcome.PASS
        ),
        marks=tuple(mark_limits(measured[-1].scenario, group)),
        summary=summary,
        sync=key.partition("-")[0],
    )
