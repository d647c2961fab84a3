"""Every cause: evidence in which it is named first, and evidence near it in which it is not named at all."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci_gate.judge
from ci_gate.evidence.readings import KILLED_FOR_MEMORY, ForeignProcess, ForeignUse, ProbeReading
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_UNREPORTED,
    ENDED_WITHOUT_REPLY,
    FLAG_RETRY_AFTER,
    UNSENT,
)
from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.diagnosis.bottleneck import Diagnosis, gather_circumstances
from ci_gate.judge.diagnosis.causes import GENERATOR, UNKNOWN
from ci_gate.judge.diagnosis.observation import ProbeWindow, count_in_flight, observe
from ci_gate.judge.diagnosis.occupancy import MIN_SHARE, locate
from ci_gate.service.process import describe_status
from ci_gate.thresholds import SUCCESSES, parse_thresholds
from tests.judge.bottleneck_notation import (
    FULL_POOL,
    IDLE_DATABASE,
    IDLE_POOL,
    SECONDS,
    THRESHOLDS,
    codes,
    diagnose_head,
    make_circumstances,
    make_evidence,
    make_limit,
    make_machine,
    make_probe,
    make_statements,
)
from tests.judge.evidence_values import make_run
from tests.judge.recordings import BEGIN_S, DURATION_S, make_rows

WORKERS = {"workers": 4, "workers_busy": 4}
LOCKED = {**IDLE_DATABASE, "connections_active": 4, "waiting_lock": 4, "longest_transaction_s": 0.05}
WORKING = {**IDLE_DATABASE, "connections_active": 5, "on_cpu": 5, "connections_total": 6}
READING = {**IDLE_DATABASE, "waiting_io": 4.5, "blocks_read": 900, "blocks_hit": 100}
OPEN = {**IDLE_DATABASE, "connections_idle_in_transaction": 40, "longest_transaction_s": 0.4}
HEALTHY = {"in_flight": 0.5, "rate": 100}

# Code, evidence in which it comes first, evidence near it; in both, a latency is above its limit unless
# `is_slow` says otherwise.
PROOFS = (
    ("connection-pool", {"pool": FULL_POOL}, {"pool": {**FULL_POOL, "pool_waiting": 0}}),
    ("connection-pool", {"pool": FULL_POOL, "is_slow": False}, {"pool": IDLE_POOL, "is_slow": False}),
    ("workers", {"pool": {**IDLE_POOL, **WORKERS}}, {"pool": {**IDLE_POOL, **WORKERS, "workers_busy": 2}}),
    ("listen-queue", {"queue": 40, "is_slow": False}, {"queue": 0}),
    ("listen-queue", {"queue": 40}, {"queue": 40, "cpu": 97.0}),
    ("service-cpu", {"cpu": 97.0, "is_slow": False}, {"cpu": 80.0, "is_slow": False}),
    ("service-cpu", {"cpu": 70.0, "waited": 0.3}, {"cpu": 30.0, "waited": 0.3}),
    ("service-cpu", {"cpu": 380.0, "busiest": 95.0}, {"cpu": 250.0, "busiest": 250.0}),
    ("host-cpu", {"cpu": 30.0, "waited": 0.8}, {"cpu": 30.0, "waited": 0.1}),
    ("host-cpu", {"cpu": 30.0, "waited": 0.8}, {"cpu": 30.0, "waited": 0.8, "is_slow": False}),
    ("database-cpu", {"pool": FULL_POOL, "database": WORKING}, {"pool": FULL_POOL}),
    ("lock-contention", {"pool": FULL_POOL, "database": LOCKED}, {"database": {**LOCKED, "waiting_lock": 0}}),
    ("database-io", {"pool": FULL_POOL, "database": READING}, {"database": {**READING, "waiting_io": 0}}),
    (
        "open-transaction",
        {"pool": None, "database": OPEN},
        {"pool": None, "database": OPEN, "is_slow": False},
    ),
    (
        "open-transaction",
        {"database": OPEN, "pool": {"pool_size": 50, "pool_in_use": 40, "pool_waiting": 0}},
        {"database": OPEN, "pool": {**FULL_POOL, "pool_size": 40, "pool_in_use": 40}},
    ),
    (
        "connection-pool",  # in bursts: full now and then, and much waited for
        {"pool": {**IDLE_POOL, "pool_in_use": 3, "pool_waiting": 30}},
        {"pool": {**IDLE_POOL, "pool_size": 50, "pool_in_use": 40, "pool_waiting": 2}},
    ),
    ("generator", {"generator": 98.0, "lag": 600.0}, {"generator": 70.0, "lag": 20.0}),
    ("redis-cpu", {"redis": {"cpu_s": 0.98}}, {"redis": {"cpu_s": 0.5}}),
    ("slow-dependency", {}, {"is_slow": False}),
    ("unknown", {"pool": None, "database": None}, {"pool": None, "database": None, "is_slow": False}),
)


def diagnose(words):
    evidence = {name: value for name, value in words.items() if name != "is_slow"}
    return diagnose_head(make_evidence(**evidence), is_slow=words.get("is_slow", True))


@pytest.mark.parametrize(("code", "first", "near"), PROOFS, ids=[proof[0] for proof in PROOFS])
def test_place__is_named_where_it_is_short_and_not_near_it(code, first, near):
    diagnosis = diagnose(first)
    assert codes(diagnosis)[0] == code
    assert diagnosis.causes[0].share >= MIN_SHARE
    assert code not in codes(diagnose(near))


@pytest.mark.parametrize(
    "more", [{}, {"cpu": 99.0}, {"host": 99.0, "waited": 0.9}, {"pool": {**FULL_POOL, "pool_waiting": 0}}]
)
def test_healthy__has_no_cause(more):
    assert diagnose({**HEALTHY, **more, "is_slow": False}) == Diagnosis(causes=(), unknown=())


def read_now_and_then(evidence, probe, readings, **gauges):
    """The evidence in which so many readings of the probe show these gauges, and the others zeros."""
    own = [each for each in evidence.probes if each.probe == probe]
    shown = [gauges if number < readings else dict.fromkeys(gauges, 0.0) for number in range(len(own))]
    changed = [
        msgspec.structs.replace(each, values={**each.values, **values})
        for each, values in zip(own, shown, strict=True)
    ]
    others = [each for each in evidence.probes if each.probe != probe]
    return msgspec.structs.replace(evidence, probes=(*changed, *others))


@pytest.mark.parametrize(("readings", "named"), [(1, False), (4, True)])
@pytest.mark.parametrize(
    ("gauge", "code"),
    [
        ("on_cpu", "database-cpu"),
        ("waiting_lwlock", "database-cpu"),
        ("waiting_other", "database-cpu"),
        ("waiting_lock", "lock-contention"),
        ("waiting_io", "database-io"),
        ("connections_idle_in_transaction", "open-transaction"),
    ],
)
def test_place__that_one_reading_shows_is_not_named(gauge, code, readings, named):
    """Recorded: 49 requests/s of 4.5 ms, and one reading of eight that found a statement at work."""
    idle = {**IDLE_DATABASE, "connections_active": 0, "on_cpu": 0}
    evidence = make_evidence(in_flight=0.25, rate=50, cpu=1.0, pool=None, database=idle)
    diagnosis = diagnose_head(read_now_and_then(evidence, "postgres", readings, **{gauge: 1.0}))
    assert (code in codes(diagnosis)) == named


@pytest.mark.parametrize(("readings", "named"), [(1, False), (5, True)])
def test_pool__that_one_reading_shows_is_not_named(readings, named):
    evidence = make_evidence(in_flight=8.0, rate=50, database={**IDLE_DATABASE, "on_cpu": 0})
    diagnosis = diagnose_head(read_now_and_then(evidence, "service", readings, pool_waiting=20.0))
    assert ("connection-pool" in codes(diagnosis)) == named


@pytest.mark.parametrize("is_slow", [True, False])
def test_place__that_is_full_is_named_by_one_reading_where_something_is_too_slow(is_slow):
    evidence = make_evidence(pool=None, database={**IDLE_DATABASE, "waiting_lock": 0})
    evidence = read_now_and_then(evidence, "postgres", 1, waiting_lock=500.0)
    assert ("lock-contention" in codes(diagnose_head(evidence, is_slow=is_slow))) == is_slow


def test_readings__that_are_equal_or_none_have_no_error():
    window = ProbeWindow(readings=make_probe("postgres", {"on_cpu": 2.0, "waiting_lock": 0.0}))
    assert window.relative_error("on_cpu") == window.relative_error("waiting_lock") == 0
    assert window.relative_error("on_cpu", "absent") == window.relative_error("absent") == 0
    assert ProbeWindow(readings=window.readings[:1]).relative_error("on_cpu") == 1
    first, *others = window.readings
    none = [msgspec.structs.replace(each, values={"on_cpu": 0.0}) for each in others]
    assert ProbeWindow(readings=(first, *none)).relative_error("on_cpu") == pytest.approx(1)


def test_shares__add_up_to_all_of_the_time():
    diagnosis = diagnose({"pool": FULL_POOL, "database": LOCKED})
    assert codes(diagnosis) == ["lock-contention"]
    assert diagnosis.causes[0].share == pytest.approx(4 / 50 + 40 / 50 * 4 / 5, rel=0.01)
    assert "50.0 requests in flight" in diagnosis.causes[0].numbers[0]


def test_queue_of_the_pool__is_divided_as_its_connections_are():
    seen = observe(make_evidence(pool=FULL_POOL, database=LOCKED, cpu=0.0), BEGIN_S, BEGIN_S + DURATION_S, 4)
    placed = locate(seen)
    assert placed.locks == pytest.approx(
        4 * 9
    )  # 4 hold a connection, and 4/5 of the queue of 40 wait for them
    assert placed.database == pytest.approx(0.4 * 9)
    assert placed.pool == pytest.approx(0.6 * 9)
    assert placed.outside == pytest.approx(5, rel=0.01)
    assert placed.total == pytest.approx(seen.in_flight)


def test_queue_of_the_pool__is_known_by_the_time_waited_where_there_is_no_gauge():
    pool = {"pool_size": 5, "pool_in_use": 5, "pool_wait_seconds": 40}
    assert codes(diagnose({"pool": pool}))[0] == "connection-pool"


def test_pool__is_named_only_where_one_was_observed():
    for words in ({"pool": None, "database": OPEN}, {"pool": None, "database": {**OPEN, "on_cpu": 4}}):
        diagnosis = diagnose(words)
        assert "connection-pool" not in codes(diagnosis)
        texts = " ".join((*diagnosis.causes[0].numbers, diagnosis.causes[0].next_step))
        assert "pool" not in texts
    assert "40.0 database sessions idled in a transaction, 40 at most" in diagnosis.causes[0].numbers


@pytest.mark.parametrize(
    ("idle", "named"),
    [
        (26, {"open-transaction": 0.52, "slow-dependency": 0.48}),
        (20, {"slow-dependency": 0.6, "open-transaction": 0.4}),
        (5, {"slow-dependency": 0.9}),
    ],
)
def test_connections_that_nobody_waits_for__are_no_pool_whoever_holds_them(idle, named):
    pool = {"pool_size": 100, "pool_in_use": 48, "pool_waiting": 0}
    diagnosis = diagnose({"pool": pool, "database": {**OPEN, "connections_idle_in_transaction": idle}})
    assert codes(diagnosis) == list(named)
    assert [cause.share for cause in diagnosis.causes] == pytest.approx(list(named.values()), abs=0.02)


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        ({"pool_size": 5, "pool_in_use": 5}, "unknown"),
        ({"pool_in_use": 5}, "unknown"),
        ({"pool_size": 5, "pool_in_use": 2}, "slow-dependency"),
        ({"pool_in_use": 0}, "slow-dependency"),
        ({"pool_size": 5, "pool_in_use": 5, "pool_waiting": 0}, "slow-dependency"),
        ({"pool_size": 5, "pool_in_use": 5, "pool_wait_seconds": 0}, "slow-dependency"),
    ],
)
def test_pool_that_may_be_full__hides_who_waits_where_nothing_shows_its_queue(pool, code):
    diagnosis = diagnose({"pool": pool})
    assert codes(diagnosis) == [code]
    said = "who waits for a connection of the pool: the probe service has no pool_waiting"
    assert diagnosis.unknown == ((said,) if code == UNKNOWN else ())


def test_open_transactions__of_a_busy_cpu_are_a_number_beside_it():
    (cause,) = diagnose({"pool": None, "database": OPEN, "cpu": 97.0}).causes
    assert cause.code == "service-cpu"
    assert "40.0 database sessions idled in a transaction, 40 at most" in cause.numbers


def test_queue_of_the_workers__is_not_theirs_where_the_cpu_is_short():
    words = {"pool": {**IDLE_POOL, **WORKERS}, "cpu": 98.0}
    assert codes(diagnose(words)) == ["service-cpu"]


def test_listen_queue__says_how_many_waited_and_who_accepts():
    cause = diagnose({"queue": 40}).causes[0]
    assert cause.share == pytest.approx(40 / 50 + 10 / 50 * 0, rel=0.05)
    assert "40.0 connections waited to be accepted, 40 at most; 2 processes accept them" in cause.numbers
    assert any(line.startswith("the service used 0.20 cores") for line in cause.numbers)


def test_listen_queue__that_overflows_comes_first_however_few_are_in_it():
    short = {"queue": 6, "overflows": 20, "is_slow": False}
    (cause,) = diagnose(short).causes
    assert (cause.code, cause.share) == ("listen-queue", None)
    assert any("found a listen queue full 20 times a second" in line for line in cause.numbers)
    assert codes(diagnose({**short, "is_slow": True}))[0] == "listen-queue"
    assert codes(diagnose({**short, "overflows": 0})) == []
    assert codes(diagnose({**short, "queue": 0})) == []  # of another program
    assert codes(diagnose({**short, "cpu": 97.0})) == ["service-cpu"]


def test_listen_queue__is_the_locks_where_those_who_accept_wait_for_one():
    found = diagnose({"queue": 46, "pool": None, "database": LOCKED, "cpu": 5.0})
    assert codes(found)[0] == "lock-contention"


def test_listen_queue__of_busy_cores_is_a_number_beside_them():
    (cause,) = diagnose({"queue": 40, "cpu": 97.0}).causes
    assert cause.code == "service-cpu"
    assert any("40.0 connections waited to be accepted" in line for line in cause.numbers)


@pytest.mark.parametrize(
    ("readings", "named"),
    [
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 90), False),  # what users that came together had just opened
        ((0, 0, 0, 0, 0, 0, 40, 40, 40, 40), False),
        ((0, 0, 0, 0, 0, 40, 40, 40, 40, 40), True),
    ],
)
def test_listen_queue__is_one_that_most_readings_find(readings, named):
    machine = tuple(
        msgspec.structs.replace(each, service_listen_queue=queue)
        for each, queue in zip(make_machine(20.0, None, 40.0), readings, strict=True)
    )
    found = codes(diagnose_head(make_evidence(machine=machine), is_slow=False))
    assert found == (["listen-queue"] if named else [])


def test_listen_queue__of_more_than_are_in_flight_is_none_that_they_wait_in():
    """Recorded: 100 requests/s of 3.6 ms each, of twenty users who ask at the same moments."""
    assert codes(diagnose({**HEALTHY, "in_flight": 0.36, "queue": 9, "is_slow": False})) == []


@pytest.mark.parametrize(
    ("busy", "mean_lag", "share"),
    [(100.0, 20.3, 1.0), (95.0, 20.3, 0.86), (91.0, 20.3, 0.46), (60.0, 100.0, 0.55)],
)
def test_generator__that_needs_a_core_has_the_queue_of_a_server_that_is_so_busy(busy, mean_lag, share):
    """Recorded: 121 replies/s of 182 ms, of a service that takes 2 ms, to users who compute 8 ms for each.

    Its loop was late by 20 ms on average, and in other runs by up to 49.
    """
    words = {"in_flight": 22.0, "rate": 121, "cpu": 5.6, "pool": None, "database": None}
    causes = {
        cause.code: cause.share
        for cause in diagnose({**words, "generator": busy, "mean_lag": mean_lag}).causes
    }
    assert causes["generator"] == pytest.approx(share, abs=0.02)


def test_generator__leaves_the_service_the_cores_that_it_used():
    words = {"in_flight": 1.0, "rate": 100, "cpu": 85.0, "generator": 91.0, "mean_lag": 0.5}
    causes = diagnose({**words, "pool": None, "database": None}).causes
    assert {cause.code: round(cause.share, 2) for cause in causes} == {"service-cpu": 0.85, "generator": 0.15}


def test_generator__is_named_where_all_of_the_time_has_another_place():
    words = {"generator": 98.0, "lag": 600.0, "pool": {**FULL_POOL, "pool_waiting": 50}}
    assert codes(diagnose(words)) == ["connection-pool", "generator"]


def test_queue_of_the_workers__is_theirs_where_they_keep_transactions_open():
    words = {"pool": WORKERS, "database": {**OPEN, "connections_idle_in_transaction": 4}}
    (first, *_) = diagnose(words).causes
    assert (first.code, first.share > 0.9) == ("workers", True)


def test_generator__beside_a_service_without_a_core_has_what_it_is_late_by():
    words = {"in_flight": 600.0, "rate": 400, "cpu": 97.0, "generator": 100.0, "mean_lag": 50.0}
    assert [(cause.code, round(cause.share, 2)) for cause in diagnose(words).causes] == [
        ("service-cpu", 0.97), ("generator", 0.03)
    ]  # fmt: skip


@pytest.mark.parametrize(("mean_lag", "named"), [(33.0, False), (138.0, True), (None, True)])
def test_generator__is_late_by_its_average_and_not_by_its_worst_moments(mean_lag, named):
    """Recorded: late by 138 ms on average at the worst of each second: 10 of 8.4 requests waited for it."""
    evidence = make_evidence(in_flight=8.4, rate=73, lag=138.0, mean_lag=mean_lag, pool=None, database=None)
    assert ("generator" in codes(diagnose_head(evidence))) == named


@pytest.mark.parametrize(
    ("cpu", "waited", "code"),
    [(6.3, 1.09, "host-cpu"), (95.0, 0.4, "service-cpu"), (6.3, 0.1, "listen-queue")],
)
def test_listen_queue__of_all_who_are_in_flight_is_the_cpus_where_that_is_short(cpu, waited, code):
    """Recorded: 500 connections, of users that had gone too, before a process that got 6 % of a core."""
    others = ForeignUse(cores=1.2, stolen_cores=0.0, processes=(ForeignProcess(name="cc1", cores=1.2),))
    machine = make_machine(
        cpu,
        None,
        100.0,
        service_waited_s=waited,
        service_listen_queue=500,
        service_accepting=1,
        foreign=others,
    )
    assert codes(diagnose_head(make_evidence(machine=machine), host_cores=2)) == [code]


@pytest.mark.parametrize(
    ("foreign", "who"),
    [
        (1.1, "others beside the service 1.7 (cc1 1.1, what may work for it, as its database, 0.6)"),
        (0.0, "others beside the service 1.7 (what may work for it, as its database, 1.7)"),
        (None, "others beside the service 1.7"),
    ],
)
def test_host_cpu__says_who_took_it(foreign, who):
    processes = (ForeignProcess(name="cc1", cores=foreign),) if foreign else ()
    use = None if foreign is None else ForeignUse(cores=foreign, stolen_cores=0.0, processes=processes)
    machine = make_machine(10.0, None, 100.0, service_waited_s=1.0, foreign=use)
    (cause, *_) = diagnose_head(make_evidence(machine=machine), host_cores=2, offered_per_s=100.0).causes
    assert cause.code == "host-cpu"
    assert next(each for each in cause.numbers if "cores were busy" in each).endswith(who)


def test_quota__is_a_limit_of_its_own():
    for usage, held_s in ((45.0, 0.0), (30.0, 0.2)):
        machine = make_machine(usage, None, 40.0, service_cpus=0.5, service_throttled_s=held_s)
        assert codes(diagnose({"machine": machine})) == ["cpu-quota"]
    machine = make_machine(30.0, None, 40.0, service_cpus=0.5, service_throttled_s=0.0)
    assert "cpu-quota" not in codes(diagnose({"machine": machine}))


@pytest.mark.parametrize(
    ("offered_per_s", "code"), [(None, "host-cpu"), (200, "host-cpu"), (400, "service-cpu")]
)
def test_cpu__is_the_services_own_where_all_that_is_offered_takes_more_than_a_core(offered_per_s, code):
    recording = make_evidence(cpu=30.0, waited=0.8)  # 3 ms for each of 100 requests a second
    assert codes(diagnose_head(recording, offered_per_s=offered_per_s)) == [code]


@pytest.mark.parametrize(("cpu", "host", "code"), [(60, 95, "service-cpu"), (60, 80, None), (6, 95, None)])
def test_cpu__without_readings_of_waiting_needs_a_full_machine(cpu, host, code):
    recording = make_evidence(machine=make_machine(float(cpu), None, float(host)))
    assert codes(diagnose_head(recording, is_slow=False)) == ([code] if code else [])


def test_cpu__of_many_processes_is_judged_by_the_waiting_of_one():
    alone = make_machine(40.0, 40.0, 90.0, service_waited_s=0.8)
    of_eight = make_machine(320.0, 40.0, 90.0, service_waited_s=0.8)
    assert codes(diagnose_head(make_evidence(machine=alone), host_cores=8)) == ["host-cpu"]
    assert codes(diagnose_head(make_evidence(machine=of_eight), host_cores=8)) == ["slow-dependency"]


@pytest.mark.parametrize(
    ("pinned_cores", "code"), [(4, "service-cpu"), (6, "slow-dependency"), (None, "slow-dependency")]
)
def test_cpu__of_a_service_is_full_where_all_cores_are_that_locust_leaves_it(pinned_cores, code):
    machine = make_machine(390.0, 40.0, 75.0, service_waited_s=0.8)
    found = diagnose_head(make_evidence(machine=machine), host_cores=8, pinned_cores=pinned_cores)
    assert codes(found) == [code]
    says = [line for cause in found.causes for line in cause.numbers if line.startswith("it may use")]
    assert says == (
        ["it may use 4 cores: the processes of Locust have others"] if code == "service-cpu" else []
    )


@pytest.mark.parametrize(("generator", "code"), [(50.0, "service-cpu"), (85.0, None)])
def test_cpu__without_readings_of_waiting_needs_the_cores_full_that_locust_leaves(generator, code):
    machine = make_machine(60.0, None, 55.0)  # 4.4 of 8 cores, with what Locust uses
    recording = make_evidence(machine=machine, generator=generator)
    found = diagnose_head(recording, is_slow=False, host_cores=8, pinned_cores=4)
    assert codes(found) == ([code] if code else [])


def test_circumstances__a_plan_says_how_many_cores_the_service_may_use():
    thresholds = parse_thresholds(THRESHOLDS, "thresholds.yaml")
    scenario, *_ = thresholds.scenarios
    run = make_run(thresholds)
    plans = tuple(msgspec.structs.replace(plan, other_cpus=(0, 1, 2)) for plan in run.recordings)
    for recordings, cores in ((run.recordings, None), (plans, 3)):
        of_run = msgspec.structs.replace(run, recordings=recordings)
        assert gather_circumstances(thresholds, of_run, scenario, (), None).pinned_cores == cores


def test_arrivals_that_brought_no_request__are_not_in_flight():
    rows = [make_rows(2, [500.0] * 100), make_rows(4, [9000.0] * 50)]
    recording = make_evidence(rows=np.concatenate(rows), strings=("", "Visitor", "GET /a", "POST /b", UNSENT))
    seen = observe(recording, BEGIN_S, BEGIN_S + DURATION_S)
    assert seen.in_flight == pytest.approx(5, rel=0.05)
    assert seen.requests_per_s == pytest.approx(10)


def test_service_that_answers_nothing__is_too_slow_without_a_single_latency():
    signed_in = make_rows(2, [20.0] * 100, begin_s=BEGIN_S - 20)
    waiting = make_rows(3, [40_000.0] * 20, begin_s=BEGIN_S - 10, status=201)
    recording = make_evidence(rows=np.concatenate([signed_in, waiting]))
    assert codes(diagnose_head(recording, is_slow=False)) == ["stall", "slow-dependency"]
    answered = np.concatenate([recording.samples, make_rows(2, [20.0])])
    recording = msgspec.structs.replace(recording, samples=answered)
    assert codes(diagnose_head(recording, is_slow=False)) == []


def test_duet_without_head_alone__is_diagnosed_by_its_head():
    recordings = {DUET_HEAD: make_evidence(pool=FULL_POOL)}
    assert codes(diagnose_head(None, others=recordings)) == ["connection-pool"]


def make_pair(base, head):
    """Recordings of a duet that send so many statements a request."""
    return {
        name: make_evidence(pool={**FULL_POOL, "requests": 100, "statements": 100 * count})
        for name, count in ((DUET_BASE, base), (DUET_HEAD, head))
    }


def test_n_plus_one__is_named_before_the_pool_that_it_fills():
    statements = [make_statements(("SELECT 1", 9, 20.0), ("SELECT * FROM items\nWHERE id = $1", 4100, 900.0))]
    head = make_evidence(pool=FULL_POOL, statements=statements)
    diagnosis = diagnose_head(head, others=make_pair(3, 60), is_slow=False)
    assert codes(diagnosis) == ["n-plus-one"]
    assert diagnosis.causes[0].share == pytest.approx(45 / 50 * (1 - 3 / 60), rel=0.01)
    assert diagnosis.causes[0].numbers[0] == "60.0 statements per request on head, 3.0 on base (20.0 x)"
    assert diagnosis.causes[0].numbers[1] == "most often: 4,100 x SELECT * FROM items WHERE id = $1"


@pytest.mark.parametrize(("base", "head"), [(3, 3), (3, 5), (0.1, 1), (0, 60), (60, 3)])
def test_n_plus_one__needs_many_more_statements_than_base(base, head):
    diagnosis = diagnose_head(make_evidence(pool=FULL_POOL), others=make_pair(base, head))
    assert codes(diagnosis)[0] == "connection-pool"
    assert "n-plus-one" not in codes(diagnosis)


def test_n_plus_one__without_base_is_only_a_number():
    statements = [make_statements(("SELECT 1", 9, 90.0), ("SELECT 2", 3991, 10.0))]
    for count, numbers in ((400, ("400.0 statements per request", "most often: 3,991 x SELECT 2")), (4, ())):
        pool = {**FULL_POOL, "requests": 10, "statements": 10 * count}
        diagnosis = diagnose({"pool": pool, "statements": statements})
        assert codes(diagnosis) == ["connection-pool"]
        assert diagnosis.causes[0].numbers[3:] == (numbers or ("4.0 statements per request",))


def test_slowest_statement__is_told_where_the_database_is_short():
    statements = [make_statements(("SELECT 1", 9, 90.0), ("SELECT 2", 3991, 10.0))]
    diagnosis = diagnose({"pool": FULL_POOL, "database": LOCKED, "statements": statements})
    assert diagnosis.causes[0].numbers[-1] == "longest altogether: SELECT 1 (0.1 s)"


def test_tolerance_that_is_broken__is_to_be_explained_as_a_limit_is():
    comparison = DuetVerdict(
        outcome="FAIL", duration_s=30.0, analyses=1, alpha=0.05, changes=(), not_compared=(), findings=()
    )
    assert codes(diagnose_head(make_evidence(), is_slow=False, comparison=comparison)) == []
    changed = msgspec.structs.replace(comparison, changes=(make_change("p95"),))
    assert codes(diagnose_head(make_evidence(), is_slow=False, comparison=changed)) == ["slow-dependency"]


@pytest.mark.parametrize(
    ("broken", "is_too_slow"),
    [(("p95",), True), (("rate",), True), (("failures",), False), (("rate", "failures"), False), ((), False)],
)
def test_too_slow__is_not_what_only_fails(broken, is_too_slow):
    limits = tuple(make_limit(metric) for metric in broken)
    assert make_circumstances(limits=limits).is_too_slow == is_too_slow


def make_change(metric):
    return Change(
        endpoint="all",
        metric=metric,
        base=100.0,
        head=150.0,
        change=0.5,
        low=0.4,
        high=0.6,
        worst=0.6,
        p_value=0.001,
        mde=0.05,
        windows=30,
        is_real=True,
        tolerance=0.1,
        outcome="FAIL",
    )


def make_replies(bad, status, *, ending=None, flags=0):
    """1,000 quick replies of which so many are bad."""
    rows = np.concatenate(
        [make_rows(2, [20.0] * (1000 - bad)), make_rows(3, [20.0] * bad, status=status, ending=ending)]
    )
    rows["flags"][1000 - bad :] = flags
    return make_evidence(rows=rows)


@pytest.mark.parametrize(
    ("status", "words", "title"),
    [
        (401, {}, "refused"),
        (403, {}, "refused"),
        (404, {}, "is not there"),
        (422, {}, "rejected as wrong"),
        (500, {}, "the service fails"),
        (0, {"ending": ENDED_WITHOUT_REPLY}, "no reply"),
        (200, {"ending": ENDED_BY_CHECK}, "own check"),
        (200, {"ending": ENDED_UNREPORTED}, "own check"),
    ],
)
def test_failing_replies__are_named_by_their_kind(status, words, title):
    (cause,) = diagnose_head(make_replies(50, status, **words), is_slow=False).causes
    assert (cause.code, cause.share) == ("failing-replies", pytest.approx(0.05))
    assert title in cause.title
    assert cause.numbers[1] == "POST /b: 50 of 50"
    assert diagnose_head(make_replies(9, status, **words), is_slow=False).causes == ()


@pytest.mark.parametrize(
    ("limits", "failed", "codes_"),
    [
        ("successes: 96%", 50, ["failing-replies"]),
        ("successes: 90%", 100, []),  # equality keeps a limit, also where 1 - 0.9 is not 0.1
        ("successes: 90%", 101, ["failing-replies"]),
    ],
)
def test_failing_replies__are_allowed_as_successes_say(limits, failed, codes_):
    text = THRESHOLDS.replace("p95: 200ms", f"p95: 200ms, {limits}")
    scenario = parse_thresholds(text, "t").scenarios[0]
    assert scenario.limits[1].metric == SUCCESSES
    assert codes(diagnose_head(make_replies(failed, 500), is_slow=False, scenario=scenario)) == codes_


def test_failing_replies__that_are_most_come_before_what_is_slow():
    recording = make_replies(600, 500)
    slow = make_evidence(pool=FULL_POOL, rows=recording.samples)
    assert codes(diagnose_head(slow)) == ["failing-replies", "connection-pool"]


def make_late(status, time_ms, **words):
    """Of 41 requests 34 fail, each after so long."""
    rows = [make_rows(2, [20.0] * 7), make_rows(3, [time_ms] * 34, status=status)]
    return make_evidence(**{"pool": None, "rows": np.concatenate(rows), **words})


@pytest.mark.parametrize(
    ("status", "words", "first"),
    [
        # a queue of two sync workers: nobody of those who came in the steady phase was served in it
        (0, {"queue": 962.8}, "listen-queue"),
        (503, {"database": {**IDLE_DATABASE, "waiting_lock": 20}}, "lock-contention"),
        (503, {}, None),  # no place for the wait
    ],
)
def test_failing_replies__that_came_late_stand_below_what_they_waited_for(status, words, first):
    found = codes(diagnose_head(make_late(status, 5010.0, **words), is_slow=False))
    assert (found[0], found[-1]) == (first or "failing-replies", "failing-replies")
    assert "unknown" not in found
    quick = codes(diagnose_head(make_late(status, 15.0, **words), is_slow=False))
    assert quick[0] == "failing-replies"


def test_n_plus_one__whose_requests_wait_until_they_are_refused_is_named_before_that():
    """Recorded: 503 after 5 s from a pool that nothing shows, 34 of 41 requests, and a busy machine."""

    def send(calls, oid):
        database = {
            **IDLE_DATABASE,
            "statement_calls": 100 * calls,
            "server_started_s": 9.0,
            "database_oid": oid,
        }
        return make_evidence(database=database, pool=None)

    others = {DUET_BASE: send(3, 1), DUET_HEAD: send(60, 2)}
    diagnosis = diagnose_head(make_late(503, 5010.0), others=others, is_slow=False)
    assert codes(diagnosis) == ["n-plus-one", "failing-replies"]


def test_failing_replies__are_the_pools_where_it_timed_out():
    rows = make_replies(600, 503).samples
    pool = {**FULL_POOL, "pool_timeouts": 55}
    found = codes(diagnose_head(make_evidence(pool=pool, rows=rows)))
    assert found[0] == "connection-pool"
    assert "failing-replies" not in found


def test_users_that_never_signed_in__are_told_from_the_ramp():
    recording = make_replies(600, 401)
    marks = tuple(mark for mark in recording.marks if mark.name not in {"steady", "stopping"})
    diagnosis = diagnose_head(msgspec.structs.replace(recording, marks=marks), is_slow=False)
    assert codes(diagnosis) == ["failing-replies"]
    assert "refused" in diagnosis.causes[0].title
    assert diagnosis.unknown == ("where the requests' time went: the steady phase never began",)


@pytest.mark.parametrize(("status", "flags"), [(429, 0), (503, FLAG_RETRY_AFTER), (403, FLAG_RETRY_AFTER)])
def test_throttle__is_no_failing_reply(status, flags):
    diagnosis = diagnose_head(make_replies(50, status, flags=flags), is_slow=False)
    assert codes(diagnosis) == ["throttle"]
    assert diagnosis.causes[0].share == pytest.approx(0.05)
    assert diagnose_head(make_replies(0, status, flags=flags), is_slow=False).causes == ()


def test_service_that_ended_or_was_restarted__comes_first():
    machine = make_machine(10.0, None, 20.0)
    ended = tuple(msgspec.structs.replace(each, service_alive=each.wall_s < SECONDS[4]) for each in machine)
    failing = make_replies(900, 0, ending=ENDED_WITHOUT_REPLY).samples
    diagnosis = diagnose_head(make_evidence(machine=ended, rows=failing))
    assert codes(diagnosis) == ["service-ended"]
    assert diagnosis.causes[0].numbers[0] == "it had ended 24 s after the load began"
    restarted = tuple(
        msgspec.structs.replace(each, service_restarts=1 + (each.wall_s > SECONDS[4])) for each in machine
    )
    diagnosis = diagnose_head(make_evidence(machine=restarted, pool=FULL_POOL))
    assert codes(diagnosis) == ["service-ended", "connection-pool"]
    same = tuple(msgspec.structs.replace(each, service_restarts=1) for each in machine)
    assert codes(diagnose_head(make_evidence(machine=same, pool=FULL_POOL))) == ["connection-pool"]


SIGKILL = describe_status(-9)


@pytest.mark.parametrize(
    ("end", "mib", "found"),
    [
        (f"{KILLED_FOR_MEMORY} of 64 MiB", (35, 46, 54), ["memory", "service-ended"]),
        (SIGKILL, (35, 46, 54), ["memory", "service-ended"]),  # the engine did not say why
        (SIGKILL, (35, 36, 37), ["service-ended"]),
        ("exit status 3", (35, 46, 54), ["service-ended"]),
    ],
)
def test_service_that_was_killed_for_want_of_memory__had_too_little_of_it(end, mib, found):
    """Recorded: 54 of 64 MiB a second before, of a service that grew by 10 MiB a second."""
    machine = tuple(
        msgspec.structs.replace(
            each,
            service_alive=each.wall_s < SECONDS[4],
            service_end="" if each.wall_s < SECONDS[4] else end,
            service_memory_bytes=dict(enumerate(mib)).get(number, 0) * 2**20,
        )
        for number, each in enumerate(make_machine(10.0, None, 20.0))
    )
    diagnosis = diagnose_head(make_evidence(machine=machine), memory_bytes=64 * 2**20)
    assert codes(diagnosis) == found
    assert end in diagnosis.causes[0].numbers[0]
    assert f": {end}" in diagnosis.causes[-1].numbers[0]


FULL_SERVER = {"connections_total": 96.0, "max_connections": 100.0, "reserved_connections": 3.0}


@pytest.mark.parametrize(
    ("server", "is_slow", "named"),
    [
        (FULL_SERVER, True, ["database-connections"]),
        (FULL_SERVER, False, []),  # as many as are needed, and nothing waits
        (FULL_SERVER | {"connections_total": 95.0}, True, []),
        ({"connections_total": 99.0, "max_connections": 100.0}, True, ["database-connections"]),
    ],
)
def test_connections_of_the_server__all_in_use(server, is_slow, named):
    diagnosis = diagnose({"database": IDLE_DATABASE | server, "is_slow": is_slow})
    assert [code for code in codes(diagnosis) if code == "database-connections"] == named
    if named:
        (cause,) = [cause for cause in diagnosis.causes if cause.code in named]
        assert "of the server's 100 connections were in use at most" in cause.numbers[0]
        assert ("3 more are reserved" in cause.numbers[0]) == ("reserved_connections" in server)
        assert "raise max_connections" in cause.next_step


def test_connections_of_the_server__of_which_the_probe_gets_none():
    refused = "connection to server failed: FATAL: sorry, too many clients already"
    evidence = make_evidence(database=None)
    failed = tuple(
        ProbeReading(wall_s=at, probe="postgres", took_ms=1.0, values={}, error=refused) for at in SECONDS
    )
    evidence = msgspec.structs.replace(evidence, probes=(*evidence.probes, *failed))
    cause = next(cause for cause in diagnose_head(evidence).causes if cause.code == "database-connections")
    assert "too many clients already" in cause.numbers[0]


def test_memory__of_service_or_redis():
    assert codes(diagnose_head(make_evidence(), memory_bytes=101_000_000, is_slow=False)) == ["memory"]
    assert codes(diagnose_head(make_evidence(), memory_bytes=200_000_000, is_slow=False)) == []
    assert codes(diagnose({"redis": {"evicted_keys": 3}, "is_slow": False})) == ["memory"]
    assert codes(diagnose({"redis": {"evicted_keys": 0}, "is_slow": False})) == []


def test_scenario_that_was_not_measured__says_why():
    diagnosis = diagnose_head(None, failure="the service was not ready after 60 s", is_slow=False)
    assert codes(diagnosis) == ["not-started"]
    assert diagnosis.causes[0].numbers == ("the service was not ready after 60 s",)


@pytest.mark.parametrize("lacking", ["pool", "database", "machine"])
def test_wait_that_may_be_for_what_was_not_observed__is_unknown(lacking):
    diagnosis = diagnose({lacking: () if lacking == "machine" else None})
    assert codes(diagnosis) == ["unknown"]
    assert len(diagnosis.unknown) == 1


def test_probe_that_failed__is_said_with_its_error():
    failed = tuple(
        ProbeReading(wall_s=at, probe="postgres", took_ms=1.0, values={}, error="refused") for at in SECONDS
    )
    recording = make_evidence(database=None)
    recording = msgspec.structs.replace(recording, probes=(*recording.probes, *failed))
    (unknown,) = diagnose_head(recording).unknown
    assert unknown == "the database: the probe postgres failed 10 x, at last: refused"


@settings(max_examples=60, deadline=None)
@given(
    starts_s=st.lists(st.floats(0, 20), max_size=30),
    time_ms=st.floats(0, 9000),
    begin_s=st.floats(0, 20),
    length_s=st.floats(0.1, 10),
)
def test_in_flight__is_the_mean_of_how_many_overlap(starts_s, time_ms, begin_s, length_s):
    starts, end_s = np.array(starts_s), begin_s + length_s
    found = count_in_flight(starts, np.full(len(starts), time_ms), begin_s, end_s)
    edges = np.unique(np.clip([begin_s, end_s, *starts, *(starts + time_ms / 1000)], begin_s, end_s))
    middles = (edges[1:] + edges[:-1]) / 2
    counts = [((starts <= at) & (at < starts + time_ms / 1000)).sum() for at in middles]
    assert found == pytest.approx(float(np.dot(counts, np.diff(edges))) / length_s, abs=1e-6)


numbers = st.floats(0, 200)
GAUGES = {
    "pool_size": numbers,
    "pool_in_use": numbers,
    "pool_waiting": numbers,
    "workers": numbers,
    "workers_busy": numbers,
}
STATES = ("on_cpu", "waiting_lock", "waiting_io", "waiting_lwlock", "connections_idle_in_transaction")
SESSIONS = dict.fromkeys(STATES, numbers)
PLACES = ("service", "generator", "workers", "listen", "pool", "database", "outside")


@settings(max_examples=40, deadline=None)
@given(
    pool=st.fixed_dictionaries({}, optional=GAUGES),
    database=st.fixed_dictionaries({}, optional=SESSIONS),
    in_flight=st.floats(0.1, 100),
    cpu=st.none() | st.floats(0, 800),
    queue=st.none() | st.integers(0, 200),
    short=st.frozensets(st.sampled_from(PLACES)),
    order=st.randoms(use_true_random=False),
)
def test_places__divide_what_is_in_flight_whatever_was_read(
    pool, database, in_flight, cpu, queue, short, order
):
    recording = make_evidence(
        in_flight=in_flight, rate=20, pool=pool, database=database, cpu=cpu, queue=queue
    )
    seen = observe(recording, BEGIN_S, BEGIN_S + DURATION_S, 4)
    placed = locate(seen, short)
    assert placed.total == pytest.approx(seen.in_flight)
    assert all(getattr(placed, name) >= -1e-9 for name in placed.__slots__)
    diagnosis = diagnose_head(recording)
    shares = [cause.share for cause in diagnosis.causes]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9
    shuffled = {name: list(getattr(recording, name)) for name in ("probes", "machine", "readings")}
    for readings in shuffled.values():
        order.shuffle(readings)
    other = diagnose_head(msgspec.structs.replace(recording, **{k: tuple(v) for k, v in shuffled.items()}))
    assert codes(other) == codes(diagnosis)
    assert [cause.share for cause in other.causes] == pytest.approx(shares)


def test_counter__that_began_again_counts_from_zero():
    readings = tuple(
        ProbeReading(wall_s=float(at), probe="service", took_ms=1.0, values={"requests": value})
        for at, value in enumerate((100, 110, 5, 15))
    )
    assert ProbeWindow(readings=readings).rate("requests") == pytest.approx((10 + 5 + 10) / 3)
    assert ProbeWindow(readings=readings[:1]).rate("requests") is None


def test_probe__without_values_has_no_means():
    window = ProbeWindow(readings=make_probe("redis", {}))
    assert window.mean("clients") is window.peak("clients") is window.rate("commands") is None


def test_document__explains_every_cause():
    page = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    sources = "".join(
        path.read_text(encoding="utf-8") for path in Path(ci_gate.judge.__path__[0]).rglob("*.py")
    )
    named = set(re.findall(r'Resource\(\s*code="([a-z-]+)"|Cause\(\s*code="([a-z-]+)"', sources))
    assert explained == {GENERATOR, UNKNOWN, *(code for pair in named for code in pair if code)}
