"""The trends of a branch in sentences, and as a table of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tabulate import tabulate

from ci_gate.judge.history.record import History
from ci_gate.judge.history.series import Machine
from ci_gate.judge.history.trends import MIN_RUNS, Shift, Trend, is_judged
from ci_gate.judge.history.worse import Trends, Worsening
from ci_gate.report.escape import MAX_NAME_LENGTH, clean, code_span
from ci_gate.thresholds import Metric
from ci_gate.wording import NOTHING, add_sign, count, format_number

SHORT: Final = 10
"""Characters of a commit."""
SHIFT_HEADERS: Final = ("scenario", "metric", "change", "interval", "since", "commits ago", "machine", "also")


def describe_worsening(worse: Worsening, show: Callable[[str], str] = str) -> str:
    """``p95 of shop has crept +14 % (+9 to +19) since 41 commits, first at 1c0ea74``.

    Plain text; ``show`` marks, and escapes, what is a name.
    """
    how = "has changed" if worse.steps == 1 else "has crept"
    size = f"{format_size(worse.metric, worse.change)} ({format_between(worse.low, worse.high)})"
    since = count(worse.commits, "commit" if worse.is_counted else "run")
    first = show(worse.since.commit[:SHORT])
    return f"{worse.metric} of {show(worse.scenario)} {how} {size} since {since}, first at {first}"


def describe_source(worse: Worsening) -> str:
    """Which figures say so."""
    if worse.machine is None:
        return "all comparisons with base added up"
    return f"runs on {describe_machine(worse.machine)}"


def summarise_trends(trends: Trends) -> str:
    """One sentence for what is worse, the largest; or that nothing is, or that too little is known."""
    if not trends.worse:
        judged = sum(is_judged(each.series) for each in trends.trends)
        chained = sum(len(each.chain.changes) >= MIN_RUNS for each in trends.drifts)
        if not judged + chained:
            return f"nothing can be told yet: it takes {MIN_RUNS} runs on one kind of machine"
        return f"nothing has become worse, as far as {count(judged + chained, 'series', 'series')} can tell"
    more = len(trends.worse) - 1
    return describe_worsening(trends.worse[0]) + (f"; and {more} more" if more else "")


def render_trend_line(trends: Trends, branch: str) -> str:
    """The same as one line of Markdown for a comment; empty where nothing is worse."""
    if not trends.worse:
        return ""
    more = len(trends.worse) - 1
    sentence = describe_worsening(trends.worse[0], code_span) + (f"; and {more} more" if more else "")
    return f"On {code_span(branch)}, whatever this change does: {sentence}."


def format_size(metric: Metric, change: float) -> str:
    """``+14 %``; of a share ``+0.6 points``."""
    return f"{_format(change)}{' points' if metric.is_share else ' %'}"


def format_between(low: float, high: float) -> str:
    """``+9 to +19``: an interval in percent, or in points."""
    return f"{_format(low)} to {_format(high)}"


def _format(change: float) -> str:
    return add_sign(change, format_number(abs(change) * 100, 2))


def shift_rows(history: History, trends: Trends) -> Iterator[tuple[str, ...]]:
    """The cells under SHIFT_HEADERS for each change of a level, the newest first."""
    found = [(trend, shift) for trend in trends.trends for shift in trend.shifts]
    for trend, shift in sorted(found, key=lambda each: -each[1].index):
        yield _make_row(history, trend, shift)


def _make_row(history: History, trend: Trend, shift: Shift) -> tuple[str, ...]:
    series, newest = trend.series, history.runs[-1]
    is_counted = newest.position and shift.first.position
    ago = newest.position - shift.first.position if is_counted else len(history.runs) - 1 - shift.index
    return (
        series.scenario,
        series.metric.name,
        format_size(series.metric, shift.change),
        format_between(shift.low, shift.high),
        f"{shift.last.commit[:SHORT]}..{shift.first.commit[:SHORT]}",
        f"{ago:,}",
        describe_machine(series.machine),
        "; ".join(shift.also) or NOTHING,
    )


def describe_machine(machine: Machine) -> str:
    """``AMD EPYC 7763 64-Core Processor, 4 CPUs, ubuntu24``, cut where it is long."""
    return clean(str(machine), MAX_NAME_LENGTH)


def render_trends(history: History, trends: Trends) -> str:
    """What is worse, then every change of a level, as plain text with a final newline."""
    if not history.runs:
        return "no run: nothing can be told\n"
    first, last = history.runs[0], history.runs[-1]
    lines = [f"{count(len(history.runs), 'run')} from {first.started_at} to {last.started_at}"]
    lines += [f"worse: {describe_worsening(each)}, by {describe_source(each)}" for each in trends.worse] or [
        summarise_trends(trends)
    ]
    rows = list(shift_rows(history, trends))
    table = [tabulate(rows, headers=SHIFT_HEADERS, disable_numparse=True)] if rows else []
    return "\n\n".join(["\n".join(lines), *table]) + "\n"
