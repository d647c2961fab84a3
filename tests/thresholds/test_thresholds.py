from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ci_gate.errors import BadInputError
from ci_gate.thresholds import (
    Accepted,
    Limit,
    LocustSettings,
    MetricsPage,
    Needs,
    Position,
    Probes,
    Profile,
    Ready,
    Relaxed,
    Service,
    Tolerance,
    UserCount,
    metric_of,
    parse_thresholds,
)

OK = Path(__file__).parent / "ok"
MINIMAL = (OK / "minimal.yaml").read_text(encoding="utf-8")


def parse(name):
    return parse_thresholds((OK / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")


def limits_of(text):
    (scenario,) = parse_thresholds(text, "t.yaml").scenarios
    return {(limit.endpoint, limit.metric.name): limit for limit in scenario.limits}


def at(line, column):
    return Position(line=line, column=column)


def test_minimal_file__gets_the_defaults():
    thresholds = parse("minimal")
    assert thresholds.file == "minimal.yaml"
    assert thresholds.text == MINIMAL
    assert thresholds.sha256 == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert thresholds.on_inconclusive == "warn"
    assert thresholds.loosening_label == "thresholds-approved"
    assert (thresholds.compare.max_duration_s, thresholds.compare.alpha) == (120, 0.01)
    assert (thresholds.compare.confirm, thresholds.compare.scatter) == (True, ())
    assert thresholds.service == Service(
        kind="command",
        target="shop --port {port}",
        ready=Ready(path="/"),
        ready_timeout_s=60.0,
        port=None,
        env=(),
        needs=None,
        before_start=None,
        before_start_timeout_s=120.0,
        before_each=None,
        before_each_timeout_s=120.0,
        processes=(),
        ca=None,
        cpus=None,
        memory_bytes=None,
        at=at(2, 1),
    )
    assert thresholds.probes == Probes(addresses=(), metrics=None, at=None)
    assert thresholds.profiles == (Profile(name="quick", duration_s=20.0, warmup_s=0.0),)
    (burst,) = thresholds.scenarios
    assert (burst.accept, burst.expected, burst.regression) == ((), (), ())
    assert (burst.trace, burst.trace_link) == (False, None)
    assert burst.limits == (
        Limit(endpoint="GET /", metric=metric_of("p95"), bound=300.0, text="300ms", at=at(12, 15)),
        Limit(endpoint="all", metric=metric_of("failures"), bound=0.01, text="1%", at=None),
    )


def test_probes__are_read_as_they_stand():
    probes = parse("every-key").probes
    assert dict(probes.addresses) == {"postgres": "${DATABASE_URL:-}", "redis": "redis://127.0.0.1/{side}"}
    assert isinstance(probes.metrics, MetricsPage)
    assert probes.metrics.path == "/metrics?all=1"
    assert probes.metrics.metrics[:2] == (("pool_size", "shop_pool"), ("pool_in_use", "shop:pool_in_use"))
    assert len(probes.metrics.metrics) == 12


def test_every_key__is_read():
    thresholds = parse("every-key")
    assert thresholds.on_inconclusive == "block"
    assert thresholds.loosening_label == "perf: agreed"
    assert (thresholds.compare.max_duration_s, thresholds.compare.alpha) == (90, 0.005)
    scatter = [(metric.name, ratio) for metric, ratio in thresholds.compare.scatter]
    assert (thresholds.compare.confirm, scatter) == (True, [("p50", 0.04), ("failures", 0.001)])
    assert thresholds.service == Service(
        kind="dockerfile",
        target="docker/Dockerfile",
        ready=Ready(path="/healthz?deep=1", statuses=(401,)),
        ready_timeout_s=90.0,
        port=9000,
        env=(
            ("MODE", "on"),
            ("DATABASE_URL", "${DATABASE_URL:-sqlite:///{state}/{side}.sqlite3}"),
            ("JSON", '{"a": 1}'),
        ),
        needs=Needs(compose="compose.yaml", services=("db", "cache-1"), per_side=True, timeout_s=60.0),
        before_start="createdb shop_{side}",
        before_start_timeout_s=10.0,
        before_each="python -m shop reset --quietly 'it is {url}'",
        before_each_timeout_s=600.0,
        processes=(),
        ca="certs/our ca.pem",
        cpus=2.0,
        memory_bytes=1_610_612_736,
        at=at(4, 1),
    )
    assert thresholds.profiles == (
        Profile(name="p_1-a", duration_s=1.5, warmup_s=0.0),
        Profile(name="full", duration_s=1800.0, warmup_s=60.0),
    )


def test_every_key__of_a_scenario_is_read():
    (scenario,) = parse("every-key").scenarios
    assert (scenario.name, scenario.at) == ("every-key", at(27, 3))
    assert scenario.locust == LocustSettings(
        locustfiles=("load tests/ünï/every.py",),
        directory="load tests",
        env=(("TENANT", "${TENANT:-acme}"), ("DATA", '{state}/{"a": 1}')),
        args=("--tenant", "{side}", "--deep"),
        tags=("fast", "größe=2"),
        exclude_tags=("slow",),
        host="127.0.0.1:{port}",
    )
    assert scenario.users == (
        UserCount(user_class="First", count=1, at=at(37, 13)),
        UserCount(user_class="Second_2", count=999_999, at=at(37, 23)),
    )
    assert scenario.user_count == 1_000_000
    assert scenario.spawn_rate == 12.5
    assert (scenario.arrivals_per_s, scenario.ramp_s) == (200.0, 10.0)
    assert scenario.compare_load == 0.125
    assert (scenario.trace, scenario.trace_link) == (
        True,
        "https://traces.example.com/trace/{trace_id}?org=1",
    )
    assert scenario.accept == (
        Accepted(endpoint="GET /a/{id}", statuses=(404, 409), at=at(40, 7)),
        Accepted(endpoint="grpc shop.Orders/List", statuses=(503,), at=at(41, 7)),
    )
    assert scenario.expected == ("POST /login", "task-1 x y  z")
    assert scenario.relax == (
        Relaxed(code="uniform-body", reason="both answer only whether it worked", at=at(50, 7)),
        Relaxed(code="html-replies", reason='GET /a/{id} is a page: "ünï"', at=at(51, 7)),
    )
    assert scenario.limits == (
        Limit(endpoint="all", metric=metric_of("p0.1"), bound=1.0, text="1ms", at=at(44, 13)),
        Limit(endpoint="all", metric=metric_of("p50"), bound=200.0, text="0.2s", at=at(44, 24)),
        Limit(endpoint="all", metric=metric_of("p99.999"), bound=60_000.0, text="1m", at=at(44, 35)),
        Limit(endpoint="all", metric=metric_of("successes"), bound=0.999, text="99.9%", at=at(44, 48)),
        Limit(endpoint="all", metric=metric_of("rate"), bound=0.5, text="0.5/s", at=at(44, 66)),
        Limit(endpoint="all", metric=metric_of("cpu"), bound=12.5, text="12.5ms", at=at(44, 79)),
        Limit(endpoint="all", metric=metric_of("memory"), bound=1024.0, text="1GiB", at=at(44, 92)),
        Limit(endpoint="all", metric=metric_of("statements"), bound=3.5, text="3.5", at=at(44, 106)),
        Limit(endpoint="GET /a/{id}", metric=metric_of("failures"), bound=0.0, text="0%", at=at(45, 21)),
    )
    assert scenario.regression == (
        Tolerance(metric=metric_of("p50"), ratio=1.5, at=at(46, 18)),
        Tolerance(metric=metric_of("p99.9"), ratio=0.0, at=at(46, 29)),
        Tolerance(metric=metric_of("failures"), ratio=0.1, at=at(46, 40)),
        Tolerance(metric=metric_of("rate"), ratio=0.055, at=at(46, 55)),
        Tolerance(metric=metric_of("cpu"), ratio=0.08, at=at(46, 67)),
        Tolerance(metric=metric_of("memory"), ratio=0.2, at=at(46, 76)),
        Tolerance(metric=metric_of("statements"), ratio=0.0, at=at(46, 89)),
    )


def test_example_of_the_design__is_read():
    thresholds = parse("design")
    assert [profile.name for profile in thresholds.profiles] == ["quick", "pull_request", "full"]
    (scenario,) = thresholds.scenarios
    assert scenario.endpoints == ("POST /api/v1/deployments", "GET /api/v1/deployments/{id}")
    assert {(limit.endpoint, limit.metric.name): limit.bound for limit in scenario.limits} == {
        ("all", "p50"): 200.0,
        ("all", "p99"): 500.0,
        ("all", "failures"): 0.01,
        ("all", "rate"): 50.0,
        ("POST /api/v1/deployments", "p95"): 300.0,
    }


def test_aliases__give_each_scenario_its_own_limits():
    thresholds = parse("aliases")
    first, second = thresholds.scenarios
    assert first.limits == second.limits
    assert first.limits[0].at == at(11, 13)
    assert thresholds.service.kind == "url"
    assert thresholds.service.target == "${SHOP_URL:-http://127.0.0.1:8000/shop}"


def test_scalars__are_those_of_yaml_1_2():
    thresholds = parse("yaml-1.2-scalars")
    assert dict(thresholds.service.env) == {
        "A": "yes", "B": "off", "C": "1:30", "D": "2024-01-01", "E": "1_000", "F": "", "G": "~x",
        "H": "=", "I": "<<",
    }  # fmt: skip
    assert [profile.name for profile in thresholds.profiles] == ["404", "null", "true"]
    (scenario,) = thresholds.scenarios
    assert [user.count for user in scenario.users] == [10, 8, 10]
    assert all(type(user.count) is int for user in scenario.users)
    assert scenario.spawn_rate == 0.5


@pytest.mark.parametrize("given", ["failures: 0.1%", "successes: 99%", "failures: 100%"])
def test_default_failures__give_way_to_what_the_scenario_says(given):
    limits = limits_of(MINIMAL + f"      all: {{{given}}}\n")
    assert len(limits) == 2
    assert limits["all", given.partition(":")[0]].at is not None


@pytest.mark.parametrize("line", ["      all: {p50: 1s}\n", "      GET /x: {failures: 2%}\n"])
def test_default_failures__stay_where_all_has_none(line):
    limit = limits_of(MINIMAL + line)["all", "failures"]
    assert (limit.bound, limit.text, limit.at) == (0.01, "1%", None)


def test_one_problem__reads_as_a_line_that_editors_link():
    with pytest.raises(BadInputError) as caught:
        parse_thresholds(MINIMAL.replace("300ms", "300"), "load/thresholds.yaml")
    assert str(caught.value) == (
        "load/thresholds.yaml:12:20: 'p95' has no unit: 300 "
        "(allowed: a number above 0 with one of the units ms, s, m, h, such as 200ms or 5m)"
    )


def test_percentile_out_of_range__gets_no_suggestion():
    with pytest.raises(BadInputError) as caught:
        parse_thresholds(MINIMAL.replace("p95", "p100.5"), "t.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "'p100.5' cannot be a key here"


def test_values_at_their_borders__are_read():
    thresholds = parse("borders")
    assert thresholds.service.target == "shop --listen {url}"
    assert thresholds.service.memory_bytes == 6 * 1024**2
    assert thresholds.profiles[0].duration_s == 1e-9
    (scenario,) = thresholds.scenarios
    assert len(scenario.name) == 64
    assert scenario.user_count == 1_000_000
    assert [limit.metric.name for limit in scenario.limits] == ["p99.999", "successes", "failures"]


def test_names__find_their_profile_and_scenario():
    thresholds = parse("aliases")
    assert thresholds.profile("quick") is thresholds.profiles[0]
    assert thresholds.scenario("second") is thresholds.scenarios[1]
    assert thresholds.profile("second") is thresholds.scenario("quick") is None


def test_windows_line_ends__change_nothing_but_the_hash():
    unix, windows = (
        parse("every-key"),
        (OK / "every-key.yaml").read_text(encoding="utf-8").replace("\n", "\r\n"),
    )
    parsed = parse_thresholds(windows, "every-key.yaml")
    assert (parsed.service, parsed.profiles, parsed.scenarios) == (
        unix.service,
        unix.profiles,
        unix.scenarios,
    )
    assert parsed.sha256 != unix.sha256
