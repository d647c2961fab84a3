"""The tables of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.diagnosis.statement_growth import StatementGrowth
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.stages import StageSummary
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import format_change, format_interval, sort_changes, summarise_duet
from ci_gate.report.cells import (
    format_bound,
    format_measured,
    format_ms,
    format_percent,
    format_rate,
    format_share,
)
from ci_gate.report.explain import explain_under_base, name_subject
from ci_gate.report.html.table import Cell, Column, Table, make_outcome_cell
from ci_gate.report.limits import share_of_limit
from ci_gate.report.outcome_words import WORDS
from ci_gate.thresholds import metric_of
from ci_gate.wording import NOTHING, format_number

_FIGURES: Final = ("requests", "rate", "p50", "p95", "p99")


def make_scenario_table(scenarios: Sequence[ScenarioVerdict]) -> Table:
    """A row for each scenario, with a link to its section."""
    columns = (
        *(Column(title=title) for title in ("scenario", "verdict", "against base")),
        *number_columns(*_FIGURES, "failures", "users"),
    )
    rows = [_scenario_row(scenario, f"#s{number}") for number, scenario in enumerate(scenarios)]
    return Table(caption="Scenarios, in the steady phase of head", columns=columns, rows=tuple(rows))


def _scenario_row(scenario: ScenarioVerdict, href: str) -> tuple[Cell, ...]:
    first = (
        Cell(scenario.name, href=href),
        make_outcome_cell(scenario.outcome),
        Cell(summarise_duet(scenario.comparison)),
    )
    users = Cell(f"{scenario.users:,}", float(scenario.users))
    if not scenario.endpoints:
        return (*first, *[Cell(NOTHING)] * 6, users)
    total = scenario.endpoints[0]
    failures = Cell(format_share(total.failure_share), total.failure_share)
    return (*first, *figure_cells(total), failures, users)


def figure_cells(row: EndpointSummary) -> tuple[Cell, ...]:
    """Cells for requests, rate, p50, p95 and p99."""
    return (
        Cell(f"{row.requests:,}", float(row.requests)),
        Cell(format_rate(row.rate_per_s), row.rate_per_s),
        *(Cell(format_ms(value), value) for value in row.percentiles_ms.values()),
    )


def make_endpoint_table(endpoints: Iterable[EndpointSummary]) -> Table:
    """A row for each endpoint; all of them together stay at the top, however it is sorted."""
    columns = (
        Column(title="endpoint"),
        *number_columns(*_FIGURES, "max", "failures"),
        Column(title="statuses"),
    )
    rows = tuple(
        (
            Cell(row.endpoint, kind="code"),
            *figure_cells(row),
            Cell(format_ms(row.max_ms), row.max_ms),
            Cell(format_share(row.failure_share), row.failure_share),
            Cell(", ".join(f"{status}: {number:,}" for status, number in row.statuses.items()) or NOTHING),
        )
        for row in endpoints
    )
    return Table(caption="Endpoints; response times are of successes", columns=columns, rows=rows, pinned=1)


def make_stage_table(stages: Iterable[StageSummary]) -> Table:
    """A row for each stage of a shape in which the number of users is steady."""
    columns = number_columns("from", "lasts", "users", *_FIGURES)
    rows = tuple(
        (
            Cell(f"{stage.begin_s:,.0f} s", stage.begin_s),
            Cell(f"{stage.duration_s:,.0f} s", stage.duration_s),
            Cell(f"{stage.users:,}", float(stage.users)),
            Cell(f"{stage.requests:,}", float(stage.requests)),
            Cell(format_rate(stage.rate_per_s), stage.rate_per_s),
            *(Cell(format_ms(value), value) for value in (stage.p50_ms, stage.p95_ms, stage.p99_ms)),
        )
        for stage in stages
    )
    caption = "Stages of the shape with a steady number of users; response times are of successes"
    return Table(caption=caption, columns=columns, rows=rows)


def make_error_table(endpoints: Sequence[EndpointSummary]) -> Table:
    """A row for each of the most frequent errors of each endpoint, in their own words."""
    columns = (Column(title="endpoint"), *number_columns("times"), Column(title="error"))
    rows = tuple(
        (Cell(row.endpoint, kind="code"), Cell(f"{error.count:,}", float(error.count)), Cell(error.error))
        for row in endpoints[1:]
        for error in row.errors
    )
    return Table(caption="Errors, the most frequent of each endpoint", columns=columns, rows=rows)


def make_limit_table(limits: Iterable[LimitResult]) -> Table:
    """A row for each limit: broken ones first, then those that were not proven."""
    columns = (
        *(Column(title=title) for title in ("endpoint", "metric", "outcome")),
        *number_columns("measured"),
        Column(title="limit"),
        *number_columns("of the limit", "samples"),
    )
    rows = tuple(map(_limit_row, sorted(limits, key=lambda limit: WORST_FIRST.index(limit.outcome))))
    return Table(caption="Limits of thresholds.yaml", columns=columns, rows=rows)


def _limit_row(limit: LimitResult) -> tuple[Cell, ...]:
    share = share_of_limit(limit)
    needed = f" of {limit.needed:,}" if limit.outcome == Outcome.INVALID else ""
    return (
        Cell(limit.endpoint, kind="code"),
        Cell(limit.metric),
        make_outcome_cell(limit.outcome, WORDS),
        Cell(format_measured(limit), limit.measured),
        Cell(format_bound(limit) + ("" if limit.line else " (default)"), kind="tight"),
        Cell(NOTHING if share is None else f"{share * 100:,.0f} %", share, meter=limit.outcome.lower()),
        Cell(f"{limit.samples:,}{needed}", float(limit.samples)),
    )


def make_change_table(duet: DuetVerdict) -> Table:
    """A row for each comparison, the worst first."""
    titles = ("base", "head", "change", "interval", "tolerance", "detectable")
    columns = (
        *(Column(title=title) for title in ("endpoint", "metric", "outcome")),
        *number_columns(*titles),
    )
    rows = tuple(map(_change_row, sort_changes(duet)))
    return Table(caption="Head against base, each with its interval", columns=columns, rows=rows)


def _change_row(change: Change) -> tuple[Cell, ...]:
    return (
        Cell(change.endpoint, kind="code"),
        Cell(change.metric),
        make_outcome_cell(change.outcome, WORDS),
        *_change_figures(change),
        Cell(f"{format_number(change.mde * 100)} %", change.mde),
    )


def _change_figures(change: Change) -> tuple[Cell, ...]:
    """Base, head, the change, its interval and its tolerance."""
    show = metric_of(change.metric).unit.format
    return (
        Cell(show(change.base), change.base),
        Cell(show(change.head), change.head),
        Cell(format_change(change), change.change),
        Cell(format_interval(change), change.low),
        Cell(format_percent(change.tolerance), change.tolerance),
    )


def make_statement_table(grown: Iterable[StatementGrowth]) -> Table:
    """A row for each statement that grew, as they are ranked."""
    titles = ("calls, base", "calls, head", "ms, base", "ms, head")
    rows = tuple(
        (
            Cell(growth.query, kind="code"),
            *(
                Cell(format_number(figure), figure)
                for figure in (growth.base_calls, growth.head_calls, growth.base_ms, growth.head_ms)
            ),
        )
        for growth in grown
    )
    caption = "Statements whose calls or time of the database grew most, for each success"
    return Table(caption=caption, columns=(Column(title="statement"), *number_columns(*titles)), rows=rows)


def make_changed_table(scenarios: Sequence[ScenarioVerdict]) -> Table:
    """A row for each figure that is not as on base: worse, unclear, or really better. The worst first."""
    rows = [
        (scenario, change)
        for scenario in scenarios
        if scenario.comparison
        for change in scenario.comparison.changes
        if change.outcome == Outcome.FAIL or change.leaves_open or change.is_real
    ]
    rows.sort(key=lambda row: WORST_FIRST.index(row[1].outcome))
    is_one = len(scenarios) == 1
    columns = (
        *(Column(title=title) for title in ("figure", *([] if is_one else ["scenario"]), "outcome")),
        *number_columns("base", "head", "change", "interval", "tolerance"),
    )
    return Table(
        caption="What is not as on base",
        columns=columns,
        rows=tuple(
            (
                Cell(name_subject(change.endpoint, change.metric), kind="code"),
                *([] if is_one else [Cell(scenario.name)]),
                make_outcome_cell(change.outcome, WORDS),
                *_change_figures(change),
            )
            for scenario, change in rows
        ),
    )


def make_threshold_table(changes: Iterable[ThresholdChange]) -> Table:
    """A row for each change that an edit of thresholds.yaml asks for."""
    columns = tuple(Column(title=title) for title in ("setting", "direction", "base", "head", "where"))
    rows = tuple(
        (
            Cell(change.setting, kind="code"),
            Cell(change.direction, kind="loosened" if change.direction == "loosened" else ""),
            Cell(change.old or NOTHING),
            Cell(change.new or NOTHING),
            Cell(" ".join(name for name in (change.scenario, change.endpoint) if name) or "everywhere"),
        )
        for change in changes
    )
    return Table(caption="Changes of the thresholds", columns=columns, rows=rows)


def make_under_base_table(under_base: Iterable[UnderBase]) -> Table:
    """A row for each scenario: its outcome on the same evidence under base's thresholds and under these."""
    columns = tuple(
        Column(title=title) for title in ("scenario", "under base", "under head", "why under base")
    )
    rows = tuple(
        (
            Cell(row.scenario),
            make_outcome_cell(row.base) if row.base else Cell(NOTHING),
            make_outcome_cell(row.head) if row.head else Cell(NOTHING),
            Cell("; ".join(each.plain for each in explain_under_base(row)) or NOTHING),
        )
        for row in under_base
    )
    return Table(caption="The same evidence under both", columns=columns, rows=rows)


def number_columns(*titles: str) -> tuple[Column, ...]:
    """Columns that are aligned right and sorted by size."""
    return tuple(Column(title=title, is_number=True) for title in titles)
