"""The charts of one scenario, each with a sentence and a table that say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ci_gate.evidence.recording import HEAD
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.timeline.run_timeline import ScenarioTimeline
from ci_gate.judge.timeline.timeline import Timeline
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.cells import format_ms, format_rate, format_share
from ci_gate.report.html.chart import Chart, Mark, Values
from ci_gate.report.html.chart_style import CHART_STYLES, draw_lines, draw_phases
from ci_gate.report.html.figure import Figure, count_figures, steady_values
from ci_gate.report.html.sides import draw_both, draw_distribution
from ci_gate.report.outcome_words import WORDS
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of
from ci_gate.thresholds.metrics import MS, PER_S
from ci_gate.wording import count, format_number

_UNITS: Final = {"latency": MS, "rate": PER_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Figures under a title of their own; empty for the only ones of a scenario."""

    title: str
    figures: tuple[Figure, ...]
    note: str = ""


def make_charts(scenario: ScenarioVerdict, timeline: ScenarioTimeline, key: str) -> tuple[Charts, ...]:
    """Every chart that there are readings for, base beside head first; ``key`` begins their names."""
    both = tuple(draw_both(timeline, key))
    distribution = tuple(draw_distribution(timeline, key))
    shown = timeline.recordings.get(HEAD) or next(iter(timeline.recordings.values()), None)
    alone = tuple(_draw_groups(scenario, shown, key)) if shown else ()
    if not both:
        return (Charts(title="", figures=(*alone, *distribution)),)
    return (
        Charts(
            title="Base and head under load together",
            figures=(*distribution, *both),
            note="Base dashed, head solid, at the same moment: what hits both is the machine's.",
        ),
        Charts(title="Head alone, by which the limits are judged", figures=alone),
    )


def _draw_groups(scenario: ScenarioVerdict, timeline: Timeline, key: str) -> Iterator[Figure]:
    for group, style in CHART_STYLES.items():
        series = timeline.series.get(group, {})
        if not any(value is not None for values in series.values() for value in values):
            continue
        chart = Chart(
            key=f"{key}-{group}",
            title=style.title,
            x=timeline.time_s,
            x_label="since the start",
            x_kind="elapsed",
            y_label=style.y_label,
            y_is_log=group == "latency",
            lines=tuple(draw_lines(style, series)),
            spans=draw_phases(timeline),
            marks=tuple(mark_limits(scenario, group)),
            summary=_summarise(scenario, group, series, timeline),
            sync=key,
        )
        yield Figure(chart=chart, figures=count_figures(chart, timeline))


def mark_limits(scenario: ScenarioVerdict, group: str) -> Iterator[Mark]:
    """A mark for each limit on all requests together that is in the unit of the chart."""
    for limit in scenario.limits:
        if limit.endpoint == ALL_ENDPOINTS and metric_of(limit.metric).unit == _UNITS.get(group):
            yield Mark(label=_name_limit(limit), at=limit.bound, tone=limit.outcome.lower())


def _name_limit(limit: LimitResult) -> str:
    return f"{limit.metric} {'≥' if limit.is_floor else '≤'} {limit.text}, {WORDS[limit.outcome]}"


def _summarise(
    scenario: ScenarioVerdict, group: str, series: Mapping[str, Values], timeline: Timeline
) -> str:
    """The chart in a sentence, with figures of the steady phase."""
    total = scenario.endpoints[0] if scenario.endpoints else None
    steady = {name: steady_values(values, timeline) for name, values in series.items()}
    if group == "rate" and total:
        rate, slowest = format_rate(total.rate_per_s), min(steady["successes"], default=0.0)
        failed = f"{total.failures:,} of {count(total.requests, 'request')} failed"
        summary = f"{rate} succeeded in the steady phase, {slowest:,.0f} in its slowest second"
        return f"{summary}; {failed} ({format_share(total.failure_share)})."
    if group == "latency" and total:
        shown = ", ".join(f"{name} {format_ms(value)}" for name, value in total.percentiles_ms.items())
        worst = max(steady.get("p99", ()), default=None)
        return f"{shown} over the steady phase; the p99 of its worst second is {format_ms(worst)}."
    style = CHART_STYLES[group]
    parts = [
        f"{style.names.get(name, (name, ''))[0]} up to {format_number(max(values))}"
        for name, values in steady.items()
        if values
    ]
    return f"In the steady phase: {', '.join(parts)}." if parts else "Nothing was read in the steady phase."
