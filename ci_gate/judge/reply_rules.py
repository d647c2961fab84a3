"""Validity rules about the replies: do they show that the service did what the scenario is about?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.judge.findings import Case, Rule, Seen
from ci_gate.thresholds import ALL_ENDPOINTS

_FIRST_ERROR_STATUS: Final = 400


def _find_uncalled(case: Case) -> Iterator[Seen]:
    called = {summary.endpoint for summary in case.summaries}
    for endpoint in case.scenario.endpoints:
        if endpoint not in called:
            yield endpoint, "never called in the steady phase"


def _find_never_successful(case: Case) -> Iterator[Seen]:
    for summary in case.summaries:
        if summary.endpoint != ALL_ENDPOINTS and not summary.successes:
            statuses = ", ".join(f"{status} x {count:,}" for status, count in summary.statuses.items())
            yield summary.endpoint, f"not one success in {summary.requests:,} requests ({statuses})"


def _find_too_few(case: Case) -> Iterator[Seen]:
    for limit in case.limits:
        if limit.outcome == "unproven" and limit.samples:
            yield (
                limit.endpoint,
                f"{limit.metric} takes {limit.needed:,} successes, there were {limit.samples:,}",
            )


def _find_unaccepted_statuses(case: Case) -> Iterator[Seen]:
    accepted = {entry.endpoint: entry.statuses for entry in case.scenario.accept}
    for summary in case.summaries:
        if summary.endpoint == ALL_ENDPOINTS:
            continue
        for status, count in summary.statuses.items():
            number = int(status) if status.isdigit() else 0
            if number >= _FIRST_ERROR_STATUS and number not in accepted.get(summary.endpoint, ()):
                yield summary.endpoint, f"status {status} x {count:,} of {summary.requests:,} is not accepted"


REPLY_RULES: Final = (
    Rule(
        code="endpoint-never-called",
        effect="unproven",
        find=_find_uncalled,
        meaning="an endpoint that thresholds.yaml names was never called",
        remedy="name it as the locustfile does (METHOD and name=), or run longer",
    ),
    Rule(
        code="endpoint-never-succeeded",
        effect="unproven",
        find=_find_never_successful,
        meaning="an endpoint was called and never once succeeded",
        remedy="mend the service or the scenario; if the status is right, list it under accept",
    ),
    Rule(
        code="too-few-samples",
        effect="unproven",
        find=_find_too_few,
        meaning="a percentile was asked of too few successes: n(1-q) must be at least 10",
        remedy="a longer profile, more users, or a lower percentile; `ci-gate check` says how long it takes",
    ),
    Rule(
        code="status-not-accepted",
        effect="note",
        find=_find_unaccepted_statuses,
        meaning="error statuses that count as failures",
        remedy="if such a reply is right, list it under accept for this endpoint",
    ),
)
