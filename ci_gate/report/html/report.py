"""The report of one run: report.html."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.timeline.run_timeline import RunTimeline, ScenarioTimeline
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import describe_duet
from ci_gate.report.cells import format_bound, format_measured, format_share
from ci_gate.report.code import describe_code, explain_columns, title_code
from ci_gate.report.diagnosis import has_something_to_say
from ci_gate.report.explain import Sentence, explain, explain_doubts, explain_finding, explain_missing
from ci_gate.report.headline import explain_effect, summarise_in_a_sentence
from ci_gate.report.html.advice import advise
from ci_gate.report.html.charts import Charts, make_charts
from ci_gate.report.html.code import make_code_table
from ci_gate.report.html.flame import FlameGraph, make_flame_graph
from ci_gate.report.html.machines import make_environment_table
from ci_gate.report.html.page import render_page
from ci_gate.report.html.slow_requests import make_slowest_table
from ci_gate.report.html.table import Table
from ci_gate.report.html.tables import (
    make_change_table,
    make_changed_table,
    make_endpoint_table,
    make_error_table,
    make_limit_table,
    make_scenario_table,
    make_stage_table,
    make_statement_table,
    make_threshold_table,
    make_under_base_table,
)
from ci_gate.report.limits import find_tightest
from ci_gate.report.outcome_words import WORDS, count_outcomes
from ci_gate.report.report import Report
from ci_gate.report.reproduction import list_commands
from ci_gate.wording import count

MAX_REASONS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One scenario as its template shows it."""

    key: str
    scenario: ScenarioVerdict
    reasons: tuple[Sentence, ...]
    charts: tuple[Charts, ...]
    endpoints: Table
    stages: Table
    errors: Table
    slowest: Table
    limits: Table
    changes: Table | None
    code: Table | None
    code_title: str
    code_how_to_read: str
    code_summary: str
    flames: tuple[FlameGraph, ...]
    comparison: str
    not_compared: tuple[Sentence, ...]
    findings: tuple[Sentence, ...]
    has_diagnosis: bool
    statements: Table


def render_html(report: Report, timeline: RunTimeline | None) -> str:
    """The whole page as HTML. Without a timeline, or a scenario in it, it says that there are no charts."""
    timelines = {each.scenario: each for each in timeline.scenarios} if timeline else {}
    sections = tuple(
        _make_section(scenario, timelines.get(scenario.name), f"s{number}")
        for number, scenario in enumerate(report.verdict.scenarios)
    )
    reasons = tuple((section.scenario.name, each) for section in sections for each in section.reasons)
    return render_page(
        "report.html",
        charts=[
            figure.chart for section in sections for charts in section.charts for figure in charts.figures
        ],
        report=report,
        headline=summarise_in_a_sentence(report),
        effect=explain_effect(report),
        whats_changed=make_changed_table(report.verdict.scenarios),
        environment=make_environment_table(report),
        reasons=reasons[:MAX_REASONS],
        more_reasons=max(len(reasons) - MAX_REASONS, 0),
        findings=tuple(map(explain_finding, report.verdict.findings)),
        score=_make_score(report),
        advice=advise(report),
        scenarios=make_scenario_table(report.verdict.scenarios),
        sections=sections,
        threshold_changes=make_threshold_table(report.changes),
        under_base=make_under_base_table(report.under_base),
        commands=list_commands(report.verdict, report.verdict.scenarios),
    )


def _describe_comparison(duet: DuetVerdict) -> str:
    """With which start the charts are of, where there were two."""
    return f"{describe_duet(duet)}{'; the charts are of the first start' if duet.confirmation else ''}"


def _make_section(scenario: ScenarioVerdict, timeline: ScenarioTimeline | None, key: str) -> Section:
    duet = scenario.comparison
    return Section(
        key=key,
        scenario=scenario,
        reasons=explain(scenario),
        charts=make_charts(scenario, timeline, key) if timeline else (),
        endpoints=make_endpoint_table(scenario.endpoints),
        stages=make_stage_table(scenario.stages),
        errors=make_error_table(scenario.endpoints),
        slowest=make_slowest_table(scenario.slowest),
        limits=make_limit_table(scenario.limits),
        changes=make_change_table(duet) if duet and duet.changes else None,
        code=make_code_table(scenario.code) if scenario.code else None,
        code_how_to_read=explain_columns(scenario.code) if scenario.code else "",
        code_title=title_code(scenario.code) if scenario.code else "",
        code_summary=describe_code(scenario.code) if scenario.code else "",
        flames=tuple(map(make_flame_graph, timeline.flames)) if timeline else (),
        comparison=_describe_comparison(duet) if duet else "",
        not_compared=(*explain_missing(duet), *explain_doubts(duet)) if duet else (),
        findings=tuple(map(explain_finding, scenario.findings)),
        has_diagnosis=scenario.outcome == Outcome.PASS or has_something_to_say(scenario),
        statements=make_statement_table(scenario.diagnosis.statements if scenario.diagnosis else ()),
    )


def _make_score(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Name, figure and remark of each card."""
    scenarios = report.verdict.scenarios
    limits = [limit.outcome for scenario in scenarios for limit in scenario.limits]
    totals = [scenario.endpoints[0] for scenario in scenarios if scenario.endpoints]
    requests, failures = sum(each.requests for each in totals), sum(each.failures for each in totals)
    failed = format_share(failures / requests if requests else None)
    passed = sum(scenario.outcome == Outcome.PASS for scenario in scenarios)
    unkept = count_outcomes((each for each in limits if each != Outcome.PASS), WORDS)
    cards = [
        ("Scenarios passed", f"{passed} of {len(scenarios)}", f"profile {report.verdict.profile}"),
        ("Limits kept", f"{limits.count(Outcome.PASS)} of {len(limits)}", unkept or "none broken"),
        ("Requests judged", f"{requests:,}", f"{failed} failed"),
    ]
    changes = [each for scenario in scenarios if scenario.comparison for each in scenario.comparison.changes]
    if changes:
        worse = sum(change.outcome == Outcome.FAIL for change in changes)
        cards.append(("Against base", f"{worse} worse", f"of {count(len(changes), 'comparison')}"))
    tightest = find_tightest(scenarios)
    if tightest:
        scenario, limit, used = tightest
        what = f"{scenario.name}: {limit.endpoint} {limit.metric}"
        where = f"{what} {format_measured(limit)}, {format_bound(limit)}"
        cards.append(("Tightest kept limit", f"{used * 100:.0f} % used", where))
    return tuple(cards)
