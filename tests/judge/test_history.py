"""What a history keeps of verdicts, what of it is compared, and what is told of it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.judge.history import record
from ci_gate.judge.history.record import (
    HISTORY_SCHEMA,
    MAX_RUNS,
    History,
    decode_history,
    encode_history,
    join_runs,
    record_run,
)
from ci_gate.judge.history.series import list_series
from ci_gate.judge.history.worse import MAX_COMMITS_AGO, judge_history
from ci_gate.judge.occasion import Occasion
from tests.judge.histories import EPYC, XEON, make_history, make_run, name_commit
from tests.report.verdicts import SHA, change, duet, endpoint, scenario, verdict

COMMITS = 60


def scatter(seed=1, *, around=200.0, by=0.05, size=COMMITS):
    return around * np.exp(np.random.default_rng(seed).normal(0, by, size))


def raised(values, at, factor):
    return np.where(np.arange(len(values)) >= at, values * factor, values)


# ---- What is kept of a verdict


def test_record__keeps_figures_and_changes_of_all_requests_together():
    compared = duet(change(size=0.12), change("GET /a", size=0.5), change(metric="rate", size=-0.03))
    kept = scenario(endpoints=(endpoint(failures=36), endpoint("GET /a", p95=1.0)), comparison=compared)
    run = record_run(verdict(kept, git={"head": SHA, "base": "b" * 40}))
    assert (run.commit, run.base, run.position) == (SHA, "b" * 40, 0)
    (record,) = run.scenarios
    assert record.figures == {"p50": 42.0, "p95": 212.4, "p99": 391.0, "rate": 59.4, "failures": 0.01}
    assert record.changes == {"p95": 0.12, "rate": -0.03}


def test_record__a_measurement_that_could_not_be_judged_leaves_no_figure():
    run = record_run(verdict(scenario(outcome="INVALID", comparison=duet(change(), outcome="INVALID"))))
    assert (run.scenarios[0].figures, run.scenarios[0].changes) == ({}, {})


def test_record__base_is_the_commit_that_the_occasion_names_where_an_image_was_measured():
    occasion = Occasion(
        event="push",
        pull_number=0,
        head_sha=SHA,
        base_ref="",
        base_sha="c" * 40,
        run_id=1,
        run_attempt=1,
    )
    run = record_run(verdict(git={"head": SHA, "base": "gate-base"}, occasion=occasion))
    assert run.base == "c" * 40


@pytest.mark.parametrize("head", ["", "main", SHA.upper(), SHA[:12], f"{SHA}\n"])
def test_record__none_of_a_verdict_that_names_no_commit(head):
    assert record_run(verdict(git={"head": head})) is None


def test_history__is_read_back():
    history = make_history(scatter(), changes={"p95": 0.01})
    assert decode_history(encode_history(history)) == history


@pytest.mark.parametrize(
    "forge",
    [
        lambda run: run | {"commit": "not a commit"},
        lambda run: run | {"position": -1},
        lambda run: run | {"profile": "x" * 5000},
        lambda run: run | {"more": 1},
        lambda run: run | {"scenarios": [run["scenarios"][0] | {"figures": {"p95": -1}}]},
        lambda run: run | {"scenarios": [run["scenarios"][0] | {"figures": {"<script>": 1.0}}]},
        lambda run: run | {"scenarios": run["scenarios"] * 257},
    ],
)
def test_history__forged_is_refused(forge):
    document = msgspec.json.decode(encode_history(make_history([200.0])))
    document["runs"][0] = forge(document["runs"][0])
    with pytest.raises(EvidenceError):
        decode_history(msgspec.json.encode(document))


def test_history__leaves_out_the_oldest_where_it_would_be_too_large(monkeypatch):
    history = make_history(scatter())
    whole = len(encode_history(history))
    monkeypatch.setattr(record, "MAX_HISTORY_BYTES", whole // 2)
    kept = decode_history(encode_history(history)).runs
    assert 20 <= len(kept) < 30
    assert kept == history.runs[-len(kept) :]


def test_history__of_another_schema_is_refused_by_its_number():
    text = encode_history(History(schema=HISTORY_SCHEMA, runs=())).replace(b'"schema":1', b'"schema":9')
    with pytest.raises(EvidenceError, match="a history of schema 9; this version reads 1"):
        decode_history(text)


# ---- In which order, and which of them


def test_join__is_in_the_order_of_the_branch_and_without_what_is_not_on_it():
    runs = [make_run(number, {"p95": 200.0}, started_at=f"{9 - number}") for number in range(4)]
    joined = join_runs(runs, {name_commit(number): number + 1 for number in (0, 2, 3)})
    assert [run.position for run in joined.runs] == [1, 3, 4]
    assert [run.commit for run in joined.runs] == [name_commit(number) for number in (0, 2, 3)]


def test_join__without_git_is_in_the_order_of_time():
    runs = [make_run(number, {"p95": 200.0}, position=0, started_at=f"{9 - number}") for number in range(4)]
    assert [run.started_at for run in join_runs(runs).runs] == ["6", "7", "8", "9"]


def test_join__takes_the_newest_of_each_scenario_of_a_commit():
    first = make_run(1, {"p95": 1.0}, started_at="1")
    other = make_run(1, {"p95": 2.0}, started_at="2", scenario="search")
    again = make_run(1, {"p95": 3.0}, started_at="3")
    (run,) = join_runs([again, first, other]).runs
    assert {each.name: each.figures["p95"] for each in run.scenarios} == {"checkout": 3.0, "search": 2.0}


def test_join__a_run_of_another_profile_replaces_it_whole():
    quick = make_run(1, {"p95": 1.0}, started_at="1", profile="quick", scenario="search")
    full = make_run(1, {"p95": 3.0}, started_at="3")
    assert join_runs([quick, full]).runs == (full,)


def test_join__forgets_what_is_older_than_the_newest_runs():
    joined = join_runs(make_run(number, {"p95": 200.0}) for number in range(MAX_RUNS + 20))
    assert (len(joined.runs), joined.runs[-1].commit) == (MAX_RUNS, name_commit(MAX_RUNS + 19))


# ---- What is compared with what


def test_trend__a_step_is_told_with_its_commit_size_and_interval():
    (worse,) = judge_history(make_history(raised(scatter(), 19, 1.2))).worse
    assert (worse.scenario, worse.metric.name, worse.steps) == ("checkout", "p95", 1)
    assert worse.since.commit == name_commit(19)
    assert (worse.commits, worse.is_counted) == (41, True)
    assert worse.low < 0.2 < worse.high
    assert worse.change == pytest.approx(0.2, abs=0.05)


def test_trend__a_creep_is_told_from_its_first_step_on():
    values = scatter(by=0.03) * np.exp(np.clip(np.arange(COMMITS) - 19, 0, None) * 0.01)
    (worse,) = judge_history(make_history(values)).worse
    assert worse.steps > 1
    assert worse.change > 0.15


@pytest.mark.parametrize("metric", ["p50", "p95", "p99", "rate"])
def test_trend__equal_versions_are_told_of_as_nothing(metric):
    histories = [make_history(scatter(seed), metric) for seed in range(25)]
    assert [judge_history(each).worse for each in histories] == [()] * 25


def test_trend__worse_is_lower_for_a_rate():
    assert not judge_history(make_history(raised(scatter(), 30, 1.3), "rate")).worse
    (worse,) = judge_history(make_history(raised(scatter(), 30, 0.7), "rate")).worse
    assert worse.change == pytest.approx(-0.3, abs=0.05)


def test_trend__failures_are_told_in_points():
    shares = np.random.default_rng(1).binomial(3000, np.where(np.arange(COMMITS) < 30, 0.001, 0.011)) / 3000
    (worse,) = judge_history(make_history(shares, "failures")).worse
    assert worse.change == pytest.approx(0.01, abs=0.002)


def test_trend__a_small_one_is_drawn_and_not_told():
    judged = judge_history(make_history(raised(scatter(by=0.005), 30, 1.03)))
    assert len(judged.trends[0].shifts) == 1
    assert not judged.worse


def test_trend__what_was_taken_back_is_not_told():
    values = raised(raised(scatter(), 20, 1.4), 40, 1 / 1.4)
    judged = judge_history(make_history(values))
    assert len(judged.trends[0].shifts) == 2
    assert not judged.worse


def test_trend__what_was_taken_back_in_part_is_told_with_what_is_left():
    values = raised(raised(scatter(by=0.03), 20, 1.5), 40, 1 / 1.2)
    (worse,) = judge_history(make_history(values)).worse
    assert worse.since.commit == name_commit(20)
    assert worse.change == pytest.approx(0.25, abs=0.05)


def test_trend__what_began_long_ago_is_not_told():
    size = MAX_COMMITS_AGO + 40
    judged = judge_history(make_history(raised(scatter(size=size), 20, 1.3)))
    assert len(judged.trends[0].shifts) == 1
    assert not judged.worse


def test_trend__few_runs_are_drawn_and_not_judged():
    judged = judge_history(make_history([100.0] * 4 + [300.0] * 5))
    assert [len(each.levels) for each in judged.trends] == [1]
    assert not judged.worse


def test_trend__machines_are_not_compared_with_each_other():
    """A pool that goes over from one CPU model to another: slower, and nobody's fault."""
    values = raised(scatter(), 30, 1.5)
    machines = [EPYC] * 30 + [XEON] * 30
    judged = judge_history(make_history(values, environments=machines))
    assert [len(each.series.points) for each in judged.trends] == [30, 30]
    assert not judged.worse
    assert judge_history(make_history(values)).worse


def test_trend__of_a_mixed_pool_is_found_within_one_model():
    draw = np.random.default_rng(7)
    machines = [EPYC if each < 0.7 else XEON for each in draw.random(COMMITS)]
    values = raised(scatter(), 30, 1.3) * np.array([1.0 if each is EPYC else 1.6 for each in machines])
    (worse,) = judge_history(make_history(values, environments=machines)).worse
    assert worse.machine.cpu_model == EPYC.cpu_model
    assert worse.change == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("fact", ["image_version", "kernel", "python", "locust"])
def test_trend__what_may_be_the_machine_is_drawn_with_it_and_not_told(fact):
    other = msgspec.structs.replace(EPYC, **{fact: "other"})
    environments = [EPYC] * 30 + [other] * 30
    judged = judge_history(make_history(raised(scatter(), 30, 1.5), environments=environments))
    (shift,) = judged.trends[0].shifts
    assert len(shift.also) == 1
    assert shift.also[0].endswith("-> other")
    assert not judged.worse
    later = [EPYC] * 45 + [other] * 15
    assert judge_history(make_history(raised(scatter(), 30, 1.5), environments=later)).worse


def test_trend__of_another_load_is_another_series():
    few, many = ([make_run(n, {"p95": 200.0}, users=users) for n in range(12)] for users in (10, 100))
    history = join_runs([*few, *[msgspec.structs.replace(run, commit=run.commit[::-1]) for run in many]])
    assert {each.users: len(each.points) for each in list_series(history)} == {10: 12, 100: 12}


def test_trend__of_a_scenario_that_is_no_longer_measured_is_not_told():
    old = [make_run(n, {"p95": float(v)}) for n, v in enumerate(raised(scatter(), 30, 1.5))]
    new = [make_run(n, {"p95": 200.0}, scenario="search") for n in range(60, 85)]
    assert not judge_history(join_runs([*old, *new])).worse


# ---- Where machines change too often


def chained(changes, *, environments=None, broken=()):
    size = len(changes)
    runs = [
        make_run(
            number,
            {"p95": 200.0},
            changes={"p95": float(size_of)},
            environment=None if environments is None else environments[number],
            **({"base": "f" * 40} if number in broken else {}),
        )
        for number, size_of in zip(range(size), changes, strict=True)
    ]
    return join_runs(runs)


def links(seed=1, *, each=0.0, by=0.02, size=40):
    return np.random.default_rng(seed).normal(each, by, size)


def test_chain__many_small_changes_are_told_together():
    (worse,) = judge_history(chained(links(each=0.02))).worse
    assert worse.machine is None
    assert worse.change > 0.5
    assert 0 < worse.low < worse.change < worse.high


def test_chain__of_equal_versions_is_told_of_as_nothing():
    assert not any(judge_history(chained(links(seed))).worse for seed in range(100))


def test_chain__ends_at_a_run_with_another_base():
    judged = judge_history(chained(links(each=0.02), broken={30}))
    (drift,) = judged.drifts
    assert len(drift.chain.changes) == 10
    assert drift.chain.runs[0].commit == name_commit(30)


def test_chain__is_not_told_where_one_kind_of_machine_has_enough_runs():
    judged = judge_history(chained(links(each=0.02), environments=[EPYC] * 40))
    assert judged.drifts
    assert not judged.worse


def test_chain__short_ones_are_drawn_and_not_judged():
    (drift,) = judge_history(chained(links(each=0.2, size=5))).drifts
    assert (drift.low, drift.high) == (0.0, 0.0)


def test_history__of_nothing_shows_nothing():
    assert judge_history(join_runs([])).worse == ()
