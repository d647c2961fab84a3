"""Validity rules about the recording: is every request in it and named, and did the scenario's code hold?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from ci_gate.judge.findings import Case, Rule, Seen
from ci_gate.samples import ENDED_NEVER, ENDED_UNREPORTED, ENDED_WELL, MAX_STRING_LENGTH, UNSENT, count_ids
from ci_gate.wording import format_exact

_MOST_TASK_ERRORS: Final = 0.01
_MOST_ENDPOINTS: Final = 200
_FEWEST_TO_JUDGE_NAMES: Final = 20
_MOST_CALLED_ONCE: Final = 0.5
_EXAMPLES: Final = 3


def _find_disagreement(case: Case) -> Iterator[Seen]:
    totals = case.recording.totals
    if totals is None:
        return
    samples = case.recording.samples
    unseen_by_locust = (samples["ending"] == ENDED_NEVER) | (samples["ending"] == ENDED_UNREPORTED)
    ours = _count_endpoints(case, ~unseen_by_locust)
    failed = _count_endpoints(case, ~unseen_by_locust & (samples["ending"] != ENDED_WELL))
    requests: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for total in totals.endpoints:
        requests[total.endpoint[:MAX_STRING_LENGTH]] += total.requests
        failures[total.endpoint[:MAX_STRING_LENGTH]] += total.failures
    for endpoint in dict.fromkeys((*requests, *ours)):
        if (ours[endpoint], failed[endpoint]) != (requests[endpoint], failures[endpoint]):
            locust = f"Locust counted {requests[endpoint]:,} with {failures[endpoint]:,}"
            yield endpoint, f"{ours[endpoint]:,} samples with {failed[endpoint]:,} failures, but {locust}"


def _find_unreported(case: Case) -> Iterator[Seen]:
    unreported = _count_endpoints(case, case.recording.samples["ending"] == ENDED_UNREPORTED)
    for endpoint, count in unreported.items():
        yield endpoint, f"{count:,} replies were taken with catch_response and never reported"


def _find_never_ended(case: Case) -> Iterator[Seen]:
    for endpoint, count in _count_endpoints(case, case.recording.samples["ending"] == ENDED_NEVER).items():
        if endpoint != UNSENT:
            waited = f"{format_exact(case.plan.drain_s)} s after the end"
            yield endpoint, f"{count:,} requests were still without a reply {waited}; they count as failures"


def _find_listener_errors(case: Case) -> Iterator[Seen]:
    totals = case.recording.totals
    if totals and totals.listener_errors:
        yield "locustfile", f"the scenario's own event listeners raised {totals.listener_errors:,} times"


def _find_task_errors(case: Case) -> Iterator[Seen]:
    errors = case.recording.totals.task_errors if case.recording.totals else ()
    raised, requests = sum(error.count for error in errors), len(case.recording.samples)
    if raised and raised >= _MOST_TASK_ERRORS * requests:
        most = max(errors, key=lambda error: error.count)
        often = f"{raised:,} tasks ended by an exception, beside {requests:,} requests"
        yield most.subject, f"{often}; {most.count:,} x {most.error}"


def _find_explosion(case: Case) -> Iterator[Seen]:
    numbers, counts = count_ids(case.steady.samples["endpoint"])
    once = int((counts == 1).sum())
    mostly_once = len(counts) > _FEWEST_TO_JUDGE_NAMES and once > _MOST_CALLED_ONCE * len(counts)
    if len(counts) > _MOST_ENDPOINTS or mostly_once:
        names = [case.steady.strings[number] for number in numbers[:_EXAMPLES]]
        yield (
            "locustfile",
            f"{len(counts):,} endpoints, {once:,} of them called once: {', '.join(names)}, ...",
        )


def _count_endpoints(case: Case, rows: np.ndarray) -> Counter[str]:
    numbers, counts = count_ids(case.recording.samples["endpoint"][rows])
    counted: Counter[str] = Counter()
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        counted[case.recording.strings[number]] += count  # long names may be cut to the same text
    return counted


def _find_other_hosts(case: Case) -> Iterator[Seen]:
    for endpoint, host in (case.recording.totals.other_hosts if case.recording.totals else {}).items():
        yield endpoint, f"answered by {host}, which is not the service under test"


RECORDING_RULES: Final = (
    Rule(
        code="other-host",
        effect="distrust",
        find=_find_other_hosts,
        meaning="another server than the service under test answered requests, by itself or after a redirect",
        limit="a single request",
        remedy='let the scenario call paths, not whole URLs: self.client.get("/items"); mend where the '
        "service redirects to",
    ),
    Rule(
        code="samples-disagree",
        effect="distrust",
        find=_find_disagreement,
        meaning="the samples and Locust's own totals differ",
        limit="by a single request or failure of any endpoint",
        remedy="samples were lost or added: look for a full disk, then report a bug in ci-gate",
        relaxable=False,
    ),
    Rule(
        code="unreported-replies",
        effect="distrust",
        find=_find_unreported,
        meaning="replies that the scenario took with catch_response=True and never reported",
        limit="a single one",
        remedy="write `with self.client.get(..., catch_response=True) as reply:`, and let no exception out",
    ),
    Rule(
        code="never-ended",
        effect="note",
        find=_find_never_ended,
        meaning="requests that had no reply when the run was over",
        limit="a single one",
        remedy="give requests a time-out in the scenario, or find what the service waits for",
    ),
    Rule(
        code="listener-errors",
        effect="distrust",
        find=_find_listener_errors,
        meaning="the scenario's own event listeners raised exceptions",
        limit="a single one",
        remedy="mend the listener; locust.log has the traceback",
    ),
    Rule(
        code="task-errors",
        effect="distrust",
        find=_find_task_errors,
        meaning="tasks of the scenario ended by an exception instead of running to their end",
        limit=f"from {_MOST_TASK_ERRORS:.0%} of the requests on",
        remedy="mend the scenario: a reply that is not as expected is to be reported with failure()",
    ),
    Rule(
        code="endpoint-explosion",
        effect="unproven",
        find=_find_explosion,
        meaning="requests without a name: each path counts as an endpoint of its own, and none can be judged",
        limit=f"over {_MOST_ENDPOINTS} endpoints, or over {_FEWEST_TO_JUDGE_NAMES} of which over "
        f"{_MOST_CALLED_ONCE:.0%} were called once",
        remedy='give requests with ids in their path a name: `self.client.get(path, name="/items/{id}")`',
    ),
)
