"""Validity rules about the recording: is every request in it and named, and did the scenario's code hold?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np

from ci_gate.evidence.readings import EndpointTotal, ErrorCount
from ci_gate.evidence.sample_table import count_ids, group_rows
from ci_gate.evidence.samples import (
    ENDED_DAMAGED,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    MAX_STRING_LENGTH,
    TOO_MANY_STRINGS,
    UNSENT,
)
from ci_gate.judge.summary import name_status
from ci_gate.judge.texts import describe_errors
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import count, format_exact

_MAX_TASK_ERRORS: Final = 0.01
_MAX_ENDPOINTS: Final = 200
_MIN_TO_JUDGE_NAMES: Final = 20
_MAX_CALLED_ONCE: Final = 0.5
_EXAMPLES: Final = 3


def _find_disagreement(rule_input: RuleInput) -> Iterator[Violation]:
    """Against the recorder's own count, which is exact, and against Locust's, which only loses.

    A scenario may reset Locust's statistics, or end an event before Locust hears it: less there says nothing.
    More there than in the samples is what was never heard.
    """
    totals = rule_input.recording.totals
    if totals is None:
        return
    ending = rule_input.recording.samples["ending"]
    reported = ~np.isin(ending, (ENDED_NEVER, ENDED_UNREPORTED, ENDED_DAMAGED))
    requests, failures = (
        _count_endpoints(rule_input, reported),
        _count_endpoints(rule_input, reported & (ending != ENDED_WELL)),
    )
    heard, locust = _add_up(rule_input, totals.heard or ()), _add_up(rule_input, totals.endpoints)
    for endpoint in dict.fromkeys((*locust, *heard, *requests)):
        ours, nothing = (requests[endpoint], failures[endpoint]), (0, 0)
        message = f"{count(ours[0], 'sample')} with {count(ours[1], 'failure')}, but"
        if totals.heard is not None and ours != heard.get(endpoint, nothing):
            counted = heard.get(endpoint, nothing)
            yield endpoint, f"{message} {count(counted[0], 'event')} with {counted[1]:,} were heard"
        elif any(more > own for more, own in zip(locust.get(endpoint, nothing), ours, strict=True)):
            counted = locust[endpoint]
            yield endpoint, f"{message} Locust counted {counted[0]:,} with {counted[1]:,}"


def _add_up(rule_input: RuleInput, totals: Iterable[EndpointTotal]) -> dict[str, tuple[int, int]]:
    """Requests and failures by the endpoint's name as the samples have it."""
    known = set(rule_input.recording.strings)
    added: dict[str, tuple[int, int]] = {}
    for total in totals:
        name = total.endpoint[:MAX_STRING_LENGTH]
        if name not in known and TOO_MANY_STRINGS in known:
            name = TOO_MANY_STRINGS
        requests, failures = added.get(name, (0, 0))
        added[name] = requests + total.requests, failures + total.failures
    return added


def _find_unreported(rule_input: RuleInput) -> Iterator[Violation]:
    samples, strings = rule_input.recording.samples, rule_input.recording.strings
    unreported = samples[samples["ending"] == ENDED_UNREPORTED]
    for number, places in group_rows(unreported["endpoint"]):
        rows, endpoint = unreported[places], strings[number]
        statuses = zip(*(each.tolist() for each in count_ids(rows["status"])), strict=True)
        message = ", ".join(f"{name_status(status)} x {times:,}" for status, times in statuses)
        texts = zip(*(each.tolist() for each in count_ids(rows["error"])), strict=True)
        errors = [
            ErrorCount(subject=endpoint, error=strings[error], count=times) for error, times in texts if error
        ]
        left = f"left by {describe_errors(errors)}" if errors else "no exception left it: is there a with?"
        taken = f"{count(len(rows), 'reply was', 'replies were')} taken with catch_response"
        yield endpoint, f"{taken} and never reported ({message}); {left}"


def _find_never_ended(rule_input: RuleInput) -> Iterator[Violation]:
    for endpoint, times in _count_endpoints(
        rule_input, rule_input.recording.samples["ending"] == ENDED_NEVER
    ).items():
        if endpoint != UNSENT:
            were = count(times, "request was", "requests were")
            waited = f"{format_exact(rule_input.plan.drain_s)} s after the end"
            yield endpoint, f"{were} still without a reply {waited}, and counted as failed"


def _find_listener_errors(rule_input: RuleInput) -> Iterator[Violation]:
    totals = rule_input.recording.totals
    if totals and totals.listener_errors:
        often = f"the scenario's own event listeners raised {count(totals.listener_errors, 'time')}"
        message = f"; {describe_errors(totals.listener_texts)}" if totals.listener_texts else ""
        yield "locustfile", f"{often}{message}"


def _find_task_errors(rule_input: RuleInput) -> Iterator[Violation]:
    errors = rule_input.recording.totals.task_errors if rule_input.recording.totals else ()
    raised, requests = sum(error.count for error in errors), len(rule_input.recording.samples)
    if raised and raised >= _MAX_TASK_ERRORS * requests:
        subject = max(errors, key=lambda error: error.count).subject
        often = f"{count(raised, 'task')} ended by an exception, beside {count(requests, 'request')}"
        yield subject, f"{often}; {describe_errors(errors)}"


def _find_explosion(rule_input: RuleInput) -> Iterator[Violation]:
    numbers, counts = count_ids(rule_input.steady.samples["endpoint"])
    once = int((counts == 1).sum())
    mostly_once = len(counts) > _MIN_TO_JUDGE_NAMES and once > _MAX_CALLED_ONCE * len(counts)
    if len(counts) > _MAX_ENDPOINTS or mostly_once:
        unnamed = (rule_input.steady.strings[number] for number in numbers)
        names = islice((name for name in unnamed if name not in rule_input.scenario.endpoints), _EXAMPLES)
        yield (
            "locustfile",
            f"{count(len(counts), 'endpoint')}, {once:,} of them called once, such as {', '.join(names)}",
        )


def _count_endpoints(rule_input: RuleInput, rows: np.ndarray) -> Counter[str]:
    numbers, counts = count_ids(rule_input.recording.samples["endpoint"][rows])
    counted: Counter[str] = Counter()
    for number, times in zip(numbers.tolist(), counts.tolist(), strict=True):
        counted[rule_input.recording.strings[number]] += times  # long names may be cut to the same text
    return counted


def _find_other_hosts(rule_input: RuleInput) -> Iterator[Violation]:
    for endpoint, host in (
        rule_input.recording.totals.other_hosts if rule_input.recording.totals else {}
    ).items():
        yield endpoint, f"answered by {host}, which is not the service under test"


RECORDING_RULES: Final = (
    Rule(
        code="other-host",
        severity="invalid",
        stage=Stage.REQUESTS,
        find=_find_other_hosts,
        meaning="another server than the service under test answered requests, by itself or after a redirect",
        threshold_text="any request",
        remedy='let the scenario call paths, not whole URLs: self.client.get("/items"); fix where the '
        "service redirects to",
    ),
    Rule(
        code="samples-disagree",
        severity="invalid",
        stage=Stage.GROUND,
        find=_find_disagreement,
        meaning="the samples lack a request that was heard, or that Locust counted, or have one more",
        threshold_text="any request or failure of any endpoint; less in Locust's statistics is a reset of "
        "them",
        remedy="look for a full disk, and for code that counts in Locust's statistics without an event; then "
        "report a bug in ci-gate",
        relaxable=False,
        fault="recording",
    ),
    Rule(
        code="unreported-replies",
        severity="invalid",
        stage=Stage.SCENARIO,
        find=_find_unreported,
        meaning="replies that the scenario took with catch_response=True and never reported",
        threshold_text="any",
        remedy="write `with self.client.get(..., catch_response=True) as reply:`, and let no exception out",
    ),
    Rule(
        code="never-ended",
        severity="info",
        stage=Stage.REPLIES,
        find=_find_never_ended,
        meaning="requests that had no reply when the run was over",
        threshold_text="any",
        remedy="give requests a time-out in the scenario, or find what the service waits for",
    ),
    Rule(
        code="listener-errors",
        severity="invalid",
        stage=Stage.SCENARIO,
        find=_find_listener_errors,
        meaning="the scenario's own event listeners raised exceptions",
        threshold_text="any",
        remedy="fix the listener; locust.log has the traceback",
    ),
    Rule(
        code="task-errors",
        severity="invalid",
        stage=Stage.SCENARIO,
        find=_find_task_errors,
        meaning="tasks of the scenario ended by an exception instead of running to their end",
        threshold_text=f"{_MAX_TASK_ERRORS:.0%} or more of the requests",
        remedy="fix the scenario: a reply that is not as expected is to be reported with failure()",
    ),
    Rule(
        code="endpoint-explosion",
        severity="insufficient",
        stage=Stage.PROOF,
        find=_find_explosion,
        meaning="requests without a name: each path counts as an endpoint of its own, and none can be judged",
        threshold_text=f"over {_MAX_ENDPOINTS} endpoints, or over {_MIN_TO_JUDGE_NAMES} of which over "
        f"{_MAX_CALLED_ONCE:.0%} were called once",
        remedy='give requests with ids in their path a name: `self.client.get(path, name="/items/{id}")`',
    ),
)
