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
from ci_gate.wording import add_sign, count, format_exact

SERVICE_ENDED: Final = "service-ended"
_MIN_SHARE_OF_PHASE: Final = 0.95
_CLOCK_JUMP_S: Final = 0.5


def _find_early_end(rule_input: RuleInput) -> Iterator[Violation]:
    if rule_input.recording.mark("ended") is None:
        last = rule_input.recording.marks[-1].name if rule_input.recording.marks else "before the start"
        end = describe_end("locust.log", rule_input.recording.log_ends.get("locust.log", ()))
        yield "Locust", f"Locust did not end by itself; the last phase it reached was: {last}{end}"


def _find_short_phase(rule_input: RuleInput) -> Iterator[Violation]:
    if _is_cut_short(rule_input) and not _find_lost_limit(rule_input):
        yield "scenario", f"the steady phase lasted {_describe_length(rule_input)}"


def _find_lost_limit(rule_input: RuleInput) -> LostLimit | None:
    return find_lost_limit(rule_input.scenario, rule_input.plan, rule_input.classified)


def _find_hopeless_load(rule_input: RuleInput) -> Iterator[Violation]:
    if _is_cut_short(rule_input) and (lost := _find_lost_limit(rule_input)):
        yield "scenario", f"{lost}; the load was ended after {_describe_length(rule_input)}"


def _is_cut_short(rule_input: RuleInput) -> bool:
    if rule_input.recording.totals and rule_input.recording.totals.stopped and rule_input.steady.duration_s:
        return False  # that the locustfile ended the test is a finding of its own
    if rule_input.plan.shape and rule_input.recording.totals and rule_input.recording.totals.shape_ended:
        return not rule_input.steady.duration_s  # it may depend on how the run goes
    return rule_input.steady.duration_s < _MIN_SHARE_OF_PHASE * rule_input.plan.duration_s


def _describe_length(rule_input: RuleInput) -> str:
    return f"{rule_input.steady.duration_s:.1f} s of the planned {format_exact(rule_input.plan.duration_s)} s"


def _find_no_samples(rule_input: RuleInput) -> Iterator[Violation]:
    if not len(rule_input.steady.samples) and not _is_silent(rule_input):
        outside, waiting = len(rule_input.recording.samples), int(_find_in_flight(rule_input).sum())
        but = f"; {waiting:,} sent earlier were still without a reply when it began" if waiting else ""
        yield "scenario", f"no request was sent in the steady phase ({outside:,} before or after it){but}"


def _is_silent(rule_input: RuleInput) -> bool:
    """Users ran, and Locust heard of no request from beginning to end."""
    ready = (reading.ready for reading in rule_input.steady_readings)
    return not len(rule_input.recording.samples) and any(ready)


def _find_nothing_reported(rule_input: RuleInput) -> Iterator[Violation]:
    if _is_silent(rule_input):
        users = max(reading.ready for reading in rule_input.steady_readings)
        ran = f"{count(users, 'user')} ran for {rule_input.steady.duration_s:.0f} s"
        yield "locustfile", f"{ran}, and nothing was reported to Locust: no request event was fired"


def _find_failed_starts(rule_input: RuleInput) -> Iterator[Violation]:
    failures = rule_input.recording.totals.start_failures if rule_input.recording.totals else ()
    for user_class in dict.fromkeys(failure.subject for failure in failures):
        own = [failure for failure in failures if failure.subject == user_class]
        died = f"{sum(failure.count for failure in own):,} x {user_class} died in on_start"
        yield user_class, f"{died}: {describe_errors(own)}"


def _find_missing_users(rule_input: RuleInput) -> Iterator[Violation]:
    if rule_input.recording.mark("spawn_timeout") or rule_input.recording.mark("no_users"):
        users = rule_input.scenario.user_count
        who = f"not all {users:,} users ever" if users > 1 else "the only user never"
        gone = sum(_left_users(rule_input).values())
        left = f"; {gone:,} left by themselves" if gone else ""
        yield "scenario", f"{who} ran and got through on_start{left}"
    yield from _find_missing_of_shape(rule_input)
    for user in rule_input.scenario.users:
        running = (reading.users.get(user.user_class, 0) for reading in rule_input.steady_readings)
        fewest = min(running, default=0)
        if fewest < user.count and rule_input.steady.duration_s:
            left = _describe_left(_left_users(rule_input).get(user.user_class, 0))
            yield user.user_class, f"{fewest} of {user.count} {user.user_class} at the lowest point{left}"


def _find_missing_of_shape(rule_input: RuleInput) -> Iterator[Violation]:
    """Fewer users than the shape asked for, after they were all there: it asked for no other number since."""
    for stage in find_stages(rule_input.steady_readings):
        fewest = min(sum(reading.users.values()) for reading in stage)
        target = stage[0].target_users or 0
        if fewest < target:
            left = _describe_left(sum(_left_users(rule_input).values()))
            yield "scenario", f"{fewest:,} of {count(target, 'user')} at the lowest point{left}"
            return


def _left_users(rule_input: RuleInput) -> dict[str, int]:
    return rule_input.recording.totals.left_users if rule_input.recording.totals else {}


def _describe_left(left: int) -> str:
    return f"; {left:,} left by themselves (StopUser), as if their work were done" if left else ""


def _find_wrong_users(rule_input: RuleInput) -> Iterator[Violation]:
    planned = {user.user_class for user in rule_input.scenario.users}
    if rule_input.plan.shape:
        planned = {
            name for reading in rule_input.steady_readings for name, users in reading.users.items() if users
        }
    ran = {name for reading in rule_input.recording.readings for name in reading.users}
    for name in sorted(ran - planned) if not rule_input.plan.shape else ():
        yield name, f"{name} ran, which the scenario does not name"
    silent = planned - _classes_in(rule_input, rule_input.steady.samples)
    waiting = _classes_in(rule_input, rule_input.recording.samples[_find_in_flight(rule_input)])
    for name in sorted(silent) if len(rule_input.steady.samples) else ():
        but = ": its users waited for replies to earlier ones" if name in waiting else ""
        yield name, f"{name} made no request in the steady phase{but}"


def _classes_in(rule_input: RuleInput, samples: NDArray[np.void]) -> set[str]:
    return {rule_input.recording.strings[number] for number in count_ids(samples["user_class"])[0]}


def _find_in_flight(rule_input: RuleInput) -> NDArray[np.bool_]:
    """The requests that were on their way when the steady phase began."""
    samples, begin_s = rule_input.recording.samples, rule_input.steady.begin_s
    is_waiting: NDArray[np.bool_] = (samples["start_s"] < begin_s) & (
        samples["start_s"] + samples["response_ms"] / 1000 > begin_s
    )
    return is_waiting


def _find_service_end(rule_input: RuleInput) -> Iterator[Violation]:
    down = [reading for reading in rule_input.recording.machine if not reading.service_alive]
    if down:
        started = rule_input.recording.marks[0].wall_s if rule_input.recording.marks else down[0].wall_s
        end = describe_end("service.log", rule_input.recording.log_ends.get("service.log", ()))
        cut = ", and the load was ended early" if _is_cut_short(rule_input) else ""
        yield (
            "service",
            f"the service had ended {down[0].wall_s - started:.0f} s after the load began{cut}{end}",
        )


def _find_service_restart(rule_input: RuleInput) -> Iterator[Violation]:
    machine = rule_input.recording.machine
    counts = [each.service_restarts for each in machine if each.service_restarts is not None]
    if counts and max(counts) > counts[0]:
        yield "service", f"the service was started again {max(counts) - counts[0]} x while it was under load"


def _find_clock_jump(rule_input: RuleInput) -> Iterator[Violation]:
    """A clock that is slewed moves by 0.5 ms a second at most; what is larger was set, or slept."""
    points: list[Mark | Reading] = [*rule_input.recording.marks, *rule_input.recording.readings]
    points.sort(key=lambda point: point.monotonic_s)
    for before, after in pairwise(points):
        jump_s = (after.wall_s - before.wall_s) - (after.monotonic_s - before.monotonic_s)
        if abs(jump_s) > _CLOCK_JUMP_S:
            at_s = before.monotonic_s - points[0].monotonic_s
            jump = add_sign(jump_s, f"{abs(jump_s):.1f} s")
            yield "clock", f"{at_s:.0f} s after the start the wall clock jumped by {jump}"


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
        remedy="fix what on_start does (often the login; the key host of users that are no HTTP users), "
        "or the service behind it",
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
