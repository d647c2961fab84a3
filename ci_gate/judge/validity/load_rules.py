"""Validity rules about the load: could the generator put it on, and did it?

Little's law (users = rate x (response time + wait)) ties the three together, whatever the service does: each
user asks, waits for the reply, and then as long as its wait time says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import Reading
from ci_gate.evidence.samples import UNSENT
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import count, in_percent

HOST_BUSY: Final = "host-busy"
_BUSY_CPU_PERCENT: Final = 90.0
_MAX_BUSY_READINGS: Final = 0.1
_MIN_LAG_MS: Final = 100.0
_LAG_TO_LIMIT: Final = 0.5
_MAX_TIME_LATE: Final = 0.15
_BUSY_HOST_PERCENT: Final = 95.0
_MIN_RATIO: Final = 0.9
_MAX_RATIO: Final = 1.1
_DEVIATIONS: Final = 4.0
_MAX_WAITING: Final = 0.1


def _find_busy_generator(rule_input: RuleInput) -> Iterator[Violation]:
    """Of each process for itself: one that has no CPU left is not helped by another that has.

    And of those that are pinned to one CPU: two that have half of it each have none left.
    """
    begin_s, end_s = rule_input.steady.begin_s, rule_input.steady.end_s
    for name, readings in (*rule_input.generators, *rule_input.shared_cpus):
        percents = [each.cpu_percent for each in readings if begin_s < each.wall_s < end_s]
        busy = sum(percent >= _BUSY_CPU_PERCENT for percent in percents)
        if busy > _MAX_BUSY_READINGS * len(percents):
            used = f"{np.median(percents):.0f} % of a core at the median, {max(percents):.0f} % at most"
            of_all = count(len(percents), "reading")
            yield name, f"{name} used {used}; {_BUSY_CPU_PERCENT:.0f} % or more in {busy} of {of_all}"


def _find_late_generator(rule_input: RuleInput) -> Iterator[Violation]:
    """How long the loop was late altogether, at least: a reading knows only its longest lateness."""
    bounds_ms = [limit.bound for limit in rule_input.scenario.limits if limit.metric.is_percentile]
    least_ms = max(_MIN_LAG_MS, _LAG_TO_LIMIT * min(bounds_ms, default=0.0))
    for name, readings in rule_input.generators:
        lags_ms = [reading.lag_ms for reading in _readings_in_reach(rule_input, readings)]
        late = [lag_ms for lag_ms in lags_ms if lag_ms >= least_ms]
        share = sum(late) / 1000 / rule_input.steady.duration_s if rule_input.steady.duration_s else 0.0
        if share > _MAX_TIME_LATE:
            often = f"{name}'s event loop was late by {least_ms:.0f} ms or more"
            message = f"{often} in {count(len(late), 'reading')}, {max(late):,.0f} ms at most"
            yield name, f"{message}, {in_percent(share)} of the steady phase altogether"


def _readings_in_reach(rule_input: RuleInput, readings: tuple[Reading, ...]) -> Iterator[Reading]:
    """Those of the steady phase, and one after it whose lateness is too long to have begun after it."""
    end_s = rule_input.steady.end_s
    for reading in readings:
        if rule_input.steady.begin_s < reading.wall_s < end_s + reading.lag_ms / 1000:
            yield reading


def _find_busy_host(rule_input: RuleInput) -> Iterator[Violation]:
    readings = rule_input.steady_machine
    host = float(np.mean([reading.host_cpu_percent for reading in readings])) if readings else 0.0
    if host >= _BUSY_HOST_PERCENT:
        service = np.mean([reading.service_cpu_percent or 0.0 for reading in readings])
        locust = np.mean([reading.cpu_percent for reading in rule_input.steady_readings] or [0.0])
        message = f"the host's CPUs were busy to {host:.0f} %"
        yield "host", f"{message}; of one core, the service used {service:.0f} % and Locust {locust:.0f} %"


def _find_missing_load(rule_input: RuleInput) -> Iterator[Violation]:
    """Fewer requests than a class had time for: N / (wait + time in flight per request) a second.

    The time in flight is that within the phase, also of requests that were sent before it: while replies last
    about as long as the phase, users are busy waiting, and rightly send little.
    """
    if rule_input.plan.arrivals_per_s is not None:
        return  # users wait for arrivals then, and what of those was not sent is known
    for user_class, offered_per_s in rule_input.plan.least_offered_per_s.items():
        users = rule_input.plan.users.get(user_class, 0)
        sent = int(_of_class(rule_input, user_class, rule_input.steady.samples).sum())
        if not users or not sent or not offered_per_s:
            continue
        flight_s = _time_in_flight(rule_input, user_class) / sent
        expected = rule_input.steady.duration_s / (1 / offered_per_s + flight_s / users)
        if sent < _MIN_RATIO * expected - _DEVIATIONS * math.sqrt(expected):
            could = f"{count(users, 'user')} with {1000 * flight_s:,.0f} ms a reply had time for"
            most = count(round(expected), "request")
            yield user_class, f"{could} {most}, and sent {sent:,} ({in_percent(sent / expected)})"


def _time_in_flight(rule_input: RuleInput, user_class: str) -> float:
    """The seconds of the steady phase for which the users of a class waited for replies, added up."""
    samples, steady = rule_input.recording.samples, rule_input.steady
    rows = _of_class(rule_input, user_class, samples)
    starts_s = samples["start_s"][rows]
    spent_s = samples["response_ms"][rows]  # and from here on in place: there may be millions
    spent_s /= 1000
    spent_s += starts_s
    np.minimum(spent_s, steady.end_s, out=spent_s)
    spent_s -= np.maximum(starts_s, steady.begin_s, out=starts_s)
    return float(np.maximum(spent_s, 0.0, out=spent_s).sum())


def _find_waiting_users(rule_input: RuleInput) -> Iterator[Violation]:
    """Users who wait for one reply from before the phase until after it: no figure holds that request."""
    steady = rule_input.steady
    samples = rule_input.recording.samples[rule_input.recording.samples["start_s"] < steady.begin_s]
    is_waiting = samples["start_s"] + samples["response_ms"] / 1000 > steady.end_s
    if not is_waiting.any():
        return
    for user_class, users in rule_input.plan.users.items():
        waiting = min(int(_of_class(rule_input, user_class, samples[is_waiting]).sum()), users)
        is_judged = bool(_of_class(rule_input, user_class, steady.samples).any())
        if waiting and is_judged and waiting >= _MAX_WAITING * users:
            who = f"{waiting:,} of {users:,} {user_class} waited for one reply all the steady phase"
            yield user_class, f"{who}, so what was measured is the load of {users - waiting:,}"


def _find_unsent(rule_input: RuleInput) -> Iterator[Violation]:
    unsent = int(rule_input.steady.rows_of(UNSENT).sum())
    if unsent:
        users, arrivals = sum(rule_input.plan.users.values()), len(rule_input.steady.samples)
        of_all = f"{unsent:,} of {count(arrivals, 'arrival')}"
        yield "scenario", f"{of_all} brought no request from the {count(users, 'user')}"


def _find_impossible_load(rule_input: RuleInput) -> Iterator[Violation]:
    """More requests than the users could send if every reply came at once."""
    offered_per_s, sent = rule_input.plan.offered_per_s, len(rule_input.steady.samples)
    if offered_per_s is None or not rule_input.steady.duration_s:
        return
    most, users = offered_per_s * rule_input.steady.duration_s, sum(rule_input.plan.users.values())
    if sent > _MAX_RATIO * most + _DEVIATIONS * math.sqrt(most) + users:
        rate_per_s = sent / rule_input.steady.duration_s
        offer = count(users, "user offers", "users offer")
        yield (
            "scenario",
            f"{rate_per_s:,.1f} requests/s, where {offer} at most {offered_per_s:,.1f}/s",
        )


def _of_class(rule_input: RuleInput, user_class: str, samples: NDArray[np.void]) -> NDArray[np.bool_]:
    ids = [number for number, text in enumerate(rule_input.steady.strings) if text == user_class]
    return np.isin(samples["user_class"], ids)


LOAD_RULES: Final = (
    Rule(
        code="generator-busy",
        severity="invalid",
        stage=Stage.LOAD,
        find=_find_busy_generator,
        meaning="Locust ran out of CPU: less load than planned, and its own delay in every latency",
        threshold_text=f"{_BUSY_CPU_PERCENT:.0f} % of a core in over {_MAX_BUSY_READINGS:.0%} of "
        "the readings, of one process or of those of both sides that are pinned to one CPU",
        remedy="fewer users per process, or more processes (`generator`); FastHttpUser instead of HttpUser; "
        "less work in tasks and checks",
        fault="generator",
    ),
    Rule(
        code="generator-late",
        severity="invalid",
        stage=Stage.LOAD,
        find=_find_late_generator,
        meaning="Locust's event loop stood still: something in the scenario blocks it, or it got no CPU",
        threshold_text=f"late by {_MIN_LAG_MS:.0f} ms, or {_LAG_TO_LIMIT:.0%} of the tightest latency limit "
        f"if that is more, for over {_MAX_TIME_LATE:.0%} of the steady phase",
        remedy="take blocking calls and heavy work out of the scenario; keep other programs off the machine",
        fault="generator",
    ),
    Rule(
        code="load-impossible",
        severity="invalid",
        stage=Stage.LOAD,
        find=_find_impossible_load,
        meaning="more requests than the users could send if every reply came at once (Little's law)",
        threshold_text=f"above {_MAX_RATIO:.0%} plus {_DEVIATIONS:.0f} standard deviations and one for each "
        "user; where the wait time can be read",
        remedy="requests were counted twice, or users do not wait as they say: report a bug in ci-gate",
    ),
    Rule(
        code="load-not-reached",
        severity="invalid",
        stage=Stage.LOAD,
        find=_find_missing_load,
        meaning="fewer requests than the wait times and the replies left time for (Little's law)",
        threshold_text=f"below {_MIN_RATIO:.0%} less {_DEVIATIONS:.0f} standard deviations; where the source "
        "of the tasks tells how many requests they make",
        remedy="look for pauses and blocking calls in helpers of the scenario, and for a starved generator",
        fault="generator",
    ),
    Rule(
        code="users-waiting",
        severity="insufficient",
        stage=Stage.LOAD,
        find=_find_waiting_users,
        meaning="users waited for one reply from before the steady phase until after it: no limit saw that",
        threshold_text=f"{_MAX_WAITING:.0%} or more of a class's users",
        remedy="find what they wait for, to connect too (`listen-queue` in the diagnosis); where replies are "
        "meant to last so long, run longer",
    ),
    Rule(
        code="arrivals-unsent",
        severity="insufficient",
        stage=Stage.LOAD,
        find=_find_unsent,
        meaning="arrivals of an open workload without a request: no user was free, or the task made none",
        threshold_text="any",
        remedy="more users than arrivals/s x the longest response time; or, if replies got slower and "
        "slower, a rate that the service can serve",
    ),
    Rule(
        code=HOST_BUSY,
        severity="info",
        stage=Stage.LOAD,
        find=_find_busy_host,
        meaning="the machine had no CPU left: latencies hold what everything on it took from each other",
        threshold_text=f"{_BUSY_HOST_PERCENT:.0f} % of all CPUs on average",
        remedy="keep other programs off the machine, or take a larger one",
        fault="machine",
    ),
)
