"""Validity rules about the run: were the right users there all the time, and was every request recorded?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ci_gate.judge.findings import Case, Rule, Seen
from ci_gate.samples import ENDED_NEVER, ENDED_UNREPORTED, ENDED_WELL

_NO_ID: Final = -1
_LEAST_SHARE_OF_PHASE: Final = 0.95


def _find_early_end(case: Case) -> Iterator[Seen]:
    if case.recording.mark("ended") is None:
        last = case.recording.marks[-1].name if case.recording.marks else "before the start"
        yield "Locust", f"Locust did not end by itself; the last phase it reached was: {last}"


def _find_short_phase(case: Case) -> Iterator[Seen]:
    planned_s, measured_s = case.plan.duration_s, case.steady.duration_s
    if measured_s < _LEAST_SHARE_OF_PHASE * planned_s:
        yield "scenario", f"the steady phase lasted {measured_s:.1f} s of the planned {planned_s:g} s"


def _find_no_samples(case: Case) -> Iterator[Seen]:
    if not len(case.steady.samples):
        outside = len(case.recording.samples)
        yield "scenario", f"no request was sent in the steady phase ({outside:,} before or after it)"


def _find_failed_starts(case: Case) -> Iterator[Seen]:
    totals = case.recording.totals
    for failure in totals.start_failures if totals else ():
        yield failure.subject, f"{failure.count} x {failure.subject} died in on_start: {failure.error}"


def _find_missing_users(case: Case) -> Iterator[Seen]:
    if case.recording.mark("spawn_timeout") or case.recording.mark("no_users"):
        yield "scenario", f"not all {case.scenario.user_count} users ever ran and got through on_start"
    begin_s, end_s = case.steady.begin_s, case.steady.begin_s + case.steady.duration_s
    readings = [each for each in case.recording.readings if begin_s < each.wall_s < end_s]
    for user in case.scenario.users:
        fewest = min((reading.users.get(user.user_class, 0) for reading in readings), default=0)
        if fewest < user.count and case.steady.duration_s:
            yield user.user_class, f"{fewest} of {user.count} {user.user_class} at the lowest point"


def _find_wrong_users(case: Case) -> Iterator[Seen]:
    planned = {user.user_class for user in case.scenario.users}
    ran = {name for reading in case.recording.readings for name in reading.users}
    for name in sorted(ran - planned):
        yield name, f"{name} ran, which the scenario does not name"
    silent = planned - {case.recording.strings[i] for i in np.unique(case.steady.samples["user_class"])}
    for name in sorted(silent):
        if len(case.steady.samples):
            yield name, f"{name} made no request in the steady phase"


def _find_disagreement(case: Case) -> Iterator[Seen]:
    totals = case.recording.totals
    if totals is None:
        return
    samples = case.recording.samples
    counted = samples[(samples["ending"] != ENDED_NEVER) & (samples["ending"] != ENDED_UNREPORTED)]
    ids = {text: number for number, text in enumerate(case.recording.strings)}
    for total in totals.endpoints:
        rows = counted[counted["endpoint"] == ids.get(total.endpoint, _NO_ID)]
        ours = len(rows), int((rows["ending"] != ENDED_WELL).sum())
        if ours != (total.requests, total.failures):
            theirs = f"Locust counted {total.requests:,} with {total.failures:,}"
            yield total.endpoint, f"{ours[0]:,} samples with {ours[1]:,} failures, but {theirs}"


def _find_unreported(case: Case) -> Iterator[Seen]:
    unreported = case.recording.samples[case.recording.samples["ending"] == ENDED_UNREPORTED]
    for number in np.unique(unreported["endpoint"]):
        count = int((unreported["endpoint"] == number).sum())
        yield (
            case.recording.strings[number],
            f"{count:,} replies were taken with catch_response and never reported",
        )


def _find_listener_errors(case: Case) -> Iterator[Seen]:
    totals = case.recording.totals
    if totals and totals.listener_errors:
        yield "locustfile", f"the scenario's own event listeners raised {totals.listener_errors:,} times"


def _find_service_end(case: Case) -> Iterator[Seen]:
    down = [reading for reading in case.recording.machine if not reading.service_alive]
    if down:
        started = case.recording.marks[0].wall_s if case.recording.marks else down[0].wall_s
        yield "service", f"the service had ended {down[0].wall_s - started:.0f} s after the load began"


RUN_RULES: Final = (
    Rule(
        code="locust-ended-early",
        effect="distrust",
        find=_find_early_end,
        meaning="Locust crashed, was killed or hung",
        remedy="read locust.log in the evidence folder",
    ),
    Rule(
        code="phase-cut-short",
        effect="distrust",
        find=_find_short_phase,
        meaning="the steady phase is shorter than the profile says",
        remedy="see the other findings for what ended it; then run again",
    ),
    Rule(
        code="no-samples",
        effect="distrust",
        find=_find_no_samples,
        meaning="no request in the steady phase",
        remedy="run the locustfile by hand against the service; see locust.log",
    ),
    Rule(
        code="start-failed",
        effect="distrust",
        find=_find_failed_starts,
        meaning="users died in on_start",
        remedy="mend what on_start does (often the login), or the service behind it",
    ),
    Rule(
        code="users-missing",
        effect="distrust",
        find=_find_missing_users,
        meaning="fewer users than the scenario says were running in the steady phase",
        remedy="see locust.log for why users end; a user must never leave by an exception",
    ),
    Rule(
        code="wrong-users",
        effect="distrust",
        find=_find_wrong_users,
        meaning="a class ran that the scenario does not name, or a named one made no request",
        remedy="name the classes under users, and give each of them a task that makes requests",
    ),
    Rule(
        code="samples-disagree",
        effect="distrust",
        find=_find_disagreement,
        meaning="the samples and Locust's own totals differ",
        remedy="samples were lost: look for a full disk, then report a bug in ci-gate",
    ),
    Rule(
        code="unreported-replies",
        effect="distrust",
        find=_find_unreported,
        meaning="replies that the scenario took with catch_response=True and never reported",
        remedy="write `with self.client.get(..., catch_response=True) as reply:`, and let no exception out",
    ),
    Rule(
        code="listener-errors",
        effect="distrust",
        find=_find_listener_errors,
        meaning="the scenario's own event listeners raised exceptions",
        remedy="mend the listener; locust.log has the traceback",
    ),
    Rule(
        code="service-ended",
        effect="distrust",
        find=_find_service_end,
        meaning="the service ended while it was under load",
        remedy="read service.log in the evidence folder",
    ),
)
