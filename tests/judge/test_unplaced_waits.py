"""Waits that no probe can place: the times in which nothing was answered, and the endpoint that has them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ci_gate.evidence.readings import ForeignProcess, ForeignUse, Reading
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD
from ci_gate.judge.diagnosis.occupancy import MIN_SHARE
from ci_gate.judge.diagnosis.stalls import find_stalls
from ci_gate.judge.steady import classify
from tests.judge.bottleneck_notation import (
    FULL_POOL,
    IDLE_DATABASE,
    SECONDS,
    codes,
    diagnose_head,
    make_evidence,
    make_machine,
)
from tests.judge.evidence_values import make_machine_reading
from tests.judge.recordings import BEGIN_S, DURATION_S, make_rows

UNPROBED = {"pool": None, "database": None}
STRINGS = ("", "Visitor", "GET /a", "POST /b", "GET /c")


def stall(*stalls, quick_ms=20.0, rate=100, **words):
    """Quick replies, and stalls by begin and length: what is sent then is answered after."""
    rows = make_rows(2, [quick_ms] * int(rate * DURATION_S))
    rows["endpoint"][::3] = 3
    at_s = rows["start_s"] - BEGIN_S
    for begin_s, length_s in stalls:
        waits = (at_s + quick_ms / 1000 > begin_s) & (at_s < begin_s + length_s)
        rows["response_ms"][waits] = 1000 * (begin_s + length_s - at_s[waits])
    return make_evidence(rows=rows, **{**UNPROBED, **words})


def find(recording):
    return [
        (round(each.begin_s - BEGIN_S, 1), round(each.duration_s, 1))
        for each in find_stalls(classify(recording, ()))
    ]


def test_stall__is_named_with_what_service_and_machine_did_then():
    busy = [
        make_machine_reading(
            at, service_cpu_percent=98.0 if 1004 < at < 1006 else 10.0, host_cpu_percent=60.0
        )
        for at in SECONDS
    ]
    first, second = diagnose_head(stall((3.5, 2.0), machine=tuple(busy))).causes
    assert (first.code, second.code) == ("stall", "unknown")
    assert first.share == pytest.approx(0.92, abs=0.05)
    assert first.numbers[0].startswith("no reply for 2.0 s, 3.5 s after the steady phase began, while 1")
    assert first.numbers[1] == "then the service used 0.98 cores; 0.28 over the whole phase"
    assert "100 % of the slowest hundredth of the requests waited in such a time" in first.numbers
    assert "2.4 of this machine's 4 cores were busy" in first.numbers[3]
    assert "garbage collection" in first.next_step


def test_stall__of_a_service_that_waits_says_so():
    waiting = {**IDLE_DATABASE, "waiting_lock": 3}
    (first, *_) = diagnose_head(stall((3, 2), (7, 1.5), cpu=5.0)).causes
    assert "look for what every request waits for" in first.next_step
    assert "2 such times, 3.5 of 10.0 s together" in first.numbers
    (first, *_) = diagnose_head(stall((3, 2), cpu=5.0, database={**waiting, "waiting_lock": 0.9})).causes
    assert "and 0.9 waited for a lock" in first.numbers[-1]


def test_stall__while_others_had_the_machine_does_not_blame_the_service():
    others = ForeignUse(cores=2.5, stolen_cores=0.0, processes=(ForeignProcess(name="cc1", cores=2.5),))
    taken = [
        make_machine_reading(at, service_cpu_percent=5.0, foreign=others if 1004 < at < 1006 else None)
        for at in SECONDS
    ]
    (first, *_) = diagnose_head(stall((3.5, 2.0), machine=tuple(taken))).causes
    assert first.code == "stall"
    assert "other programs had much of this machine" in first.next_step


@pytest.mark.parametrize(
    ("stalls", "quick_ms"),
    [([(3.5, 2.0)], 20.0), ([(1, 1.5), (4, 1.5), (7, 2)], 20.0), ([(3.5, 2.0)], 150.0)],
)
def test_stall__and_what_is_left_are_never_more_than_all_time(stalls, quick_ms):
    first, second = diagnose_head(stall(*stalls, quick_ms=quick_ms)).causes
    assert (first.code, second.code) == ("stall", "unknown")
    assert first.share + (second.share or 0.0) <= 1.0
    assert second.share is None or second.share >= MIN_SHARE
    assert (second.share is None) == (quick_ms < 100)


@pytest.mark.parametrize(
    ("stalls", "found"),
    [
        ([(3.5, 2.0)], [(3.5, 2.0)]),
        ([(2.0, 1.2), (6.0, 3.0)], [(2.0, 1.2), (6.0, 3.0)]),
        ([(0.0, 1.5)], [(0.0, 1.5)]),
        ([(8.0, 2.0)], [(8.0, 2.0)]),
        ([(3.5, 0.9)], []),
        ([], []),
    ],
)
def test_stalls__are_found_where_they_are(stalls, found):
    assert find(stall(*stalls)) == [(at, pytest.approx(length, abs=0.11)) for at, length in found]


def test_stall__is_none_where_nobody_waited():
    rows = make_rows(2, [20.0] * 1000)
    rows = rows[(rows["start_s"] < BEGIN_S + 4) | (rows["start_s"] > BEGIN_S + 7)]
    assert find(make_evidence(rows=rows)) == []


def test_stall__is_none_where_replies_are_rare():
    rows = make_rows(2, [1900.0] * 5)
    assert find(make_evidence(rows=rows)) == []


def test_stall__is_none_where_locust_stood_still_itself():
    recording = stall((3.5, 2.0))
    late = tuple(
        msgspec.structs.replace(each, lag_ms=1900.0 if 1005 < each.wall_s < 1007 else 2.0)
        for each in recording.readings
    )
    assert isinstance(late[0], Reading)
    assert find(msgspec.structs.replace(recording, readings=late)) == []


def test_stall__is_not_named_where_it_is_not_why_it_is_slow():
    assert "stall" not in codes(diagnose_head(stall((3.5, 2.0)), is_slow=False))
    assert "stall" not in codes(diagnose_head(stall((3.5, 1.1), quick_ms=900.0)))
    assert (
        codes(diagnose_head(stall((3.5, 2.0), pool=FULL_POOL, database=IDLE_DATABASE)))[0]
        == "connection-pool"
    )


def test_service_that_answers_nothing__stands_still_all_the_time():
    rows = make_rows(2, [30_000.0] * 50, begin_s=BEGIN_S - DURATION_S - 1)
    assert find(make_evidence(rows=rows)) == [(0.0, 10.0)]


def endpoints(*times_ms, **words):
    """So many requests of each endpoint as there are times, all of the same rate."""
    rows = [make_rows(number, each) for number, each in enumerate(times_ms, start=2)]
    return make_evidence(rows=np.concatenate(rows), strings=STRINGS, **{**UNPROBED, **words})


def test_slow_endpoint__is_named_with_its_spread():
    slow = list(np.linspace(950, 1050, 100))
    first, second = diagnose_head(endpoints(slow, [20.0] * 900)).causes
    assert (first.code, second.code) == ("slow-endpoint", "unknown")
    assert first.share == pytest.approx(0.85, abs=0.01)
    assert second.share is None  # 0.95 less what the endpoint has: its time is counted once
    assert first.title == "one endpoint, and not the others: GET /a"
    assert first.numbers == (
        "85 % of the requests' time, 10 % of the requests",
        "half of its requests took 975 to 1,025 ms: each takes about as long; p95 1,045 ms",
        "its p50 is 1,000 ms, that of all others together 20 ms",
    )
    assert "a sleep or a time-out" in first.next_step
    differ = diagnose_head(endpoints([20.0] * 50 + [3000.0] * 50, [20.0] * 900)).causes[0]
    assert "they differ much" in differ.numbers[1]
    assert "with its quick ones" in differ.next_step


def test_slow_endpoint__has_bases_figure_where_both_were_loaded_at_once():
    head, base = endpoints([1000.0] * 100, [20.0] * 900), endpoints([50.0] * 100, [20.0] * 900)
    causes = diagnose_head(head, others={DUET_HEAD: head, DUET_BASE: base}).causes
    assert causes[0].numbers[-1] == "beside base its p50 is 1,000 ms, base's 50 ms"


@pytest.mark.parametrize(
    ("times_ms", "says"),
    [
        (
            ([500.0] * 500, [500.0] * 500),
            "all endpoints are alike: their requests took 500 to 500 ms on average",
        ),
        (
            ([900.0] * 500, [500.0] * 500),
            "all endpoints are alike: their requests took 500 to 900 ms on average",
        ),
        (
            ([900.0] * 200, [500.0] * 600, [100.0] * 400),
            "in no single endpoint; most in POST /b: 58 % of the requests' time, 50 % of the requests",
        ),
        (([900.0] * 500,), None),
    ],
)
def test_slow_endpoint__is_not_named_where_all_are_slow(times_ms, says):
    (cause,) = diagnose_head(endpoints(*times_ms)).causes
    assert cause.code == "unknown"
    assert (cause.numbers[1] if says else None) == says


def test_slow_endpoint__of_a_service_that_is_observed_is_a_number_of_its_cause():
    recording = endpoints(
        [1000.0] * 100, [20.0] * 900, pool={"pool_size": 5, "pool_in_use": 0.5}, database=IDLE_DATABASE
    )
    (cause,) = diagnose_head(recording).causes
    assert cause.code == "slow-dependency"
    assert cause.numbers[1] == "GET /a: 85 % of the requests' time, 10 % of the requests"


def test_slow_endpoint__is_not_named_where_its_resource_is():
    machine = make_machine(97.0, None, 60.0)
    assert codes(diagnose_head(endpoints([1000.0] * 100, [20.0] * 900, machine=machine)))[0] == "service-cpu"
