"""What a service used for its successes: read from evidence, compared, and held against limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ci_gate.evidence.readings import MachineReading, ProbeReading
from ci_gate.judge.compare.comparison import settle
from ci_gate.judge.compare.resource_effects import measure_peak, measure_per_success
from ci_gate.judge.resources import Counted, Held, Resources, read_resources, summarise_resources
from ci_gate.report.explain import describe_missing
from ci_gate.thresholds import CPU, MEMORY, STATEMENTS
from tests.judge.duets import START_S, phase, simulate
from tests.judge.test_comparison import change_of, compared, fail_some, missing_of

DURATION_S = 60.0
OWN, OTHERS = (1.0, 16384.0), (1.0, 16385.0)


def read_every_second(value_at):
    times_s = np.arange(-5.0, DURATION_S + 3.0)
    return times_s + START_S, np.array([value_at(at) for at in times_s])


def work(samples, *, cpu_ms=2.0, memory_mib=100.0, statements=3.0, scatter=0.02, seed=1, database=None):
    """The samples with a service that used so much for each success, give or take, and held that memory."""
    rng = np.random.default_rng(seed)
    done_s = np.sort(samples.intended_s[samples.success]) - START_S

    def count(per_success):
        each = per_success * np.exp(rng.normal(0, scatter, done_s.size))
        totals = np.concatenate([[0.0], np.cumsum(each)])
        times_s, values = read_every_second(lambda at: totals[np.searchsorted(done_s, at)])
        return Counted(times_s=times_s, totals=values)

    times_s, held = read_every_second(lambda _at: memory_mib * np.exp(rng.normal(0, scatter / 10)))
    return replace(
        samples,
        resources=Resources(
            cpu_ms=count(cpu_ms),
            memory_mib=Held(times_s=times_s, values=held),
            statements=count(statements),
            database=database,
        ),
    )


def sides(seed=1, head=None, **of_head):
    base, plain_head = simulate(np.random.default_rng(seed), DURATION_S)
    return work(base, seed=seed), work(head or plain_head, seed=seed + 1000, **of_head)


@pytest.mark.parametrize(
    ("metric", "tolerance", "same", "worse"),
    [
        ("cpu", 0.04, {"cpu_ms": 2.0}, {"cpu_ms": 2.16}),
        ("memory", 0.1, {"memory_mib": 100.0}, {"memory_mib": 120.0}),
        ("statements", 0.05, {"statements": 3.0}, {"statements": 4.0}),
    ],
)
def test_resource__that_head_uses_more_of_fails_and_the_same_passes(metric, tolerance, same, worse):
    for used, outcome in ((same, "PASS"), (worse, "FAIL")):
        comparison = compared(*sides(**used), tolerances={metric: tolerance}, duration_s=DURATION_S)
        (change,) = comparison.changes  # of all requests, and of no endpoint
        assert (change.endpoint, change.outcome, settle(comparison)) == ("all", outcome, outcome)
        (key,) = used
        assert change.head == pytest.approx(used[key], rel=0.02)
        assert change.change == pytest.approx(used[key] / same[key] - 1, abs=0.01)


def test_resource__that_head_uses_less_of_passes():
    changes = compared(*sides(cpu_ms=1.0, memory_mib=50.0, statements=1.0), tolerances=RESOURCES).changes
    assert {change.metric: change.outcome for change in changes} == dict.fromkeys(RESOURCES, "PASS")


RESOURCES = {"cpu": 0.05, "memory": 0.05, "statements": 0.05}


def test_resource__equal_versions_are_not_blocked():
    """At a tolerance of nothing every real change fails: it must be as rare as alpha."""
    outcomes = [
        settle(compared(*sides(seed), tolerances={"cpu": 0.0}, alpha=0.01)) == "FAIL" for seed in range(200)
    ]
    assert sum(outcomes) <= 7  # P(Binomial(200, 0.01) > 7) = 0.001; seeds are fixed


def test_cpu__of_a_head_that_fails_fast_is_not_cheap():
    """A failure costs half of a success, and half of the requests fail: each success costs half more."""
    base, head = simulate(np.random.default_rng(3), DURATION_S)
    failing = fail_some(head, 0.5)
    base = work(base)
    used = work(head, cpu_ms=1.5, seed=5).resources  # of all requests, on average
    comparison = compared(base, replace(failing, resources=used), tolerances={"cpu": 0.1})
    change = change_of(comparison, "cpu")
    assert (change.outcome, change.head) == ("FAIL", pytest.approx(3.0, rel=0.1))


def test_memory__that_peaks_once_does_not_pass():
    base, head = sides()
    held = head.resources.memory_mib
    values = np.where(held.times_s == START_S + 30, 200.0, held.values)
    head = replace(head, resources=replace(head.resources, memory_mib=replace(held, values=values)))
    change = change_of(compared(base, head, tolerances={"memory": 0.2}), "memory")
    assert (change.outcome, change.head) == ("INCONCLUSIVE", pytest.approx(200.0))


@pytest.mark.parametrize("metric", ["cpu", "memory", "statements"])
def test_resource__that_was_not_read_of_one_side_is_not_compared(metric):
    base, head = sides()
    comparison = compared(base, replace(head, resources=Resources()), tolerances={metric: 0.1})
    missing = missing_of(comparison, metric)
    assert (missing.lacking, missing.outcome, settle(comparison)) == ("readings", *["INCONCLUSIVE"] * 2)


def test_resource__that_was_read_in_half_of_the_phase_is_not_compared():
    base, head = sides()
    times_s, totals = head.resources.cpu_ms.times_s, head.resources.cpu_ms.totals
    half = Counted(times_s=times_s[times_s < START_S + 30], totals=totals[times_s < START_S + 30])
    head = replace(head, resources=replace(head.resources, cpu_ms=half))
    assert measure_per_success(base, head, CPU, phase(DURATION_S)) is None


def test_memory__with_too_few_readings_is_not_compared():
    base, head = sides()
    few = Held(times_s=START_S + np.array([10.0, 20.0]), values=np.array([100.0, 100.0]))
    head = replace(head, resources=replace(head.resources, memory_mib=few))
    assert measure_peak(base, head, phase(DURATION_S)) is None


@pytest.mark.parametrize(
    ("of_base", "of_head", "lacking"), [(OWN, OWN, ["databases"]), (OWN, OTHERS, []), (None, None, [])]
)
def test_statements__of_one_database_are_of_both_sides_and_not_compared(of_base, of_head, lacking):
    base, head = sides(database=of_head)
    base = replace(base, resources=replace(base.resources, database=of_base))
    comparison = compared(base, head, tolerances={"statements": 0.1})
    assert [missing.lacking for missing in comparison.not_compared] == lacking
    assert len(comparison.changes) == 1 - len(lacking)


@pytest.mark.parametrize(
    ("of_base", "of_head", "lacking"), [(1.0, 1.0, ["databases"]), (1.0, 2.0, []), (None, None, [])]
)
def test_cpu__of_one_database_server_is_of_both_sides_and_not_compared(of_base, of_head, lacking):
    base, head = (
        replace(side, resources=replace(side.resources, server_started_s=server_s))
        for side, server_s in zip(sides(), (of_base, of_head), strict=True)
    )
    comparison = compared(base, head, tolerances={"cpu": 0.1})
    assert [missing.lacking for missing in comparison.not_compared] == lacking
    assert [describe_missing(missing) for missing in comparison.not_compared] == [
        "was not measured: base and head share one database server, whose CPU is of both"
    ] * len(lacking)
    assert len(comparison.changes) == 1 - len(lacking)


def test_swapped_sides__mirror_the_effect():
    base, head = sides(cpu_ms=2.2, memory_mib=110.0)
    for measure in (
        lambda *both: measure_per_success(*both, CPU, phase(60)),
        lambda *both: measure_peak(*both, phase(60)),
    ):
        one, other = measure(base, head), measure(head, base)
        assert (one.estimate, one.error) == (pytest.approx(-other.estimate), pytest.approx(other.error))


# From evidence to figures


def machine(at_s, cpu_s, memory_bytes):
    return MachineReading(
        wall_s=at_s,
        host_cpu_percent=0.0,
        load_average=0.0,
        service_alive=True,
        service_cpu_percent=None,
        service_memory_bytes=memory_bytes,
        service_cpu_s=cpu_s,
    )


def probe(name, at_s, **values):
    return ProbeReading(wall_s=at_s, probe=name, took_ms=1.0, values=values)


class Evidence:
    """Of a recording, what is read of resources."""

    def __init__(self, machine=(), probes=()):
        self.machine, self.probes = machine, probes


def test_figures__are_of_the_phase_alone():
    recording = Evidence(
        machine=[
            machine(at, cpu_s, size)
            for at, cpu_s, size in ((0, 0, 9 << 20), (10, 5, 2 << 20), (20, 6, 3 << 20), (30, 9, 8 << 20))
        ],
        probes=[
            probe("service", at, statements=value) for at, value in ((0, 7), (10, 10), (20, 40), (30, 50))
        ],
    )
    figures = summarise_resources(read_resources(recording), np.linspace(5, 25, 21), 10.0, 20.0)
    assert figures.cpu_ms == pytest.approx(1000 / 10)
    assert (figures.memory_mib, figures.statements) == (3.0, pytest.approx(3.0))
    assert [figures.of(metric) for metric in (CPU, MEMORY, STATEMENTS)] == pytest.approx([100, 3, 3])


def test_figures__of_a_service_that_was_not_read_are_unknown():
    figures = summarise_resources(read_resources(Evidence()), np.linspace(0, 10, 11), 0.0, 10.0)
    assert (figures.cpu_ms, figures.memory_mib, figures.statements) == (None, None, None)


def test_statements__are_the_services_own_where_it_counts_them():
    of_database = [
        probe("postgres", at, statement_calls=9 * at, server_started_s=1.0, database_oid=16384)
        for at in range(20)
    ]
    own = [probe("service", at, statements=2 * at) for at in range(20)]
    successes_s = np.linspace(0, 19, 20)
    both = read_resources(Evidence(probes=[*of_database, *own]))
    assert (summarise_resources(both, successes_s, 0, 19).statements, both.database) == (2, None)
    without = read_resources(Evidence(probes=of_database))
    assert (summarise_resources(without, successes_s, 0, 19).statements, without.database) == (9, OWN)


def test_counter__that_fell_began_again_at_nothing():
    counted = Counted.of([(0, 5.0), (1, 8.0), (2, 2.0), (3, 4.0)])
    assert counted.between(np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx([3, 2, 2])
    assert Counted.of([(0, 5.0), (1, None)]) is None


def with_database(server_cpu_s=(0.0, 2.0), began_s=1.0, at=(0, 20)):
    return Evidence(
        machine=[machine(time_s, time_s / 2, 1 << 20) for time_s in (0, 10, 20)],
        probes=[
            probe("postgres", time_s, server_cpu_s=cpu_s, server_started_s=began_s, database_oid=1)
            for time_s, cpu_s in zip(at, server_cpu_s, strict=True)
        ],
    )


def test_cpu__is_of_all_that_cpu_of_names():
    successes_s = np.linspace(0, 19.9, 200)
    service = read_resources(with_database())
    assert summarise_resources(service, successes_s, 0, 20).cpu_ms == pytest.approx(50)
    assert service.server_started_s is None
    both = read_resources(with_database(), ("service", "postgres"))
    assert summarise_resources(both, successes_s, 0, 20).cpu_ms == pytest.approx(60)
    assert both.server_started_s == 1.0


@pytest.mark.parametrize("evidence", [with_database(at=(0, 5)), Evidence(machine=with_database().machine)])
def test_cpu__of_a_database_that_was_not_read_is_not_known(evidence):
    both = read_resources(evidence, ("service", "postgres"))
    assert summarise_resources(both, np.linspace(0, 19, 20), 0, 20).cpu_ms is None
