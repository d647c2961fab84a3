"""Several processes of Locust: judged as one recording, and each must have been there all the time."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ci_gate.evidence.processes import Worker, merge_readings, merge_totals
from ci_gate.evidence.readings import EarlyStop, EndpointTotal, ErrorCount, Mark, Redirects
from ci_gate.evidence.requests import bring_together, merge_samples
from ci_gate.evidence.steady_rows import find_due, find_steady_bounds
from ci_gate.judge.diagnosis.observation import observe_steady
from ci_gate.judge.diagnosis.saturation import is_generator_short
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import judge_scenario
from tests.judge.evidence_notation import HEALTHY, draw

VARIED = """
10 ShopUser
5 Clerk
steady 20 s
600 GET /items 200 5-50ms
300 POST /orders 201 10-80ms by Clerk
7 GET /items 503 2ms retry-after
9 POST /orders 500 3ms by Clerk checked
40 GET /page 200 4-9ms html
limit all p50 100ms
limit GET /items p95 30ms
limit all worst p95 60ms over 5s
accept GET /items 503
offers 50/s
"""


def split(recording, parts=4):
    """The rows as several processes would have written them, each with texts of its own in an own order."""
    chance = np.random.default_rng(1)
    owner = chance.integers(parts, size=len(recording.samples))
    for part in range(parts):
        rows = recording.samples[owner == part].copy()
        texts = ["", *sorted(recording.strings[1:], key=lambda _: chance.random())]
        numbers = np.array([texts.index(text) for text in recording.strings])
        for field in ("endpoint", "error", "user_class"):
            rows[field] = numbers[rows[field]]
        yield rows, tuple(texts)


def merge(tables):
    return merge_samples([lambda table=table: [table] for table in tables])


def make_workers(recording, count=4):
    totals = msgspec.structs.replace(recording.totals, endpoints=(), heard=())
    return tuple(
        Worker(number=number, marks=recording.marks, readings=recording.readings, totals=totals)
        for number in range(1, count + 1)
    )


def judge(evidence, recording, processes):
    plan = msgspec.structs.replace(evidence.plan, processes=processes)
    return judge_scenario(evidence.scenario, plan, classify(recording, evidence.scenario.accept))


def find_lost(evidence, workers, recording=None):
    recording = msgspec.structs.replace(recording or evidence.recording, workers=tuple(workers))
    verdict = judge(evidence, recording, 4)
    lost = [finding for finding in verdict.findings if finding.code == "worker-lost"]
    assert (verdict.outcome == Outcome.INVALID) is bool(lost)
    return [(finding.subject, finding.message) for finding in lost]


@pytest.mark.parametrize("text", [HEALTHY, VARIED], ids=["healthy", "varied"])
def test_one_recording_in_four_files__is_judged_to_the_same_figures(text):
    evidence = draw(text)
    # The notation writes an endpoint after the other: as a process does, by the end of each request.
    whole = evidence.recording
    order = np.argsort(whole.samples["start_s"] + whole.samples["response_ms"] / 1000, kind="stable")
    whole = msgspec.structs.replace(whole, samples=whole.samples[order])
    samples, strings = merge(split(whole))
    bring_together(samples, find_due(samples, find_steady_bounds(whole.marks, samples)))
    several = msgspec.structs.replace(whole, samples=samples, strings=strings, workers=make_workers(whole))
    one, four = judge(evidence, whole, 1), judge(evidence, several, 4)
    assert four == one
    assert len(four.endpoints) > 2


def test_samples__have_the_order_in_which_they_were_written():
    whole = draw(HEALTHY).recording
    samples, strings = merge(split(whole))
    assert (np.diff(samples["start_s"] + samples["response_ms"] / 1000) >= 0).all()
    assert sorted(strings) == sorted(whole.strings)
    assert len(samples) == len(whole.samples)


def test_samples__a_class_has_a_number_that_its_field_can_hold():
    rows, _ = next(split(draw(HEALTHY).recording, 1))
    rows["user_class"], rows["endpoint"], rows["error"] = 1, 2, 0
    tables = []
    for part in range(2):
        errors = (f"error {part}-{number}" for number in range(40_000))
        tables.append((rows.copy(), ("", f"Class{part}", "GET /", *errors)))
    samples, strings = merge(tables)
    assert {strings[number] for number in np.unique(samples["user_class"])} == {"Class0", "Class1"}


def test_readings__cpu_is_of_all_and_lateness_of_the_worst():
    recording = draw(f"{HEALTHY}reading 3-3 s cpu 50 lag 40").recording
    workers = make_workers(recording, 2)
    merged = merge_readings(recording.readings, workers)
    assert [each.users for each in merged] == [each.users for each in recording.readings]
    assert [each.cpu_percent for each in merged] == [3 * each.cpu_percent for each in recording.readings]
    assert max(each.lag_ms for each in merged) == 40


def test_totals__each_process_counts_and_none_twice():
    recording = draw(HEALTHY).recording
    error = ErrorCount(subject="ShopUser", error="Error()", count=2)
    own = msgspec.structs.replace(
        recording.totals,
        heard=(EndpointTotal(endpoint="GET /items", requests=300, failures=1),),
        task_errors=(error,),
        left_users={"ShopUser": 1},
    )
    workers = [msgspec.structs.replace(each, totals=own) for each in make_workers(recording, 2)]
    master = msgspec.structs.replace(recording.totals, heard=())
    merged = merge_totals(master, tuple(workers))
    assert merged.heard == (EndpointTotal(endpoint="GET /items", requests=600, failures=2),)
    assert merged.task_errors == (msgspec.structs.replace(error, count=4),)
    assert merged.left_users == {"ShopUser": 2}
    assert merged.endpoints == master.endpoints
    lost = msgspec.structs.replace(workers[0], totals=None)
    assert merge_totals(master, (lost, workers[1])).heard is None
    assert merge_totals(None, tuple(workers)) is None


def test_totals__redirects_of_two_pages_stay_two_and_what_each_process_asked_for_counts():
    recording = draw(HEALTHY).recording
    to_home = Redirects(endpoint="GET /items", asked="/items/1", page="/", count=9)
    to_login = msgspec.structs.replace(to_home, page="/login", count=2)
    seen = ((to_home, to_login), (msgspec.structs.replace(to_home, asked="/items/2"),))
    workers = tuple(
        msgspec.structs.replace(each, totals=msgspec.structs.replace(recording.totals, redirects=redirects))
        for each, redirects in zip(make_workers(recording, 2), seen, strict=True)
    )
    merged = merge_totals(recording.totals, workers)
    assert merged.redirects == (
        msgspec.structs.replace(to_home, also_asked="/items/2", count=18),
        to_login,
    )


def test_worker_lost__not_where_all_were_there():
    evidence = draw(HEALTHY)
    assert find_lost(evidence, make_workers(evidence.recording)) == []


def test_worker_lost__left_nothing():
    evidence = draw(HEALTHY)
    workers = make_workers(evidence.recording)
    assert find_lost(evidence, [workers[0], *workers[2:]]) == [
        ("Locust worker 2", "it is one of 4, and left no recording")
    ]


def test_worker_lost__ended_before_its_time():
    evidence = draw(HEALTHY)
    workers = list(make_workers(evidence.recording))
    workers[3] = msgspec.structs.replace(workers[3], totals=None, readings=workers[3].readings[:12])
    ((_, message),) = find_lost(evidence, workers)
    assert message.startswith("it is one of 4, and was killed before it wrote its totals, 12 s after")


def test_worker_lost__never_heard_of_a_phase():
    evidence = draw(HEALTHY)
    workers = list(make_workers(evidence.recording))
    marks = tuple(mark for mark in workers[0].marks if mark.name != "steady")
    workers[0] = msgspec.structs.replace(workers[0], marks=marks)
    ((_, message),) = find_lost(evidence, workers)
    assert "never heard from the master that the phase 'steady' began" in message


@pytest.mark.parametrize(("silent_s", "is_lost"), [(3, False), (6, True)])
def test_worker_lost__stood_still(silent_s, is_lost):
    evidence = draw(HEALTHY)
    workers = list(make_workers(evidence.recording))
    begin_s = evidence.recording.mark("steady").monotonic_s + 5
    readings = tuple(
        each for each in workers[1].readings if not begin_s < each.monotonic_s < begin_s + silent_s
    )
    workers[1] = msgspec.structs.replace(workers[1], readings=readings)
    lost = find_lost(evidence, workers)
    assert [subject for subject, _ in lost] == ["Locust worker 2"] * is_lost


def test_worker_lost__the_master_says_so():
    evidence = draw(HEALTHY)
    mark = evidence.recording.mark("steady")
    marks = (
        *evidence.recording.marks,
        Mark(name="worker_lost", wall_s=mark.wall_s, monotonic_s=mark.monotonic_s),
    )
    recording = msgspec.structs.replace(evidence.recording, marks=marks)
    assert find_lost(evidence, make_workers(recording), recording) == [
        ("Locust", "Locust lost the connection to one of its workers")
    ]


@pytest.mark.parametrize("silence_s", [1.2, 5.3])
def test_worker_lost__the_master_says_so_and_a_worker_was_without_it(silence_s):
    evidence = draw(f"{HEALTHY}processes 2\nremote worker 2 clock 1 ms")
    mark = evidence.recording.mark("steady")
    lost = Mark(name="worker_lost", wall_s=mark.wall_s, monotonic_s=mark.monotonic_s)
    first, second = evidence.recording.workers
    clock = msgspec.structs.replace(second.clock, silence_s=silence_s)
    recording = msgspec.structs.replace(
        evidence.recording,
        marks=(*evidence.recording.marks, lost),
        workers=(first, msgspec.structs.replace(second, clock=clock)),
    )
    findings = judge_scenario(evidence.scenario, evidence.plan, classify(recording, ())).findings
    (message,) = [finding.message for finding in findings if finding.code == "worker-lost"]
    says = "Locust lost the connection to one of its workers"
    assert message == f"{says}{': worker 2 was without the master for 5.3 s' * (silence_s > 3)}"


@pytest.mark.parametrize("rows", [8, 9, 10])
def test_worker_lost__other_rows_are_here_than_it_recorded(rows):
    """Fewer, or such of another worker among them."""
    evidence = draw(f"{HEALTHY}processes 2\nremote worker 2 clock 1 ms")
    first, second = evidence.recording.workers
    workers = (first, msgspec.structs.replace(second, rows=rows))
    recording = msgspec.structs.replace(evidence.recording, workers=workers)
    findings = judge_scenario(evidence.scenario, evidence.plan, classify(recording, ())).findings
    lost = [finding.message for finding in findings if finding.code == "worker-lost"]
    says = f"it is one of 2 (other), and recorded 9 requests, but {rows} are in its folder here"
    assert lost == [says] * (rows != 9)


def test_worker_lost__not_where_the_locustfile_ended_the_test():
    """That has a finding of its own."""
    evidence = draw(f"{HEALTHY}stopped by books.py:14, in watch: enough")
    workers = list(make_workers(evidence.recording))
    workers[1] = msgspec.structs.replace(workers[1], marks=workers[1].marks[:1])
    plan = msgspec.structs.replace(evidence.plan, processes=4)
    recording = msgspec.structs.replace(evidence.recording, workers=tuple(workers))
    verdict = judge_scenario(evidence.scenario, plan, classify(recording, ()))
    assert "worker-lost" not in {finding.code for finding in verdict.findings}
    assert verdict.outcome == Outcome.INVALID


def test_generator_rules__look_at_each_process_for_itself():
    evidence = draw(HEALTHY)
    workers = list(make_workers(evidence.recording))
    busy = tuple(
        msgspec.structs.replace(each, cpu_percent=97.0, lag_ms=900.0) for each in workers[2].readings
    )
    workers[2] = msgspec.structs.replace(workers[2], readings=busy)
    recording = msgspec.structs.replace(evidence.recording, workers=tuple(workers))
    found = {
        finding.code: finding.subject
        for finding in judge(evidence, recording, 4).findings
        if finding.code.startswith("generator-")
    }
    assert found == {"generator-busy": "Locust worker 3", "generator-late": "Locust worker 3"}


def test_stop_of_a_worker__is_that_of_the_run():
    recording = draw(HEALTHY).recording
    stopped = EarlyStop(where="books.py:14, in watch", printed=())
    own = msgspec.structs.replace(recording.totals, stopped=stopped)
    workers = (msgspec.structs.replace(make_workers(recording, 1)[0], totals=own),)
    assert merge_totals(recording.totals, workers).stopped == stopped


@pytest.mark.parametrize(("cpu_percent", "is_short"), [(40.0, False), (97.0, True)])
def test_diagnosis__a_generator_is_short_only_where_one_of_its_processes_is(cpu_percent, is_short):
    """Four processes that use 40 % of a core each use more than a core, and none is at its end."""
    evidence = draw(HEALTHY)
    workers = list(make_workers(evidence.recording))
    own = tuple(msgspec.structs.replace(each, cpu_percent=cpu_percent) for each in workers[2].readings)
    workers[2] = msgspec.structs.replace(workers[2], readings=own)
    readings = merge_readings(evidence.recording.readings, tuple(workers))
    recording = msgspec.structs.replace(evidence.recording, readings=readings, workers=tuple(workers))
    usage = observe_steady(classify(recording, ()))
    assert usage.generator_cores > 1.5
    assert usage.busiest_generator_cores == pytest.approx(max(cpu_percent, 40.0) / 100)
    assert is_generator_short(usage) is is_short
