"""Which load comes next, on services whose throughput is known; every climb ends by itself."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.capacity.knee import locate_knee
from ci_gate.judge.capacity.stepping import (
    MAX_STEPS,
    Climb,
    choose_next,
    count_once,
    explain_end,
    find_first_broken,
)
from tests.judge.load_steps import make_finding, make_limit, make_step, mark_invalid

CLIMB = Climb(lowest=10, highest=10_000, least=1, growth=2.0, duration_s=12.0)
BEFORE_S, SERVICE_S = 1.25, 0.025


def serve(load, *, ceiling=40.0, slowest_ms=200.0):
    """A service with a ceiling, whose latency follows from Little's law, and one latency limit."""
    rate = min(load / (BEFORE_S + SERVICE_S), ceiling)
    in_flight = load - rate * BEFORE_S
    latency_ms = 1000 * in_flight / rate
    outcome = "FAIL" if latency_ms > slowest_ms else "PASS"
    limits = (make_limit(measured=latency_ms, bound=slowest_ms, outcome=outcome),)
    return make_step(load, rate, in_flight, outcome=outcome, limits=limits)


def climb_on(service, climb=CLIMB):
    steps, reasons = [], []
    while upcoming := choose_next(steps, climb):
        step = service(upcoming.load)
        duration_s = upcoming.duration_s
        steps.append(msgspec.structs.replace(step, name=f"step-{len(steps) + 1:03d}", duration_s=duration_s))
        reasons.append(upcoming.why)
    return steps, reasons


def loads_of(steps):
    return [step.load for step in steps]


def test_climb__brackets_the_knee_and_the_limit():
    steps, _ = climb_on(serve)
    assert loads_of(steps)[:5] == [10, 20, 40, 80, 160]
    assert explain_end(steps).by == "knee"
    first = find_first_broken(steps)
    kept = max(step.load for step in steps if step.outcome == "PASS")
    assert kept < 58 < first.load  # 40/s x (1.25 s + 200 ms)
    assert first.load / kept <= 1.2
    assert locate_knee(steps) == pytest.approx(51, rel=0.05)


@given(
    ceiling=st.floats(1, 5000),
    slowest_ms=st.floats(30, 5000),
    growth=st.floats(1.3, 5),
    lowest=st.integers(1, 200),
)
def test_climb__always_ends_and_no_load_is_beyond_what_may_be_asked(ceiling, slowest_ms, growth, lowest):
    climb = dataclasses.replace(CLIMB, lowest=lowest, highest=max(lowest + 1, 5000), growth=growth)
    steps, _ = climb_on(lambda load: serve(load, ceiling=ceiling, slowest_ms=slowest_ms), climb)
    assert 1 < len(steps) <= MAX_STEPS
    assert all(climb.least <= step.load <= climb.highest for step in steps)
    assert max(loads_of(steps).count(load) for load in loads_of(steps)) <= 2


@given(
    seen=st.lists(
        st.tuples(
            st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]),
            st.sampled_from(["generator-busy", "start-failed", "service-ended", "clock-jumped"]),
            st.floats(0, 500),
            st.sampled_from([None, 1.0, 900.0]),
        ),
        min_size=MAX_STEPS,
        max_size=MAX_STEPS,
    )
)
def test_climb__always_ends_whatever_is_seen(seen):
    def surprise(load):
        outcome, code, rate, latency_ms = next(left)
        step = make_step(load, rate, 1.0, outcome=outcome, mean_ms=latency_ms, p50_ms=latency_ms)
        return mark_invalid(step, code) if outcome == "INVALID" else step

    left = iter(seen)
    steps, _ = climb_on(surprise)
    assert 1 <= len(steps) <= MAX_STEPS
    find_first_broken(steps)


def test_climb__ends_at_the_most_that_may_be_asked():
    climb = dataclasses.replace(CLIMB, highest=300)
    steps, _ = climb_on(lambda load: serve(load, ceiling=1e9), climb)
    assert loads_of(steps) == [10, 20, 40, 80, 160, 300]
    assert explain_end(steps) is None
    assert find_first_broken(steps) is None


def test_climb__ends_where_requests_fail():
    def fail_beyond(load):
        failing = (make_limit("failures", measured=0.2, bound=0.01, outcome="FAIL"),)
        step = serve(load, ceiling=1e9)
        return step if load < 100 else msgspec.structs.replace(step, outcome="FAIL", limits=failing)

    steps, _ = climb_on(fail_beyond)
    assert max(loads_of(steps)) == 160
    assert explain_end(steps).by == "failures"
    assert find_first_broken(steps).load == pytest.approx(105, rel=0.1)


def test_climb__a_generator_at_its_end_is_asked_once_more_and_then_believed():
    steps, reasons = climb_on(
        lambda load: mark_invalid(serve(load), "generator-busy") if load > 100 else serve(load, ceiling=1e9)
    )
    assert loads_of(steps)[:6] == [10, 20, 40, 80, 160, 160]
    assert reasons[5] == "again: [generator-busy]"
    assert explain_end(steps).by == "generator"
    assert find_first_broken(steps) is None


def test_climb__goes_on_when_it_was_chance():
    seen = []

    def stumble(load):
        seen.append(load)
        return (
            mark_invalid(serve(load), "generator-late") if seen.count(40) == 1 and load == 40 else serve(load)
        )

    steps, _ = climb_on(stumble)
    assert loads_of(steps)[:6] == [10, 20, 40, 40, 80, 160]
    assert explain_end(steps).by == "knee"


def test_climb__what_is_no_chance_is_not_asked_again():
    steps, _ = climb_on(
        lambda load: mark_invalid(serve(load), "start-failed") if load > 100 else serve(load, ceiling=1e9)
    )
    assert loads_of(steps).count(160) == 1
    assert explain_end(steps).by == "invalid"
    assert find_first_broken(steps).outcome == "INVALID"


def test_climb__ends_at_once_when_the_service_has_ended():
    steps, _ = climb_on(lambda load: mark_invalid(serve(load), "service-ended") if load > 30 else serve(load))
    assert loads_of(steps) == [10, 20, 40]
    assert "[service-ended]" in explain_end(steps).why


def test_climb__a_load_that_does_not_arrive_is_the_generator_at_its_end():
    steps, _ = climb_on(lambda load: make_step(load, min(load, 30.0), 1.0, mean_ms=20.0))
    assert explain_end(steps).by == "generator"
    assert "did not arrive" in explain_end(steps).why


def test_climb__goes_down_when_the_lightest_load_breaks_a_limit():
    steps, _ = climb_on(lambda load: serve(load, ceiling=4.0))
    assert min(loads_of(steps)) < 10
    kept = max(step.load for step in steps if step.outcome == "PASS")
    assert kept < find_first_broken(steps).load <= 1.5 * kept


def test_climb__stays_at_the_least_where_every_load_breaks_a_limit():
    steps, _ = climb_on(lambda load: serve(load, slowest_ms=1.0))
    assert min(loads_of(steps)) == CLIMB.least
    assert all(step.outcome == "FAIL" for step in steps)


def test_climb__proves_limits_by_longer_steps():
    """A percentile that takes 1,000 samples: 12 s do not bring them, up to a minute may."""

    def take(load, duration_s):
        step = serve(load)
        samples = int(step.rate_per_s * duration_s)
        outcome = step.outcome if samples >= 1000 else "INCONCLUSIVE"
        limits = (make_limit(samples=samples, outcome=outcome),)
        return msgspec.structs.replace(step, outcome=outcome, limits=limits, duration_s=duration_s)

    steps = []
    while upcoming := choose_next(steps, CLIMB):
        step = take(upcoming.load, upcoming.duration_s)
        steps.append(msgspec.structs.replace(step, name=f"step-{len(steps) + 1:03d}"))
    assert all(step.duration_s == CLIMB.duration_s for step in steps[:5])
    assert max(step.duration_s for step in steps) <= 5 * CLIMB.duration_s
    assert any(step.outcome == "PASS" for step in steps)
    assert any(step.outcome == "FAIL" for step in steps)


def test_climb__a_limit_that_breaks_below_a_load_that_kept_it_is_asked_again():
    seen = []

    def hiccup(load):
        seen.append(load)
        step = serve(load)
        is_hiccup = load == 20 and seen.count(20) == 1
        return msgspec.structs.replace(step, outcome="FAIL") if is_hiccup else step

    steps, reasons = climb_on(hiccup)
    assert "again: a larger load kept the limits" in reasons
    assert find_first_broken(steps).load > 50


def test_count_once__the_last_measurement_of_a_load_counts():
    steps = [make_step(10, 1.0, number=2), make_step(10, 2.0, number=3), make_step(5, 1.0, number=9)]
    assert [step.name for step in count_once(steps)] == ["step-009", "step-003"]
    assert count_once(steps[::-1]) == count_once(steps)


def test_end__does_not_depend_on_the_order_in_which_steps_are_given():
    steps, _ = climb_on(serve)
    assert explain_end(steps[::-1]) == explain_end(steps)
    assert choose_next(steps[:5][::-1], CLIMB) == choose_next(steps[:5], CLIMB)
    assert explain_end(()) is None


def test_climb__a_breach_without_failures_does_not_end_it():
    step = make_step(10, 8.0, 1.0, outcome="FAIL", limits=(make_limit(outcome="FAIL"),))
    assert explain_end([step]) is None
    assert choose_next([step], CLIMB).load == 20
    note = msgspec.structs.replace(step, findings=(make_finding("host-busy", severity="info"),))
    assert choose_next([note], CLIMB).load == 20
    assert math.isclose(choose_next([], CLIMB).load, CLIMB.lowest)
