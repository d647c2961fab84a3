"""What findings on the sides do to a comparison, and what a duet that never began says."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ci_gate.evidence.processes import Worker
from ci_gate.evidence.samples import ENDED_NEVER, UNSENT
from ci_gate.evidence.workload import Workload
from ci_gate.judge.compare.duet import judge_duet, weigh
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.rules import RULES
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from ci_gate.run.plan import plan_duet
from ci_gate.thresholds import Compare, parse_thresholds
from tests.judge.evidence_values import make_machine_reading
from tests.judge.recordings import BEGIN_S, make_recording, make_rows
from tests.judge.test_verdict import judge_two
from tests.report.verdicts import finding

TEXT = """
schema: 1
service: {command: "serve {port}"}
profiles:
  quick: {duration: 10s}
scenarios:
  first:
    locustfile: first.py
    users: {Visitor: 10}
    spawn_rate: 1
    limits:
      GET /a: {p50: 100ms}
    regression: {p50: 10%}
"""
SCENARIO = parse_thresholds(TEXT, "thresholds.yaml").scenarios[0]
SETTINGS = Compare(max_duration_s=40, alpha=0.01)


def plan_sides(text):
    """What base and head do of the only scenario."""
    thresholds = parse_thresholds(text, "thresholds.yaml")
    workload = Workload(locustfile="first.py", classes=(), error=None)
    return plan_duet(thresholds.scenarios[0], thresholds.profiles[0], workload, SETTINGS)


PLANS = plan_sides(TEXT)
DURATION_S = 41.0


def test_each_side__bears_a_share_that_no_binary_number_is():
    text = TEXT.replace("{Visitor: 10}", "{A: 100}") + "    compare_load: 7%\n"
    base, _ = plan_sides(text)
    assert base.users == {"A": 7}  # 100 * 0.07 is 7.000000000000001


@pytest.mark.parametrize(
    ("share", "users", "spawn_rate", "arrivals_per_s"),
    [
        ("50%", {"A": 6, "B": 1}, 2.0, 50.0),
        ("100%", {"A": 11, "B": 1}, 4.0, 100.0),
        ("7%", {"A": 1, "B": 1}, 0.28, 7.0),
    ],
)
def test_each_side__bears_the_share_of_the_load_that_the_scenario_says(
    share, users, spawn_rate, arrivals_per_s
):
    text = TEXT.replace("{Visitor: 10}\n    spawn_rate: 1", "{A: 11, B: 1}\n    spawn_rate: 4")
    text += f"    arrivals: 100/s\n    compare_load: {share}\n"
    for plan in plan_sides(text):
        assert plan.users == users
        assert plan.spawn_rate == pytest.approx(spawn_rate)
        assert plan.arrivals_per_s == pytest.approx(arrivals_per_s)


SEEDS = {"base": 1, "head": 2}


def record(side, *, slower=1.0, dead=False, throttled=0, begun=True):
    draw = np.random.default_rng(SEEDS[side])
    rows = [make_rows(2, 20 * slower * draw.lognormal(0, 0.1, 2000))]
    rows += [make_rows(2, [1.0] * throttled, status=429)] if throttled else []
    for each in rows:
        for column in ("start_s", "intended_s"):
            each[column] = BEGIN_S + (each[column] - BEGIN_S) * DURATION_S / 10
    recording = make_recording(*rows)
    later = {"stopping": BEGIN_S + DURATION_S, "ended": BEGIN_S + DURATION_S + 1}
    marks = [mark for mark in recording.marks if begun or mark.name not in {"steady", "stopping"}]
    machine = (make_machine_reading(BEGIN_S + 30, service_alive=not dead),)
    at = [
        msgspec.structs.replace(mark, wall_s=later[mark.name], monotonic_s=later[mark.name])
        if mark.name in later
        else mark
        for mark in marks
    ]
    readings = [
        msgspec.structs.replace(recording.readings[0], wall_s=second, monotonic_s=second)
        for second in np.arange(981.0, BEGIN_S + DURATION_S)
    ]
    return msgspec.structs.replace(recording, marks=tuple(at), machine=machine, readings=tuple(readings))


def judge(base, head):
    return judge_duet(SCENARIO, SETTINGS, PLANS, (classify(base, ()), classify(head, ())))


@pytest.mark.parametrize(
    ("base", "head", "outcome"),
    [
        ({}, {}, "PASS"),
        ({}, {"slower": 1.5}, "FAIL"),
        ({}, {"slower": 0.5}, "PASS"),
        ({"dead": True}, {}, "INCONCLUSIVE"),  # a change may be what fixes base
        ({}, {"dead": True}, "INVALID"),  # but a head that breaks down is not excused by that
        ({}, {"dead": True, "slower": 1.5}, "INVALID"),
        ({"dead": True}, {"dead": True}, "INCONCLUSIVE"),
        ({}, {"throttled": 50}, "INVALID"),
        ({"begun": False}, {"begun": False}, "INCONCLUSIVE"),
    ],
)
def test_duet__findings_on_its_sides(base, head, outcome):
    judged = judge(record("base", **base), record("head", **head))
    assert judged.outcome == outcome, [finding.message for finding in judged.findings]


def of_two_workers(recording, *, slow=1.0, lost=None, busy=None, each=10.0):
    """As two processes of Locust recorded it: the second one's requests took ``slow`` times as long."""
    samples = recording.samples.copy()
    samples["response_ms"][1::2] *= slow
    cpu_percents = {number: 97.0 if number == busy else each for number in (1, 2)}
    workers = tuple(
        Worker(
            number=number,
            marks=recording.marks,
            readings=tuple(
                msgspec.structs.replace(reading, cpu_percent=cpu_percent) for reading in recording.readings
            ),
            totals=None if number == lost else recording.totals,
        )
        for number, cpu_percent in cpu_percents.items()
    )
    return msgspec.structs.replace(recording, samples=samples, workers=workers)


@pytest.mark.parametrize(
    ("base", "head", "outcome", "findings"),
    [
        ({}, {}, "PASS", set()),
        ({"slow": 2.0}, {"slow": 2.0}, "PASS", set()),  # a slow worker is slow for both
        ({}, {"slow": 2.0}, "FAIL", set()),
        ({"lost": 2}, {}, "INCONCLUSIVE", {("worker-lost", "base", "Locust worker 2")}),
        ({}, {"busy": 1}, "INCONCLUSIVE", {("generator-busy", "head", "Locust worker 1")}),
        ({"each": 50.0}, {"each": 50.0}, "PASS", set()),
    ],
)
def test_workers__of_each_side_are_looked_at_for_themselves(base, head, outcome, findings):
    plans = tuple(msgspec.structs.replace(plan, processes=2) for plan in PLANS)
    sides = (of_two_workers(record(side), **how) for side, how in (("base", base), ("head", head)))
    judged = judge_duet(SCENARIO, SETTINGS, plans, tuple(classify(side, ()) for side in sides))
    found = {(each.code, each.side, each.subject) for each in judged.findings if each.severity == "invalid"}
    assert (judged.outcome, found) == (outcome, findings)


@pytest.mark.parametrize(("each", "is_busy"), [(50.0, True), (40.0, False)])
def test_workers__of_both_sides_on_one_cpu_may_have_none_left(each, is_busy):
    """None has 90 % of a core for itself."""
    plans = tuple(msgspec.structs.replace(plan, processes=2, worker_cpus=(6, 7)) for plan in PLANS)
    sides = (of_two_workers(record(side), each=each) for side in ("base", "head"))
    judged = judge_duet(SCENARIO, SETTINGS, plans, tuple(classify(side, ()) for side in sides))
    found = {(each.side, each.subject) for each in judged.findings if each.code == "generator-busy"}
    names = [f"Locust worker {number} and what shares its CPU" for number in (1, 2)]
    assert found == ({(side, name) for side in ("base", "head") for name in names} if is_busy else set())
    assert judged.outcome == ("INCONCLUSIVE" if is_busy else "PASS")


@pytest.mark.parametrize(
    ("of_base", "of_head", "busy"), [((50.0, 30.0), (50.0, 30.0), {1}), ((50.0, 50.0), (30.0, 30.0), set())]
)
def test_workers__are_added_up_by_cpu_though_each_reads_at_moments_of_its_own(of_base, of_head, busy):
    def use(recording, cpu_percents, *, later_s):
        workers = tuple(
            msgspec.structs.replace(
                worker,
                readings=tuple(
                    msgspec.structs.replace(
                        reading,
                        cpu_percent=cpu_percent,
                        wall_s=reading.wall_s + later_s,
                        monotonic_s=reading.monotonic_s + later_s,
                    )
                    for reading in worker.readings
                ),
            )
            for worker, cpu_percent in zip(of_two_workers(recording).workers, cpu_percents, strict=True)
        )
        return msgspec.structs.replace(of_two_workers(recording), workers=workers)

    plans = tuple(msgspec.structs.replace(plan, processes=2, worker_cpus=(6, 7)) for plan in PLANS)
    sides = use(record("base"), of_base, later_s=0.0), use(record("head"), of_head, later_s=0.4)
    judged = judge_duet(SCENARIO, SETTINGS, plans, tuple(classify(side, ()) for side in sides))
    found = {(each.side, each.subject) for each in judged.findings if each.code == "generator-busy"}
    names = {f"Locust worker {number} and what shares its CPU" for number in busy}
    assert found == {(side, name) for side in ("base", "head") for name in names}


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.severity == "invalid"], ids=lambda rule: rule.code
)
def test_head__is_not_blamed_for_what_strikes_by_chance(rule):
    outcome = weigh((finding(rule.code, "invalid", side="head"),), "PASS")
    assert outcome == ("INCONCLUSIVE" if rule.fault else "INVALID")


@pytest.mark.parametrize(("side", "outcome"), [("base", "INCONCLUSIVE"), ("head", "INVALID")])
def test_finding__says_its_side_by_a_field_and_not_by_its_text(side, outcome):
    found = finding("throttled", "invalid", "head: GET /a", side=side)
    assert weigh((found,), "PASS") == outcome
    assert found.about == f"{side}: head: GET /a"
    judged = judge(
        record("base", throttled=50 * (side == "base")), record("head", throttled=50 * (side == "head"))
    )
    assert {(each.side, each.subject) for each in judged.findings} == {(side, "GET /a")}


def test_duet__arrivals_without_a_request_are_failures_of_all_and_no_endpoint():
    def lose(recording, count):
        unsent = make_rows(4, [0.0] * count, status=0, ending=ENDED_NEVER)
        for column in ("start_s", "intended_s"):
            unsent[column] = BEGIN_S + (unsent[column] - BEGIN_S) * DURATION_S / 10
        samples = np.concatenate([recording.samples, unsent])
        return msgspec.structs.replace(recording, samples=samples, strings=(*recording.strings, UNSENT))

    text = TEXT.replace("regression: {p50: 10%}", "regression: {p50: 10%, failures: 1%}")
    scenario = parse_thresholds(text, "thresholds.yaml").scenarios[0]
    sides = lose(record("base"), 0), lose(record("head"), 200)
    judged = judge_duet(scenario, SETTINGS, PLANS, tuple(classify(side, ()) for side in sides), ())
    compared = {(each.endpoint, each.metric) for each in (*judged.changes, *judged.not_compared)}
    assert compared == {("all", "p50"), ("all", "failures")}
    assert judged.outcome == "FAIL"  # 200 of 2,200 arrivals, which only head has


@pytest.mark.parametrize("begun", [True, False])
def test_duet__round_trips_in_a_verdict(begun):
    judged = judge(record("base", begun=begun), record("head", begun=begun))
    verdict = judge_two(None)
    scenario = msgspec.structs.replace(verdict.scenarios[0], comparison=judged)
    verdict = msgspec.structs.replace(verdict, scenarios=(scenario,))
    assert decode_verdict(encode_verdict(verdict)) == verdict


def test_duet__users_are_halved():
    assert PLANS[0].users == {"Visitor": 5}
