"""The report of one capacity measurement: capacity.html."""

from __future__ import annotations

from typing import Final

import numpy as np

from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.capacity.scalability import Scalability
from ci_gate.judge.capacity.step_windows import Estimate
from ci_gate.judge.capacity.stepping import count_once
from ci_gate.judge.capacity.verdict import CapacityVerdict
from ci_gate.report.capacity import explain_capacity, summarise_capacity
from ci_gate.report.cells import format_ms, format_rate, format_share
from ci_gate.report.html.chart import Chart, Line, Mark, Span
from ci_gate.report.html.page import render_page
from ci_gate.report.html.table import Cell, Column, Table, make_outcome_cell
from ci_gate.report.outcome_words import WORDS
from ci_gate.wording import format_number

_LATENCY_LIMITS: Final = ("p50", "p95", "p99")
_COLUMNS: Final = ("successes/s", "in flight", "p50", "p95", "p99", "failures")


def render_capacity_html(verdict: CapacityVerdict) -> str:
    """The whole page, as HTML that needs no other file."""
    steps = [step for step in count_once(verdict.steps) if step.is_measured]
    charts = [*_draw_by_load(verdict, steps), *_draw_law(verdict, steps)] if steps else []
    return render_page(
        "capacity.html",
        charts=charts,
        verdict=verdict,
        headline=summarise_capacity(verdict),
        sentences=tuple(explain_capacity(verdict)),
        table=_make_table(verdict),
    )


def _draw_by_load(verdict: CapacityVerdict, steps: list[Step]) -> list[Chart]:
    law = verdict.scalability if verdict.unit == "users" else None
    loads = tuple(step.load for step in steps)
    curve = (
        [(point.load or 0.0, point.rate_per_s) for point in law.curve] if isinstance(law, Scalability) else []
    )
    x, lines = _put_together(loads, tuple(step.rate_per_s for step in steps), curve)
    knee, unit = verdict.knee, verdict.unit
    marks = (
        (Mark(label=f"knee at {format_number(knee.load.value)} {unit}", at=knee.load.value, axis="x"),)
        if isinstance(knee, Knee)
        else ()
    )
    spans = (Span(label="95 %", begin=knee.load.low, end=knee.load.high),) if isinstance(knee, Knee) else ()
    sentences = dict(explain_capacity(verdict))
    throughput = Chart(
        key="throughput",
        title=f"Throughput by {unit}",
        x=x,
        x_label=unit,
        x_is_log=True,
        y_label="successes per second",
        lines=lines,
        marks=marks,
        spans=spans,
        summary=f"Knee: {sentences['knee']}.",
    )
    latency = Chart(
        key="latency",
        title=f"Response time by {unit}",
        x=loads,
        x_label=unit,
        x_is_log=True,
        y_is_log=True,
        y_label="ms, logarithmic",
        lines=(
            Line(label="p50", values=tuple(each.p50_ms for each in steps), colour="teal", has_points=True),
            Line(label="p95", values=tuple(each.p95_ms for each in steps), colour="blue", has_points=True),
            Line(label="p99", values=tuple(each.p99_ms for each in steps), colour="purple", has_points=True),
        ),
        marks=(*_mark_limits(steps), *marks),
        spans=spans,
        summary=f"Limits: {sentences['limits']}.",
    )
    return [throughput, latency]


def _mark_limits(steps: list[Step]) -> tuple[Mark, ...]:
    return tuple(
        Mark(label=f"limit {limit.metric} {limit.text}", at=limit.bound, tone="fail")
        for limit in steps[0].limits
        if limit.endpoint == "all" and limit.metric in _LATENCY_LIMITS
    )


def _draw_law(verdict: CapacityVerdict, steps: list[Step]) -> list[Chart]:
    law = verdict.scalability
    if not isinstance(law, Scalability):
        return []
    by_number = sorted(steps, key=lambda step: step.in_flight)
    curve = [(point.in_flight, point.rate_per_s) for point in law.curve]
    numbers, rates = tuple(each.in_flight for each in by_number), tuple(each.rate_per_s for each in by_number)
    x, lines = _put_together(numbers, rates, curve)
    peak = law.peak_in_flight if law.peak_is_measured else None
    return [
        Chart(
            key="law",
            title="Throughput by requests in flight",
            x=x,
            x_label="requests in flight",
            x_is_log=True,
            y_label="successes per second",
            lines=lines,
            marks=(Mark(label=f"peak at {format_number(peak.value)}", at=peak.value, axis="x"),)
            if peak
            else (),
            summary=f"Scalability law: {dict(explain_capacity(verdict))['scalability law']}.",
        )
    ]


def _put_together(
    x: tuple[float, ...], values: tuple[float, ...], curve: list[tuple[float, Estimate]]
) -> tuple[tuple[float, ...], tuple[Line, ...]]:
    """What was measured, as points on the fitted curve where there is one; a chart has one x for both."""
    if not curve:
        return x, (Line(label="measured", values=values, colour="blue", has_points=True),)
    at = [each for each, _ in curve]
    both = tuple(sorted({*x, *at}))
    measured = dict(zip(x, values, strict=True))
    law = {
        name: tuple(np.interp(both, at, [getattr(rate, name) for _, rate in curve]).tolist())
        for name in ("value", "low", "high")
    }
    return both, (
        Line(label="measured", values=tuple(map(measured.get, both)), colour="blue", has_points=True),
        Line(
            label="scalability law, 95 %",
            values=law["value"],
            low=law["low"],
            high=law["high"],
            colour="orange",
            is_dashed=True,
        ),
    )


def _make_table(verdict: CapacityVerdict) -> Table:
    columns = (verdict.unit, *_COLUMNS)
    return Table(
        caption="Every step, by its load; latencies are of successes",
        columns=(*(Column(title=each, is_number=True) for each in columns), Column(title="limits")),
        rows=tuple(
            _make_row(step) for step in sorted(verdict.steps, key=lambda step: (step.load, step.name))
        ),
    )


def _make_row(step: Step) -> tuple[Cell, ...]:
    return (
        Cell(f"{step.load:,.0f}", key=step.load),
        Cell(format_rate(step.rate_per_s), key=step.rate_per_s),
        Cell(format_number(step.in_flight), key=step.in_flight),
        *(Cell(format_ms(value), key=value) for value in (step.p50_ms, step.p95_ms, step.p99_ms)),
        Cell(format_share(step.failure_share), key=step.failure_share),
        make_outcome_cell(step.outcome, WORDS),
    )
