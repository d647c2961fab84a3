"""What a service can bear, as text: a table of the steps with its chart, then what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from tabulate import tabulate

from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.capacity.scalability import Scalability
from ci_gate.judge.capacity.step_windows import Estimate
from ci_gate.judge.capacity.stepping import count_once
from ci_gate.judge.capacity.verdict import CapacityVerdict
from ci_gate.judge.diagnosis.causes import UNKNOWN
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.load_rules import HOST_BUSY
from ci_gate.report.cells import format_ms, format_rate, format_share
from ci_gate.report.explain import name_subject
from ci_gate.report.limits import describe_limit
from ci_gate.report.outcome_words import WORDS
from ci_gate.wording import format_number, in_percent

_BAR_WIDTH: Final = 12
_PARTS: Final = " ▏▎▍▌▋▊▉█"
_DECADES: Final = 4  # of latency that its bar spans

_CONTRADICTING: Final = 0.2  # of scatter: the steps were not of one service on one machine


def render_capacity(verdict: CapacityVerdict) -> str:
    """The steps as a table, then what follows from them, as plain text with a final newline."""
    steps = sorted(verdict.steps, key=lambda step: (step.load, step.name))
    most = max((step.rate_per_s for step in steps), default=0.0)
    slowest = max((step.p95_ms or 0.0 for step in steps), default=0.0)
    headers = (
        *(verdict.unit, "throughput", "", "in flight", "p50", "p95", "(log scale)", "p99"),
        "failures",
        "limits",
    )
    rows = [_make_row(step, most, slowest) for step in steps]
    table = tabulate(
        rows,
        headers=headers,
        disable_numparse=True,
        colalign=("right", "right", "left", *["right"] * 3, "left", *["right"] * 2, "left"),
    )
    lines = [f"{title}: {text}" for title, text in explain_capacity(verdict)]
    return "\n\n".join([f"{verdict.scenario}: {summarise_capacity(verdict)}", table, *lines]) + "\n"


def describe_load(load: float, *, is_open: bool) -> str:
    """``50 users``, ``50 arrivals/s``."""
    return f"{load:,.0f} {'arrivals/s' if is_open else 'user' if load == 1 else 'users'}"


def describe_step(step: Step) -> str:
    """``57.4/s, p95 96.1 ms, 0 % failures: limits kept``, and what was found in the step."""
    numbers = f"{format_rate(step.rate_per_s)}, p95 {format_ms(step.p95_ms)}"
    summary = f"{numbers}, {format_share(step.failure_share)} failures: limits {WORDS[step.outcome]}"
    return "; ".join([summary, *(f"[{each.code}] {each.message}" for each in step.invalid)])


def summarise_capacity(verdict: CapacityVerdict) -> str:
    """Which load fits under the limits, in a sentence without a full stop."""
    kept, breached = verdict.step(verdict.fit.kept), verdict.step(verdict.fit.breached)
    if kept is None:
        return "no load was proven to fit under the limits"
    if breached is None:
        return f"at least {_load(verdict, kept)} fit under the limits"
    rest = "could not be measured" if breached.outcome == Outcome.INVALID else "do not"
    return f"{_load(verdict, kept)} fit under the limits, {breached.load:,.0f} {rest}"


def explain_capacity(verdict: CapacityVerdict) -> Iterator[tuple[str, str]]:
    """What follows from the steps: titles with a sentence each, in the order of what people ask first."""
    yield "limits", _explain_fit(verdict)
    yield "knee", _explain_knee(verdict)
    yield "ran out first", _explain_shortage(verdict)
    yield "stopped", _explain_end(verdict)
    yield "scalability law", _explain_law(verdict.scalability)
    busy = [
        step for step in count_once(verdict.steps) if any(each.code == HOST_BUSY for each in step.findings)
    ]
    if busy:
        loads = ", ".join(f"{step.load:,.0f}" for step in busy)
        effect = "its CPUs were full, and what was measured holds what everything on it took from each other"
        yield "the machine", f"at {loads} {verdict.unit} {effect}"
    named = set()
    for step in count_once(verdict.steps):
        for finding in step.invalid:
            if (step.load, finding.code) not in named:
                named.add((step.load, finding.code))
                where = f"not trusted at {_load(verdict, step)}"
                yield where, f"[{finding.code}] {finding.about}: {finding.message} -> {finding.remedy}"


def _make_row(step: Step, most: float, slowest: float) -> tuple[str, ...]:
    height = math.log10(slowest / step.p95_ms) / _DECADES if step.p95_ms else 1.0
    return (
        f"{step.load:,.0f}",
        format_rate(step.rate_per_s),
        draw_bar(step.rate_per_s / most if most else 0.0),
        format_number(step.in_flight),
        format_ms(step.p50_ms),
        format_ms(step.p95_ms),
        draw_bar(1 - height),
        format_ms(step.p99_ms),
        format_share(step.failure_share),
        WORDS[step.outcome],
    )


def draw_bar(share: float) -> str:
    """A bar as text, ``share`` of the full width long, in eighths of a character."""
    eighths = round(8 * _BAR_WIDTH * min(max(share, 0.0), 1.0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + _PARTS[rest].strip()).ljust(1)


def _explain_fit(verdict: CapacityVerdict) -> str:
    kept, breached = verdict.step(verdict.fit.kept), verdict.step(verdict.fit.breached)
    first = f"at {_load(verdict, breached)} {_explain_bad(breached)}" if breached else ""
    if kept is None:
        is_short = any(step.outcome == Outcome.INCONCLUSIVE for step in verdict.steps)
        more = "longer steps (--step-duration) bring more samples" if is_short else ""
        return "; ".join(filter(None, ("no load was proven to keep every limit", first, more)))
    good = f"{_load(verdict, kept)} ({format_rate(kept.rate_per_s)}) kept every limit"
    if not breached:
        return f"at least {good}, and no larger load that was measured broke one"
    return f"{good}; {first}"


def _explain_bad(step: Step) -> str:
    if not step.breaches:
        return "the measurement could not be trusted"
    limit, more = step.breaches[0], len(step.breaches) - 1
    others = f", and {more} more" if more else ""
    broken = f"{name_subject(limit.endpoint, limit.metric)} {describe_limit(limit)}"
    return f"{broken}{others} ({format_rate(step.rate_per_s)})"


def _explain_knee(verdict: CapacityVerdict) -> str:
    if not isinstance(verdict.knee, Knee):
        return f"not observed: {verdict.knee}"
    knee = verdict.knee
    ceiling = f"throughput stays at {format_estimate(knee.ceiling_per_s)} successes/s"
    each = f"{format_number(knee.per_load_per_s.value)} successes"
    each = f"each user brings {each}/s" if verdict.unit == "users" else f"each arrival brings {each}"
    unit = verdict.unit
    return (
        f"at {format_estimate(knee.load)} {unit}; below it {each}, beyond it {ceiling} and replies get slower"
    )


def _explain_shortage(verdict: CapacityVerdict) -> str:
    if verdict.ended.by == "generator" and not isinstance(verdict.knee, Knee):
        return "the load generator, not the service: what was measured is the least that the service can do"
    step = verdict.step(verdict.diagnosed)
    if step is None or verdict.diagnosis is None:
        return "nothing, up to the largest load that was measured"
    where = f"at {_load(verdict, step)}"
    if not verdict.diagnosis.causes:
        unknown = "; ".join(verdict.diagnosis.unknown)
        return f"not known: {where} nothing that was observed is full" + (f"; {unknown}" if unknown else "")
    cause = verdict.diagnosis.causes[0]
    lacking = f": {'; '.join(verdict.diagnosis.unknown)}" if cause.code == UNKNOWN else ""
    return f"{cause.title} ({where}: {'; '.join(cause.numbers)}) -> {cause.next_step}{lacking}"


def _explain_end(verdict: CapacityVerdict) -> str:
    largest = max(verdict.steps, key=lambda step: step.load, default=None)
    return f"at {_load(verdict, largest)}: {verdict.ended.why}" if largest else verdict.ended.why


def _explain_law(law: Scalability | str) -> str:
    if not isinstance(law, Scalability):
        return f"not fitted: {law}"
    low, high = (format_number(number) for number in law.in_flight)
    parameters = ", ".join(
        f"{name} {format_estimate(value)}"
        for name, value in (
            ("lambda", law.lambda_per_s),
            ("sigma", law.sigma),
            ("kappa", law.kappa),
        )
    )
    scatter = in_percent(law.scatter)
    fit = f"{parameters}; measured from {low} to {high} requests in flight, {scatter} off the curve"
    calm = "; the steps contradict each other or the law: measure again on a machine that does nothing else"
    return f"{fit}; {_explain_peak(law)}{calm if law.scatter > _CONTRADICTING else ''}"


def _explain_peak(law: Scalability) -> str:
    if law.peak_in_flight is None:
        return "kappa is not clearly above 0: no peak was observed"
    peak = f"throughput peaks at {format_estimate(law.peak_in_flight)} in flight and falls beyond"
    return peak if law.peak_is_measured else f"{peak}, which is extrapolated: so many were not measured"


def format_estimate(estimate: Estimate) -> str:
    """``51.2 (48.9 to 53.0)``; the interval holds the true value with a probability of 95 %."""
    low, high = format_number(estimate.low), format_number(estimate.high)
    return f"{format_number(estimate.value)} ({low} to {high})"


def _load(verdict: CapacityVerdict, step: Step) -> str:
    return describe_load(step.load, is_open=verdict.unit != "users")
