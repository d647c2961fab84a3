"""Validity rules about the run: were the right users and the service there all the time?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import Mark, Reading
from ci_gate.evidence.sample_table import count_ids
from ci_gate.judge.log_ends import describe_end
from ci_gate.judge.stages import find_stages
from ci_gate.judge.texts import describe_errors
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.judge.validity.lost_limit import NO_SUCCESS_S, LostLimit, find_lost_limit
from ci_gate.wording import count, format_exact

SERVICE_ENDED: Final = "service-ended"
_MIN_SHARE_OF_PHASE: Final = 0.95
_CLOCK_JUMP_S: Final = 0.5


def _find_early_end(case: RuleInput) -> Iterator[Violation]:
    if case.recording.mark("ended") is None:
        last = case.recording.marks[-1].name if case.recording.marks else "before the start"
        end = describe_end("locust.log", case.recording.log_ends.get("locust.log", ()))
        yield "Locust", f"Locust did not end by itself; the last phase it reached was: {last}{end}"


def _find_short_phase(case: RuleInput) -> Iterator[Violation]:
    if _is_cut_short(case) and not _find_lost_limit(case):
        yield "scenario", f"the steady phase lasted {_describe_length(case)}"


def _find_lost_limit(case: RuleInput) -> LostLimit | None:
    return find_lost_limit(case.scenario, case.plan, case.classified)


def _find_hopeless_load(case: RuleInput) -> Iterator[Violation]:
    if _is_cut_short(case) and (lost := _find_lost_limit(case)):
        yield "scenario", f"{lost}; the load was ended after {_describe_length(case)}"


def _is_cut_short(case: RuleInput) -> bool:
    if case.recording.totals and case.recording.totals.stopped and case.steady.duration_s:
        return False  # that the locustfile ended the test is a finding of its own
    if case.plan.shape and case.recording.totals and case.recording.totals.shape_ended:
        return not case.steady.duration_s  # it may depend on how the run goes
    return case.steady.duration_s < _MIN_SHARE_OF_PHASE * case.plan.duration_s


def _describe_length(case: RuleInput) -> str:
    return f"{case.steady.duration_s:.1f} s of the planned {format_exact(case.plan.duration_s)} s"


def _find_no_samples(case: RuleInput) -> Iterator[Violation]:
    if not len(case.steady.samples) and not _is_silent(case):
        outside, waiting = len(case.recording.samples), int(_find_in_flight(case).sum())
        but = f"; {waiting:,} sent earlier were still without a reply when it began" if waiting else ""
        yield "scenario", f"no request was sent in the steady phase ({outside:,} before or after it){but}"


def _is_silent(case: RuleInput) -> bool:
    """Users ran, and Locust heard of no request from beginning to end."""
    return not len(case.recording.samples) and any(reading.ready for reading in case.steady_readings)


def _find_nothing_reported(case: RuleInput) -> Iterator[Violation]:
    if _is_silent(case):
        users = max(reading.ready for reading in case.steady_readings)
        ran = f"{count(users, 'user')} ran for {case.steady.duration_s:.0f} s"
        yield "locustfile", f"{ran}, and nothing was reported to Locust: no request event was fired"


def _find_failed_starts(case: RuleInput) -> Iterator[Violation]:
    failures = case.recording.totals.start_failures if case.recording.totals else ()
    for user_class in dict.fromkeys(failure.subject for failure in failures):
        own = [failure for failure in failures if failure.subject == user_class]
        died = f"{sum(failure.count for failure in own):,} x {user_class} died in on_start"
        yield user_class, f"{died}: {describe_errors(own)}"


def _find_missing_users(case: RuleInput) -> Iterator[Violation]:
    if case.recording.mark("spawn_timeout") or case.recording.mark("no_users"):
        users = case.scenario.user_count
        who = f"not all {users:,} users ever" if users > 1 else "the only user never"
        left = f"; {sum(_left_users(case).values()):,} left by themselves" if _left_users(case) else ""
        yield "scenario", f"{who} ran and got through on_start{left}"
    yield from _find_missing_of_shape(case)
    for user in case.scenario.users:
        running = (reading.users.get(user.user_class, 0) for reading in case.steady_readings)
        fewest = min(running, default=0)
        if fewest < user.count and case.steady.duration_s:
            left = _describe_left(_left_users(case).get(user.user_class, 0))
            yield user.user_class, f"{fewest} of {user.count} {user.user_class} at the lowest point{left}"


def _find_missing_of_shape(case: RuleInput) -> Iterator[Violation]:
    """Fewer users than the shape asked for, after they were all there: it asked for no other number since."""
    for stage in find_stages(case.steady_readings):
        fewest = min(sum(reading.users.values()) for reading in stage)
        target = stage[0].target_users or 0
        if fewest < target:
            left = _describe_left(sum(_left_users(case).values()))
            yield "scenario", f"{fewest:,} of {count(target, 'user')} at the lowest point{left}"
            return


def _left_users(case: RuleInput) -> dict[str, int]:
    return case.recording.totals.left_users if case.recording.totals else {}


def _describe_left(left: int) -> str:
    return f"; {left:,} left by themselves (StopUser), as if their work were done" if left else ""


def _find_wrong_users(case: RuleInput) -> Iterator[Violation]:
    planned = {user.user_class for user in case.scenario.users}
    if case.plan.shape:
        planned = {name for reading in case.steady_readings for name, users in reading.users.items() if users}
    ran = {name for reading in case.recording.readings for name in reading.users}
    for name in sorted(ran - planned) if not case.plan.shape else ():
        yield name, f"{name} ran, which the scenario does not name"
    silent = planned - _classes_in(case, case.steady.samples)
    waiting = _classes_in(case, case.recording.samples[_find_in_flight(case)])
    for name in sorted(silent) if len(case.steady.samples) else ():
        but = ": its users waited for replies to earlier ones" if name in waiting else ""
        yield name, f"{name} made no request in the steady phase{but}"


def _classes_in(case: RuleInput, samples: NDArray[np.void]) -> set[str]:
    return {case.recording.strings[number] for number in count_ids(samples["user_class"])[0]}


def _find_in_flight(case: RuleInput) -> NDArray[np.bool_]:
    """The requests that were on their way when the steady phase began."""
    samples, begin_s = case.recording.samples, case.steady.begin_s
    is_waiting: NDArray[np.bool_] = (samples["start_s"] < begin_s) & (
        samples["start_s"] + samples["response_ms"] / 1000 > begin_s
    )
    return is_waiting


def _find_service_end(case: RuleInput) -> Iterator[Violation]:
    down = [reading for reading in case.recording.machine if not reading.service_alive]
    if down:
        started = case.recording.marks[0].wall_s if case.recording.marks else down[0].wall_s
        end = describe_end("service.log", case.recording.log_ends.get("service.log", ()))
        cut = ", and the load was ended early" if _is_cut_short(case) else ""
        yield (
            "service",
            f"the service had ended {down[0].wall_s - started:.0f} s after the load began{cut}{end}",
        )


def _find_service_restart(case: RuleInput) -> Iterator[Violation]:
    counts = [each.service_restarts for each in case.recording.machine if each.service_restarts is not None]
    if counts and max(counts) > counts[0]:
        yield "service", f"the service was started again {max(counts) - counts[0]} x while it was under load"


def _find_clock_jump(case: RuleInput) -> Iterator[Violation]:
    """A clock that is slewed moves by 0.5 ms a second at most; what is larger was set, or slept."""
    points: list[Mark | Reading] = [*case.recording.marks, *case.recording.readings]
    points.sort(key=lambda point: point.monotonic_s)
    for before, after in pairwise(points):
        jump_s = (after.wall_s - before.wall_s) - (after.monotonic_s - before.monotonic_s)
        if abs(jump_s) > _CLOCK_JUMP_S:
            at_s = before.monotonic_s - points[0].monotonic_s
            yield "clock", f"{at_s:.0f} s after the start the wall clock jumped by {jump_s:+.1f} s"


RUN_RULES: Final = (
    Rule(
        code=SERVICE_ENDED,
        severity="invalid",
        stage=Stage.GROUND,
        find=_find_service_end,
        meaning="the service ended while it was under load",
        threshold_text="always",
        remedy="read service.log in the evidence folder",
        is_final=True,
    ),
    Rule(
        code="service-restarted",
        severity="invalid",
        stage=Stage.GROUND,
        find=_find_service_restart,
        meaning="something started the service again while it was under load",
        threshold_text="always, where it can be read (containers)",
        remedy="read service.log for why it ended: a restart hides a crash, and loses what was in memory",
        is_final=True,
    ),
    Rule(
        code="clock-jumped",
        severity="invalid",
        stage=Stage.GROUND,
        find=_find_clock_jump,
        meaning="the wall clock was set, or the machine slept",
        threshold_text=f"more than {format_exact(_CLOCK_JUMP_S)} s between two readings",
        remedy="run again on a machine whose clock is only slewed, and that is not suspended",
        fault="machine",
    ),
    Rule(
        code="locust-ended-early",
        severity="invalid",
        stage=Stage.GROUND,
        find=_find_early_end,
        meaning="Locust crashed, was killed or hung",
        threshold_text="always",
        remedy="read locust.log in the evidence folder",
        relaxable=False,
        fault="recording",
    ),
    Rule(
        code="start-failed",
        severity="invalid",
        stage=Stage.SCENARIO,
        find=_find_failed_starts,
        meaning="users died in on_start",
        threshold_text="any",
        remedy="fix what on_start does (often the login), or the service behind it",
    ),
    Rule(
        code="users-missing",
        severity="invalid",
        stage=Stage.LOAD,
        find=_find_missing_users,
        meaning="fewer users than the scenario says were running in the steady phase",
        threshold_text="any, at any reading",
        remedy="see locust.log for why users end; a user must never leave by an exception, and one that has "
        "done its work begins anew instead of raising StopUser: the load is that of users who stay",
    ),
    Rule(
        code="no-samples",
        severity="invalid",
        stage=Stage.PHASE,
        find=_find_no_samples,
        meaning="no request in the steady phase",
        threshold_text="always",
        remedy="run the locustfile by hand against the service; see locust.log; where replies last longer "
        "than the phase, find out why, or run longer",
        relaxable=False,
        fault="recording",
    ),
    Rule(
        code="load-ended-early",
        severity="insufficient",
        stage=Stage.PHASE,
        find=_find_hopeless_load,
        meaning="nothing succeeded any more and a limit is broken for certain, so the load was ended",
        threshold_text=f"no success for {format_exact(NO_SUCCESS_S)} s of the steady phase, and more "
        "failures than a limit allows even if all that the users could still send succeeded",
        remedy="see with which errors the requests ended, and service.log in the evidence folder",
        relaxable=False,
        for_comparison=False,
    ),
    Rule(
        code="nothing-reported",
        severity="invalid",
        stage=Stage.PHASE,
        find=_find_nothing_reported,
        meaning="users ran, and nothing was reported to Locust; a client of the scenario's own has to do so",
        threshold_text="no event from beginning to end",
        remedy='put each call into `with self.environment.events.request.measure("SQL", "select user"):`, or '
        "use self.client (docs/locustfiles.md)",
        relaxable=False,
    ),
    Rule(
        code="phase-cut-short",
        severity="invalid",
        stage=Stage.PHASE,
        find=_find_short_phase,
        meaning="the steady phase is shorter than the profile says",
        threshold_text=f"below {_MIN_SHARE_OF_PHASE:.0%} of its duration",
        remedy="see the other findings for what ended it; then run again",
        relaxable=False,
        for_comparison=False,
    ),
    Rule(
        code="wrong-users",
        severity="invalid",
        stage=Stage.PHASE,
        find=_find_wrong_users,
        meaning="a class ran that the scenario does not name, or a named one made no request",
        threshold_text="always",
        remedy="name the classes under users, and give each of them a task that makes requests; where "
        "replies last longer than the phase, find out why, or run longer",
    ),
)
