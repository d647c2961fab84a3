"""What `ci-gate check --run` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tabulate import tabulate

from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.texts import fold_texts
from ci_gate.judge.trial import ClassTrial, Trial
from ci_gate.report.cells import format_ms, format_rate
from ci_gate.wording import count, format_number

_HEADERS: Final = ("endpoint", "requests", "statuses", "rate", "p50", "max")
_MAX_ERRORS: Final = 5


def render_trial(trial: Trial) -> str:
    """A table of the endpoints, then a line for each task, each kind of failure and each name not called."""
    what = f"{trial.scenario}: {count(trial.users, 'user')} for {format_number(trial.duration_s)} s"
    rows = [_row(endpoint) for endpoint in trial.endpoints[1:]]
    table = tabulate(rows, headers=_HEADERS, disable_numparse=True, colalign=("left", "right", "left"))
    lines = [
        f"{what}, {count(trial.endpoints[0].requests, 'request')}",
        *(table.splitlines() if rows else ()),
        *(line for each in trial.classes for line in _describe_class(each)),
        *_describe_errors(trial),
        *(f"warning: {line}" for line in trial.not_called),
        *(f"too short, by what was seen: {each}" for each in trial.too_short),
    ]
    if not trial.shows_something:
        lines.append("nothing succeeded: a run of it would be INVALID")
    return "\n".join((lines[0], *(f"  {line}" for line in lines[1:])))


def _row(endpoint: EndpointSummary) -> tuple[str, ...]:
    statuses = ", ".join(f"{status} x {times:,}" for status, times in endpoint.statuses.items())
    figures = format_rate(endpoint.rate_per_s), format_ms(endpoint.p50_ms), format_ms(endpoint.max_ms)
    return endpoint.endpoint, f"{endpoint.requests:,}", statuses, *figures


def _describe_class(each: ClassTrial) -> Iterator[str]:
    wait = "waits as its own function says"
    if each.wait:
        mean = f"{format_number(each.wait.mean_s)} s"
        wait = f"waits {mean} on average" if each.wait.kind == "pause" else f"begins a task every {mean}"
    for task in each.tasks:
        requests = format_number(task.requests_per_run)
        noun = "request" if requests == "1" else "requests"
        yield f"{each.name}.{task.name}: ran {count(task.runs, 'time')}, {requests} {noun} each"
    if not each.tasks:
        yield f"{each.name}: no task came to its end"
    rate = f"; {count(each.users, 'user')}: at most {format_rate(each.rate_per_s)}" if each.rate_per_s else ""
    yield f"{each.name}: {wait}{rate}"


def _describe_errors(trial: Trial) -> Iterator[str]:
    for endpoint in trial.endpoints[1:]:
        for error in endpoint.errors:
            yield f"failed: {endpoint.endpoint}: {error.count:,} x {error.error}"
    texts = fold_texts((f"{each.subject}: {each.error}", each.count) for each in trial.errors)
    for text, times in texts[:_MAX_ERRORS]:
        yield f"error: {times:,} x {text}"
    if trial.exit_code:
        yield f"the locustfile set process_exit_code = {trial.exit_code}"
