"""Validity rules about the replies: do they show that the service did what the scenario is about?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.sample_table import count_ids, count_numbers, group_rows
from ci_gate.evidence.samples import FLAG_RETRY_AFTER, UNSENT
from ci_gate.judge.names import describe_called
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import FIRST_ERROR_STATUS, find_error_statuses, find_throttled
from ci_gate.judge.summary import describe_statuses, name_status
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.judge.validity.html_replies import HTML_RULES
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of
from ci_gate.wording import count

_NO_PERMISSION: Final = (401, 403)
_MAX_REFUSED: Final = 0.01
_MIN_SAME_BODIES: Final = 10


def _find_uncalled(rule_input: RuleInput) -> Iterator[Violation]:
    called = {
        rule_input.steady.strings[number] for number in count_ids(rule_input.steady.samples["endpoint"])[0]
    }
    for endpoint in rule_input.scenario.endpoints:
        if endpoint not in called:
            seen = describe_called(endpoint, called - {UNSENT})
            yield endpoint, f"never called in the steady phase; {seen}"


def _find_never_successful(rule_input: RuleInput) -> Iterator[Violation]:
    samples, success = rule_input.steady.samples, rule_input.steady.success
    good = _tally(rule_input, samples, success)
    succeeded = {UNSENT, *(rule_input.recording.strings[number] for number in np.flatnonzero(good))}
    failed = samples[~success & (good == 0)[samples["endpoint"]]]
    for number, places in group_rows(failed["endpoint"]):
        endpoint = rule_input.recording.strings[number]
        if endpoint not in succeeded:  # by another number either: long names may be cut to the same text
            message = describe_statuses(failed[places], rule_input.recording.strings)
            yield endpoint, f"not one success in {count(len(places), 'request')} ({message})"


def _find_only_accepted_errors(rule_input: RuleInput) -> Iterator[Violation]:
    samples, success = rule_input.steady.samples, rule_input.steady.success
    good = _tally(rule_input, samples, success & ~find_error_statuses(samples["status"]))
    accepted = _tally(rule_input, samples, success)
    for number, statuses in _count_statuses(samples, success, (accepted > 0) & (good == 0)):
        successes = int(accepted[number])
        what = "the only success is an error" if successes == 1 else f"all {successes:,} successes are errors"
        yield rule_input.recording.strings[number], f"{what} that accept lists ({_name_all(statuses)})"


def _find_too_few(rule_input: RuleInput) -> Iterator[Violation]:
    for limit in rule_input.limits:
        of_all = limit.endpoint == ALL_ENDPOINTS and len(rule_input.steady.samples)
        if limit.outcome == Outcome.INVALID and (limit.samples or of_all):
            metric = metric_of(limit.metric)
            what = ("success", "successes") if metric.is_percentile else ("request", "requests")
            were = "was" if limit.samples == 1 else "were"
            each = " in each window" if metric.over_s else ""
            found = f"there {were} {limit.samples:,}" + (" in one of them" if metric.over_s else "")
            message = f"{limit.metric} takes {count(limit.needed, *what)}{each}, {found}"
            if limit.lacks_readings:
                message = f"{limit.metric} takes readings of 90 % of the steady phase, which there were not"
            yield limit.endpoint, message


def _find_unaccepted_statuses(rule_input: RuleInput) -> Iterator[Violation]:
    accepted = {entry.endpoint: entry.statuses for entry in rule_input.scenario.accept}
    for summary in rule_input.summaries:
        if summary.endpoint == ALL_ENDPOINTS:
            continue
        for status, times in summary.statuses.items():
            number = int(status) if status.isdigit() else 0
            if number >= FIRST_ERROR_STATUS and number not in accepted.get(summary.endpoint, ()):
                yield summary.endpoint, f"status {status} x {times:,} of {summary.requests:,} is not accepted"


def _find_throttled(rule_input: RuleInput) -> Iterator[Violation]:
    """In the ramp too: a throttled login decides what every later request is."""
    throttled = find_throttled(rule_input.recording.samples) & _not_accepted(rule_input)
    yield from _find_share(rule_input, throttled, "throttled", least=0.0)


def _find_refused(rule_input: RuleInput) -> Iterator[Violation]:
    samples = rule_input.recording.samples
    waiting = samples["flags"] & FLAG_RETRY_AFTER > 0  # that is throttling
    refused = np.isin(samples["status"], _NO_PERMISSION) & ~waiting & _not_accepted(rule_input)
    yield from _find_share(rule_input, refused, "refused", least=_MAX_REFUSED)


def _find_share(
    rule_input: RuleInput, bad: NDArray[np.bool_], what: str, *, least: float
) -> Iterator[Violation]:
    """Endpoints of the whole recording of whose requests the share ``least`` or more is bad."""
    samples = rule_input.recording.samples
    counts, totals = _tally(rule_input, samples, bad), _tally(rule_input, samples, slice(None))
    for number, statuses in _count_statuses(samples, bad, (counts > 0) & (counts >= least * totals)):
        were = f"{_of(counts[number], totals[number], 'request')} {what}"
        yield rule_input.recording.strings[number], f"{were} ({_name_all(statuses)})"


def _find_uniform_body(rule_input: RuleInput) -> Iterator[Violation]:
    samples, bodies = rule_input.steady.samples, rule_input.steady.samples["body_crc"]
    replies = bodies > 0
    same, endpoints = int(replies.sum()), count_ids(samples["endpoint"][replies])[0]
    if same < _MIN_SAME_BODIES or len(endpoints) == 1:
        return
    if (bodies[replies] == bodies[replies][0]).all():
        message = f"{same:,} replies of {len(endpoints):,} endpoints, and every one has the same body"
        yield "scenario", f"{message} ({int(samples['bytes'][replies].mean()):,} bytes)"


def _tally(
    rule_input: RuleInput, samples: NDArray[np.void], rows: NDArray[np.bool_] | slice
) -> NDArray[np.intp]:
    """How many of ``rows`` each text has as its endpoint, by the text's number."""
    return count_numbers(samples["endpoint"][rows], len(rule_input.recording.strings))


def _count_statuses(
    samples: NDArray[np.void], rows: NDArray[np.bool_], is_wanted: NDArray[np.bool_]
) -> Iterator[tuple[int, dict[int, int]]]:
    """Each endpoint that ``is_wanted`` by its number, with how often its ``rows`` have which status."""
    wanted = samples[rows & is_wanted[samples["endpoint"]]]
    for number, places in group_rows(wanted["endpoint"]):
        statuses, counts = count_ids(wanted["status"][places])
        yield number, dict(zip(statuses.tolist(), counts.tolist(), strict=True))


def _name_all(statuses: Iterable[int]) -> str:
    return ", ".join(map(name_status, statuses))


def _of(some: int, total: int, noun: str) -> str:
    """``1 of 3 requests was``, ``2 of 3 requests were``."""
    return f"{some:,} of {count(int(total), noun)} {'was' if some == 1 else 'were'}"


def _not_accepted(rule_input: RuleInput) -> NDArray[np.bool_]:
    """Which samples of the whole recording have a status that accept does not list."""
    samples = rule_input.recording.samples
    accepted = np.zeros(len(samples), dtype=np.bool_)
    for entry in rule_input.scenario.accept:
        ids = [number for number, text in enumerate(rule_input.recording.strings) if text == entry.endpoint]
        accepted |= np.isin(samples["endpoint"], ids) & np.isin(samples["status"], entry.statuses)
    return ~accepted


REPLY_RULES: Final = (
    Rule(
        code="throttled",
        severity="invalid",
        stage=Stage.REPLIES,
        find=_find_throttled,
        meaning="the service refused requests as too many: 429, or 403 or 503 with Retry-After",
        threshold_text="any that accept does not list, in the ramp too",
        remedy="configure the service under test for this load (exempt no users in its code), or accept the "
        "status",
    ),
    Rule(
        code="auth-failing",
        severity="invalid",
        stage=Stage.REPLIES,
        find=_find_refused,
        meaning="requests were refused for lack of a login or a permission (401, 403)",
        threshold_text=f"{_MAX_REFUSED:.0%} or more of the requests of an endpoint, in the ramp too",
        remedy="check in on_start that the login worked, and send its token; or accept the status",
    ),
    Rule(
        code="endpoint-never-succeeded",
        severity="insufficient",
        stage=Stage.REPLIES,
        find=_find_never_successful,
        meaning="an endpoint was called and never once succeeded",
        threshold_text="always",
        remedy="fix the service or the scenario; if the status is right, list it under accept",
        relaxable=False,
    ),
    Rule(
        code="uniform-body",
        severity="invalid",
        stage=Stage.REPLIES,
        find=_find_uniform_body,
        meaning="every reply has the same body: an error page, a stub, a catch-all route",
        threshold_text=f"all of {_MIN_SAME_BODIES} or more replies of two or more endpoints",
        remedy="look at one reply; check in the scenario that the reply is what was asked for",
    ),
    Rule(
        code="only-accepted-errors",
        severity="insufficient",
        stage=Stage.REPLIES,
        find=_find_only_accepted_errors,
        meaning="an endpoint never answered below 400: all its successes are errors that accept lists",
        threshold_text="always",
        remedy="let the scenario ask for what exists; accept is for errors beside real successes",
    ),
    Rule(
        code="status-not-accepted",
        severity="info",
        stage=Stage.REPLIES,
        find=_find_unaccepted_statuses,
        meaning="error statuses that count as failures",
        threshold_text="any",
        remedy="if such a reply is right, list it under accept for this endpoint",
        for_comparison=False,
    ),
    Rule(
        code="endpoint-never-called",
        severity="insufficient",
        stage=Stage.PROOF,
        find=_find_uncalled,
        meaning="an endpoint that thresholds.yaml names was never called",
        threshold_text="always",
        remedy="name it as the locustfile does (METHOD and name=), or run longer",
        relaxable=False,
        for_comparison=False,
    ),
    Rule(
        code="too-few-samples",
        severity="insufficient",
        stage=Stage.PROOF,
        find=_find_too_few,
        meaning="a limit was asked of too few requests",
        threshold_text="n(1-q) below 10: 20 for p50, 200 for p95, 1,000 for p99; 10 requests for the other "
        "metrics",
        remedy="a longer profile or window, more users, or a lower percentile; `ci-gate check` says how long "
        "it takes",
        relaxable=False,
        for_comparison=False,
    ),
    *HTML_RULES,
)
