"""What measured runs suggest, as an edit of thresholds.yaml and as remarks about it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from ci_gate.errors import BadInputError, UsageError
from ci_gate.judge.suggest.limits import KeptLimit, LimitSuggestion, LimitSuggestions, Todo
from ci_gate.judge.suggest.suggestion import (
    ScatterSuggestion,
    ScenarioSuggestion,
    Suggestion,
    ToleranceSuggestion,
)
from ci_gate.judge.suggest.support import MIN_RUNS, Support
from ci_gate.judge.suggest.tolerances import MIN_ROUNDS, ToleranceSupport
from ci_gate.thresholds import FAILURES, Metric, Thresholds, parse_thresholds
from ci_gate.thresholds.yaml.edit import Note, edit_yaml
from ci_gate.thresholds.yaml.nodes import resolve_plain
from ci_gate.thresholds.yaml.source import KeyPath, read_yaml
from ci_gate.wording import count, format_number

_MEASURED: Final = "measured in"
_SHARE: Final = 100


def write_suggestion(thresholds: Thresholds, suggestion: Suggestion) -> Thresholds:
    """The thresholds with every suggestion in their text, each with a comment; the same if there is none.

    Raises UsageError where the text is written in a way that cannot be edited in place.
    """
    data = read_yaml(thresholds.text, thresholds.file).data
    after, notes = copy.deepcopy(data), dict[KeyPath, list[Note]]()
    for each in suggestion.scenarios:
        place: KeyPath = ("scenarios", each.scenario.name)
        inside = after["scenarios"][each.scenario.name]
        _put_limits(each.limits, (*place, "limits"), inside["limits"], notes)
        for tolerance in each.tolerances:
            if tolerance.ratio is not None:
                name = tolerance.old.metric.name
                inside["regression"][name] = f"{format_number(tolerance.ratio * _SHARE)}%"
                notes[(*place, "regression", name)] = [
                    Note(head=_MEASURED, text=_describe_changes(tolerance.support))
                ]
    _put_scatter(suggestion, after, notes)
    text = edit_yaml(thresholds.text, data, after, notes)
    try:
        if read_yaml(text, thresholds.file).data == after:
            return parse_thresholds(text, thresholds.file)
    except BadInputError:
        pass  # the text as it was is no bad input
    raise UsageError(f"{thresholds.file} is written in a way that cannot be edited in place")


def _put_scatter(suggestion: Suggestion, after: dict[str, Any], notes: dict[KeyPath, list[Note]]) -> None:
    for each in suggestion.scatter:
        if each.is_new:
            name = each.support.metric.name
            after.setdefault("compare", {}).setdefault("scatter", {})[name] = write_scatter(each.support.size)
            text = f"{count(each.support.rounds, 'comparison')} of equal versions"
            notes[("compare", "scatter", name)] = [Note(head=_MEASURED, text=text)]


def write_scatter(size: float) -> str:
    """As thresholds.yaml has it."""
    return f"{size * _SHARE:.1f}%"


def _put_limits(
    suggested: LimitSuggestions, place: KeyPath, limits: dict[str, Any], notes: dict[KeyPath, list[Note]]
) -> None:
    at_end = notes.setdefault(place, [])
    for limit in suggested.limits:
        limits.setdefault(limit.endpoint, {})[limit.metric.name] = resolve_plain(limit.text)
        text = f"{_describe_support(limit.metric, limit.support)}, {_describe_margin(limit)}"
        notes[(*place, limit.endpoint, limit.metric.name)] = [Note(head=_MEASURED, text=text)]
        at_end.append(Note(head=_todo(limit.endpoint, limit.metric), text=""))
    at_end += [
        Note(head=_todo(todo.endpoint, todo.metric), text=_describe_todo(todo)) for todo in suggested.todos
    ]


def _todo(endpoint: str, metric: Metric) -> str:
    return f"TODO {metric} of {endpoint}:"


def _describe_todo(todo: Todo) -> str:
    figures = _describe_support(todo.metric, todo.support)
    return f"{todo.why}; {_MEASURED} {figures}, on {todo.runner}"


def _describe_support(metric: Metric, support: Support) -> str:
    """``5 runs, 12,300 successes: median 187 ms (171 to 204 ms)``."""
    of_successes = metric.is_percentile or metric.is_resource
    of = count(support.samples, *(("success", "successes") if of_successes else ("request",)))
    unit = metric.unit
    lowest = unit.format(support.lowest).removesuffix(unit.symbol or " ")
    spread = f" ({lowest} to {unit.format(support.highest)})" if support.runs > 1 else ""
    return f"{count(support.runs, 'run')}, {of}: median {unit.format(support.median)}{spread}"


def _describe_margin(limit: LimitSuggestion) -> str:
    """Between the worst run and the limit, rounded down."""
    margin = (limit.support.margin or 0.0) * _SHARE
    if limit.metric == FAILURES:
        return f"margin {format_number(margin)} points"
    return f"margin {int(margin + 1e-9)} %"


def _describe_changes(support: ToleranceSupport) -> str:
    """``10 comparisons of equal versions: median +0.4 %, +3.1 % at most; detectable 6 %``."""
    of = count(support.rounds, "comparison")
    median, most, least = (
        format_number(value * _SHARE) for value in (support.median, support.highest, support.detectable)
    )
    return f"{of} of equal versions: median {median} % worse, {most} % at most; detectable {least} %"


def render_remarks(suggestion: Suggestion) -> Iterator[str]:
    """Lines of what was not used and why, what is kept, what is loosened, and what is missing."""
    for each in suggestion.unusable:
        yield f"not used: {each.scenario} of {each.run}: {each.why}"
    if suggestion.runner is not None:
        yield f"latencies and rates are of runs on {suggestion.runner}"
    elif any(each.runs for each in suggestion.scenarios):
        yield (
            "no run is known to be of the runner that will judge: latencies and rates are written as TODO; "
            "suggest from runs of the workflow, or say --same-runner"
        )
    for scenario in suggestion.scenarios:
        yield from (f"{scenario.scenario.name}: {line}" for line in _remark(scenario))
    yield from map(_remark_scatter, suggestion.scatter)


def _remark_scatter(suggestion: ScatterSuggestion) -> str:
    support, old = suggestion.support, suggestion.old
    name, measured = support.metric.name, write_scatter(support.size)
    known = "what ci-gate's own measurements say" if old is None else write_scatter(old)
    of = f"{count(support.rounds, 'comparison')} of equal versions"
    if not suggestion.is_new:
        return f"kept: scatter of {name}: {known}; {of}: {measured}"
    word = "written" if old is None else "raised" if support.size > old else "lowered"
    return f"{word}: scatter of {name} from {known} to {measured}"


def _remark(suggestion: ScenarioSuggestion) -> Iterator[str]:
    limits = suggestion.limits
    for limit in limits.limits:
        if limit.loosens and limit.old:
            yield f"loosened: {limit.metric} of {limit.endpoint} from {limit.old.text} to {limit.text}"
    for todo in limits.todos:
        yield f"TODO {todo.metric} of {todo.endpoint}: {todo.why}"
    for endpoint, per_s in limits.too_rare:
        rate = f"{format_number(per_s)}/s"
        yield f"no limit on {endpoint}: with {rate} no percentile can be shown in the shortest profile"
    for endpoint in limits.unnameable:
        yield f"no limit on {endpoint!r}: thresholds.yaml cannot hold that name; give its requests a name"
    yield from map(_remark_kept, limits.kept)
    yield from map(_remark_tolerance, suggestion.tolerances)


def _remark_kept(kept: KeptLimit) -> str:
    limit, support = kept.limit, kept.support
    figures = _describe_support(limit.metric, support)
    text = f"kept: {limit.metric} of {limit.endpoint}: {limit.text}; measured in {figures}"
    if kept.broken_by:
        text += f"; broken by {count(kept.broken_by, 'run')}"
    if support.bound is None:
        return f"{text}; {MIN_RUNS} runs at least would say what they support"
    supported = limit.metric.unit.write(support.bound)
    if support.bound == limit.bound:
        return f"{text}; as they support"
    is_tighter = limit.metric.breaks(support.bound, limit.bound)
    return f"{text}; {'tighter' if is_tighter else 'looser'} than the {supported} that they support"


def _remark_tolerance(suggestion: ToleranceSuggestion) -> str:
    old, support = suggestion.old, suggestion.support
    name, percent = old.metric.name, f"{format_number(old.ratio * _SHARE)}%"
    if support.tolerance is None:
        more = count(MIN_ROUNDS - support.rounds, "comparison")
        return f"kept: tolerance of {name}: {percent}; {more} more of equal versions would support one"
    supported = f"{format_number(support.tolerance * _SHARE)}%"
    if suggestion.ratio is None:
        figures = _describe_changes(support)
        return f"kept: tolerance of {name}: {percent}; {figures}; they support {supported}"
    word = "loosened" if suggestion.loosens else "tightened"
    return f"{word}: tolerance of {name} from {percent} to {supported}"
