"""Before any load: can the scenarios run as thresholds.yaml says, and could their limits ever be shown?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ci_gate.errors import Problem
from ci_gate.evidence.workload import UserClass, Workload
from ci_gate.judge.quantiles import count_needed
from ci_gate.judge.validity.rules import RELAXABLE
from ci_gate.thresholds import (
    ALL_ENDPOINTS,
    RATE,
    Limit,
    LocustSettings,
    Position,
    Profile,
    Scenario,
    Thresholds,
)
from ci_gate.thresholds.commands import find_shell_syntax, with_shell
from ci_gate.wording import count, format_exact

_OF_ARRIVALS: Final = 0.99
_ROUNDING: Final = 1e-9  # shares of tasks that are thirds add up to a little less than 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprovable:
    """A limit that a profile is too short for, even if every reply came at once.

    ``expected`` and ``needed`` are samples of the phase, or of one window where the limit is on the worst.
    """

    scenario: str
    profile: str
    limit: Limit
    expected: float
    needed: int
    duration_s: float  # the least steady phase that would do

    def __str__(self) -> str:
        over_s = self.limit.metric.over_s
        if over_s is not None:
            return self._describe_window(over_s)
        asked = f"{self.scenario}: {self.limit.endpoint} {self.limit.metric} takes {self.needed:,} successes"
        brings = f"profile {self.profile} brings at most {math.floor(self.expected):,}"
        return f"{asked}, {brings}; a duration of {math.ceil(self.duration_s - _ROUNDING):,}s would do"

    def _describe_window(self, over_s: float) -> str:
        asked = f"{self.scenario}: {self.limit.endpoint} {self.limit.metric}"
        if self.expected >= self.needed:
            return f"{asked}: profile {self.profile} has no window of {format_exact(over_s)} s"
        samples = "successes" if self.limit.metric.is_percentile else "requests"
        brings = f"the users bring at most {math.floor(self.expected * (1 + _ROUNDING)):,}"
        enough = math.ceil(self.duration_s - _ROUNDING)
        return f"{asked} takes {self.needed:,} {samples} in each window, {brings}; over: {enough:,}s would do"


def find_problems(
    thresholds: Thresholds, workloads: Mapping[LocustSettings, Workload]
) -> tuple[Problem, ...]:
    """Locustfiles that do not load, unknown user classes and rules, rate floors that no user can offer.

    ``workloads`` maps each scenario's settings of Locust to what its locustfile says.
    """
    found: list[Problem] = [*_find_shell_syntax(thresholds)]
    for scenario in thresholds.scenarios:
        workload = workloads[scenario.locust]
        found += _find_unknown_rules(thresholds, scenario)
        if workload.error:
            message = f"{scenario.name}: {scenario.locustfile}: {workload.error}"
            found.append(_problem(thresholds, scenario.at, message, "a locustfile that loads"))
        else:
            found += _find_unknown_classes(thresholds, scenario, workload)
            found += _find_idle_classes(thresholds, scenario, workload)
            found += _find_wrong_shape(thresholds, scenario, workload)
            found += _find_unreachable_floors(thresholds, scenario, workload)
    return tuple(found)


def find_unprovable(
    thresholds: Thresholds, workloads: Mapping[LocustSettings, Workload]
) -> tuple[Unprovable, ...]:
    """Every limit on a percentile or on the worst window that some profile is too short for."""
    return tuple(
        unprovable
        for scenario in thresholds.scenarios
        for profile in thresholds.profiles
        for limit in scenario.limits
        if (
            unprovable := judge_provable(
                scenario, profile, limit, offered_rate(scenario, workloads[scenario.locust], limit.endpoint)
            )
        )
    )


def offered_rate(scenario: Scenario, workload: Workload, endpoint: str) -> float | None:
    """The requests per second that the users could send to ``endpoint`` if every reply came at once.

    Users / mean wait x requests per task, or in an open workload arrivals x requests per task. None where a
    wait time or a task's requests are not known.
    """
    if scenario.locust.shape:
        return None  # it differs from moment to moment
    classes = {user_class.name: user_class for user_class in workload.classes}
    rates = [
        _class_rate(
            classes[user.user_class], _task_rate(scenario, classes[user.user_class], user.count), endpoint
        )
        for user in scenario.users
        if user.user_class in classes
    ]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if len(known) == len(scenario.users) else None


def least_rates(scenario: Scenario, workload: Workload) -> dict[str, float]:
    """The requests per second that the users of a class surely send if every reply comes at once, by class.

    Classes of which this is not known are left out.
    """
    classes = {user_class.name: user_class for user_class in workload.classes}
    return {
        user.user_class: tasks_per_s * fewest
        for user in scenario.users
        if (described := classes.get(user.user_class))
        if (tasks_per_s := _task_rate(scenario, described, user.count))
        if (fewest := sum(task.share * task.fewest for task in described.tasks))
    }


def _task_rate(scenario: Scenario, user_class: UserClass, users: int) -> float | None:
    """Tasks begun per second by ``users`` users of the class; free users take the next arrival in turn."""
    if scenario.arrivals_per_s is not None:
        return scenario.arrivals_per_s * users / scenario.user_count
    if user_class.wait is None or not user_class.wait.mean_s:
        return None
    return users / user_class.wait.mean_s


def _class_rate(user_class: UserClass, tasks_per_s: float | None, endpoint: str) -> float | None:
    if tasks_per_s is None or not user_class.tasks:  # without them it has another way to ask
        return None
    requests_per_task = 0.0
    for task in user_class.tasks:
        if task.endpoints is None:
            return None
        calls = len(task.endpoints) if endpoint == ALL_ENDPOINTS else task.endpoints.count(endpoint)
        requests_per_task += task.share * calls
    return tasks_per_s * requests_per_task


def _find_shell_syntax(thresholds: Thresholds) -> Iterator[Problem]:
    """Not while the file is parsed: base's must stay readable, so that it can be fixed."""
    service = thresholds.service
    for key, text in service.commands:
        if syntax := find_shell_syntax(text):
            message = f"service.{key}: there is no shell that would read `{syntax}`"
            yield _problem(thresholds, service.at, message, with_shell(text))


def _find_unknown_rules(thresholds: Thresholds, scenario: Scenario) -> Iterator[Problem]:
    for relaxed in scenario.relax:
        if relaxed.code not in RELAXABLE:
            message = f"no rule {relaxed.code!r} can be relaxed"
            yield _problem(thresholds, relaxed.at, message, ", ".join(RELAXABLE))


def _find_unknown_classes(
    thresholds: Thresholds, scenario: Scenario, workload: Workload
) -> Iterator[Problem]:
    known = [user_class.name for user_class in workload.classes]
    for user in scenario.users:
        if user.user_class not in known:
            message = f"{scenario.locustfile} has no user class {user.user_class!r}"
            yield _problem(thresholds, user.at, message, ", ".join(known) or "none is there")


def _find_idle_classes(thresholds: Thresholds, scenario: Scenario, workload: Workload) -> Iterator[Problem]:
    """Locust fails to start a user whose class has no task left."""
    named = {user.user_class for user in scenario.users}
    for each in workload.classes if scenario.locust.tags or scenario.locust.exclude_tags else ():
        if not each.tasks and (each.name in named or scenario.locust.shape):
            message = f"{scenario.name}: tags and exclude_tags leave {each.name} no task"
            tags = ", ".join(each.tags) or "none"
            yield _problem(thresholds, scenario.at, message, f"a task at least; tags of its tasks: {tags}")


def _find_wrong_shape(thresholds: Thresholds, scenario: Scenario, workload: Workload) -> Iterator[Problem]:
    name, shape = scenario.locust.shape, workload.shape
    if name is None:
        return
    if name not in workload.shapes:
        message = f"{scenario.name}: {scenario.locustfile} has no LoadTestShape {name!r}"
        yield _problem(thresholds, scenario.at, message, ", ".join(workload.shapes) or "none is there")
    for profile in thresholds.profiles if shape and shape.lasts_s is not None else ():
        if shape and shape.lasts_s is not None and shape.lasts_s <= profile.warmup_s:
            lasts = f"{name} lasts {format_exact(shape.lasts_s)} s"
            message = f"{scenario.name}: {lasts}, and the warm-up of profile {profile.name} is as long"
            yield _problem(thresholds, scenario.at, message, "a shape that goes on after the warm-up")


def describe_shape(scenario: Scenario, workload: Workload) -> str:
    """How long the scenario's shape lasts, and how many users it asks for; in one line."""
    shape = workload.shape
    if shape is None:
        return f"shape {scenario.locust.shape}"
    users = f"up to {count(shape.users, 'user')}"
    if shape.lasts_s is not None:
        return f"shape {shape.name} lasts {format_exact(shape.lasts_s)} s, {users}"
    why = shape.error or "it does not end by itself"
    return f"shape {shape.name}, {users}: {why}; the profile's duration ends it"


def _find_unreachable_floors(
    thresholds: Thresholds, scenario: Scenario, workload: Workload
) -> Iterator[Problem]:
    for limit in scenario.limits:
        if limit.metric.whole != RATE or limit.at is None:
            continue
        offered = offered_rate(scenario, workload, limit.endpoint)
        # Arrivals fill their second to the last one: the phase may begin or end between two of them.
        most = offered * _OF_ARRIVALS if offered and scenario.arrivals_per_s else offered
        if most is not None and limit.bound > most * (1 + _ROUNDING):
            message = f"{limit.endpoint}: a rate of {limit.text} is beyond what the users can offer"
            more = "arrivals" if scenario.arrivals_per_s else "users"
            yield _problem(thresholds, limit.at, message, f"at most {_round_down(most)}/s, or more {more}")


def _round_down(rate_per_s: float) -> str:
    """So that a floor that is refused never reads as one that is allowed."""
    decimals = 1 if rate_per_s >= 1 else 6
    return f"{math.floor(rate_per_s * (1 + _ROUNDING) * 10**decimals) / 10**decimals:,.{decimals}f}"


def judge_provable(
    scenario: Scenario, profile: Profile, limit: Limit, rate: float | None
) -> Unprovable | None:
    """Why the profile is too short for the limit, at a ``rate`` per second of its endpoint; None: it is not.

    Nor where the rate is None, not known.
    """
    quantile, over_s = limit.metric.quantile, limit.metric.over_s
    needed = count_needed(quantile)
    if over_s is not None and over_s > profile.duration_s * (1 + _ROUNDING):
        expected, rate = float(needed), needed / over_s
    elif (quantile is None and over_s is None) or not rate:
        return None
    else:
        expected = rate * (profile.duration_s if over_s is None else over_s)
        if expected * (1 + _ROUNDING) >= needed:
            return None
    return Unprovable(
        scenario=scenario.name,
        profile=profile.name,
        limit=limit,
        expected=expected,
        needed=needed,
        duration_s=needed / rate,
    )


def _problem(thresholds: Thresholds, at: Position, message: str, allowed: str) -> Problem:
    return Problem(file=thresholds.file, line=at.line, column=at.column, message=message, allowed=allowed)
