from __future__ import annotations

import json

import msgspec
import pytest

from ci_gate.evidence.workload import Task, UserClass, Wait, Workload
from ci_gate.judge.validity.feasibility import find_problems, find_unprovable
from ci_gate.thresholds import LocustSettings, parse_thresholds


def read(limits, users=50, duration="60s"):
    scenario = {"locustfile": "a.py", "users": {"A": users}, "spawn_rate": 1, "limits": {"all": limits}}
    document = {"schema": 1, "service": {"url": "http://s"}, "profiles": {"q": {"duration": duration}}}
    return parse_thresholds(json.dumps(document | {"scenarios": {"s": scenario}}), "t.yaml")


def workloads(tasks=10, wait_s=2.0):
    """One request in each of ``tasks``, whose shares do not add up to 1 in floating point."""
    each = tuple(
        Task(name=f"t{index}", share=1 / tasks, endpoints=("GET /a",), fewest=1) for index in range(tasks)
    )
    user_class = UserClass(name="A", wait=Wait(kind="pause", mean_s=wait_s), tasks=each)
    return {
        LocustSettings(locustfiles=("a.py",)): Workload(locustfile="a.py", classes=(user_class,), error=None)
    }


def test_workload__does_not_add_up():
    assert sum(1 / 10 for _ in range(10)) < 1


@pytest.mark.parametrize(
    ("rate", "users", "wait_s", "allowed"),
    [
        ("25/s", 50, 2.0, []),
        ("25/s", 50, 2.0032, ["at most 24.9/s, or more users"]),
        ("25.001/s", 50, 2.0, ["at most 25.0/s, or more users"]),
        ("80/s", 50, 2.0, ["at most 25.0/s, or more users"]),
        ("3334/s", 6666, 2.0, ["at most 3,333.0/s, or more users"]),
        ("0.6/s", 1, 2.0, ["at most 0.500000/s, or more users"]),
    ],
)
def test_floor__is_refused_only_beyond_what_the_users_offer(rate, users, wait_s, allowed):
    problems = find_problems(read({"rate": rate}, users), workloads(wait_s=wait_s))
    assert [problem.allowed for problem in problems] == allowed


def test_percentile__is_provable_by_exactly_as_many_requests_as_it_takes():
    assert find_unprovable(read({"p99": "1s"}, duration="40s"), workloads()) == ()
    (unprovable,) = find_unprovable(read({"p99": "1s"}, duration="39.99s"), workloads())
    assert "takes 1,000 successes, profile q brings at most 999; a duration of 40s would do" in str(
        unprovable
    )


@pytest.mark.parametrize(
    ("tasks", "tags", "message"),
    [
        (0, ["nope"], "s: tags and exclude_tags leave A no task"),
        (1, ["buy"], None),
        (0, None, None),  # such a class is the locustfile's own matter
    ],
)
def test_tags__that_leave_a_class_no_task_are_a_problem(tasks, tags, message):
    scenario = {"locustfile": "a.py", "users": {"A": 1}, "spawn_rate": 1, "limits": {"all": {"p95": "1s"}}}
    scenario |= {"tags": tags} if tags else {}
    document = {"schema": 1, "service": {"url": "http://s"}, "profiles": {"q": {"duration": "60s"}}}
    thresholds = parse_thresholds(json.dumps(document | {"scenarios": {"s": scenario}}), "t.yaml")
    (workload,) = workloads(max(tasks, 1)).values()
    (user_class,) = workload.classes
    user_class = msgspec.structs.replace(user_class, tasks=user_class.tasks[:tasks], tags=("buy", "read"))
    workload = msgspec.structs.replace(workload, classes=(user_class,))
    problems = find_problems(thresholds, {thresholds.scenarios[0].locust: workload})
    assert [problem.message for problem in problems] == ([message] if message else [])
    assert all(problem.allowed.endswith("tags of its tasks: buy, read") for problem in problems)


def test_floor__of_a_class_without_tasks_is_not_refused():
    (settings,) = workloads()
    workload = workloads()[settings]
    user_class = msgspec.structs.replace(workload.classes[0], tasks=())
    workload = msgspec.structs.replace(workload, classes=(user_class,))
    assert find_problems(read({"rate": "80/s"}), {settings: workload}) == ()
