"""What runs suggest: from which, of what, on which machine, and beside which limits."""

from __future__ import annotations

import dataclasses

import pytest

from ci_gate.judge.limits import Figure
from ci_gate.judge.suggest.limits import Sources, suggest_limits
from ci_gate.judge.suggest.measured import LADDER, MeasuredRun, Runner, choose_runner, explain_unusable
from ci_gate.judge.suggest.suggestion import Evidence, suggest
from ci_gate.thresholds import parse_thresholds
from tests.report.verdicts import duet, endpoint, finding, scenario

HERE = Runner(cpu_model="AMD EPYC 7763", cpus=4, image="ubuntu24")
ELSEWHERE = Runner(cpu_model="Apple M2", cpus=8, image="macOS")
TEXT = """\
schema: 1
service: {command: "serve {port}"}
probes: {metrics: {path: /metrics, statements: statements_total}}
profiles: {quick: {duration: 20s}, pull_request: {duration: 60s}}
scenarios:
  visits:
    locustfile: a.py
    users: {A: 30}
    spawn_rate: 10
    limits:
      all: {failures: 1%}
"""


def read(limits="all: {failures: 1%}"):
    return parse_thresholds(TEXT.replace("all: {failures: 1%}", limits), "thresholds.yaml")


def run(p95=100.0, *, runner=HERE, ci=True, failures=0.0, rate=50.0, **more):
    """A run of one endpoint that was called 3,000 times a minute; ``more``: calls of others."""
    figures = {}
    for each, samples in {"all": 3000, "GET /a": 3000, **more}.items():
        for metric in LADDER:
            figures[each, metric.name] = Figure(measured=p95, samples=samples)
        figures[each, "failures"] = Figure(measured=failures, samples=samples)
        figures[each, "rate"] = Figure(measured=rate, samples=samples)
    return MeasuredRun(
        runner=runner,
        is_on_ci=ci,
        endpoints=("GET /a", *more),
        figures=figures,
        duration_s=60.0,
    )


def runs(count=3, **more):
    return tuple(run(p95=100.0 + number, **more) for number in range(count))


def suggest_from(measured, limits="all: {failures: 1%}", *, replaces=False, trusts_all=False):
    sources = Sources(
        runs=tuple(measured),
        runner=choose_runner(measured, trusts_all=trusts_all),
        trusts_all=trusts_all,
        shortest_s=20.0,
    )
    return suggest_limits(read(limits).scenarios[0], sources, replaces=replaces)


def texts(found):
    return {(each.endpoint, each.metric.name): each.text for each in found.limits}


def test_suggest__what_is_missing_and_can_be_shown_in_every_profile():
    found = suggest_from(runs())
    assert texts(found) == {("all", "p95"): "130ms", ("all", "rate"): "47/s", ("GET /a", "p95"): "130ms"}
    assert [(each.limit.metric.name, each.broken_by) for each in found.kept] == [("failures", 0)]
    assert found.todos == ()


def test_suggest__nothing_beside_a_percentile_that_is_there():
    found = suggest_from(runs(), "all: {p50: 1s, rate: 5/s}\n      GET /a: {p99.9: 2s}")
    assert texts(found) == {("all", "failures"): "0.1%"}


def test_suggest__a_lower_percentile_of_what_is_called_less():
    found = suggest_from(runs(**{"GET /b": 500, "GET /c": 90}))
    assert texts(found)["GET /b", "p90"] == "130ms"
    assert ("GET /c", "p50") in texts(found)  # 30 successes in the shortest profile, of which it takes 20


def test_suggest__says_what_is_too_rare():
    found = suggest_from(runs(**{"GET /c": 60}))
    assert found.too_rare == (("GET /c", 1.0),)
    assert not any(each[0] == "GET /c" for each in texts(found))


def test_suggest__two_runs_are_a_todo_that_says_how_many_more():
    found = suggest_from(runs(2))
    assert texts(found) == {}
    assert {each.why for each in found.todos} == {"1 more run of this machine would support a limit"}


def test_suggest__latency_and_rate_of_another_machine_are_todos_and_failures_are_not():
    found = suggest_from(runs(runner=ELSEWHERE, ci=False), "GET /a: {p50: 1s}")
    assert {each.metric.name for each in found.todos} == {"p95", "rate"}
    assert {each.why for each in found.todos} == {"not the runner that will judge"}
    assert {each.runner for each in found.todos} == {ELSEWHERE}
    assert texts(found) == {("all", "failures"): "0.1%"}


def test_suggest__a_developers_machine_of_the_same_kind_does_not_judge_unless_somebody_says_so():
    assert texts(suggest_from(runs(ci=False))) == {}
    assert texts(suggest_from(runs(ci=False), trusts_all=True))["all", "p95"] == "130ms"


def test_suggest__of_several_machines_the_one_of_most_runs_on_ci_judges():
    measured = (*runs(), run(p95=90.0, runner=ELSEWHERE), *runs(5, runner=ELSEWHERE, ci=False))
    assert choose_runner(measured, trusts_all=False) == HERE
    assert texts(suggest_from(measured))["all", "p95"] == "130ms"


def test_suggest__what_another_machine_of_ci_would_break_is_a_todo():
    found = suggest_from((*runs(), run(p95=200.0, runner=ELSEWHERE)))
    (why,) = {each.why for each in found.todos}
    assert why == "130ms would be broken on Apple M2, 8 CPUs, macOS, where CI measured as well"
    assert ("all", "p95") not in texts(found)
    assert ("all", "rate") in texts(found)


def test_suggest__runs_that_scatter_too_much_are_a_todo():
    found = suggest_from([run(p95=100.0 * 2**number) for number in range(3)])
    assert ("all", "p95") not in texts(found)
    (why,) = {each.why for each in found.todos}
    assert why == "the runs scatter so much that only 53000ms would hold; more runs support a closer one"


def test_suggest__a_machine_that_nothing_is_known_of_does_not_judge():
    unknown = Runner(cpu_model="", cpus=2, image="")
    assert choose_runner(runs(runner=unknown), trusts_all=False) is None


@pytest.mark.parametrize("bound", ["50ms", "900ms"])
def test_suggest__a_limit_that_is_there_is_replaced_only_if_asked(bound):
    kept = suggest_from(runs(), f"all: {{p95: {bound}}}")
    assert ("all", "p95") not in texts(kept)
    (limit,) = (each for each in kept.kept if each.limit.metric.name == "p95")
    assert limit.broken_by == (3 if bound == "50ms" else 0)
    assert limit.support.bound == 130.0
    replaced = suggest_from(runs(), f"all: {{p95: {bound}}}", replaces=True)
    (new,) = (each for each in replaced.limits if each.metric.name == "p95" and each.endpoint == "all")
    assert (new.text, new.old.text, new.loosens) == ("130ms", bound, bound == "50ms")


def test_suggest__a_resource_is_suggested_only_where_it_is_limited():
    measured = [
        dataclasses.replace(each, figures={**each.figures, ("all", "cpu"): Figure(measured=2.0, samples=9)})
        for each in runs()
    ]
    assert ("all", "cpu") not in texts(suggest_from(measured))
    (kept,) = (
        each for each in suggest_from(measured, "all: {cpu: 5ms}").kept if each.limit.metric.is_resource
    )
    assert kept.support.bound == 2.2
    assert texts(suggest_from(measured, "all: {cpu: 5ms}", replaces=True))["all", "cpu"] == "2.2ms"


def test_suggest__successes_are_failures_that_nobody_suggests():
    found = suggest_from(runs(), "all: {successes: 99%, p95: 1s, rate: 5/s}", replaces=True)
    assert {metric for _, metric in texts(found)} == {"p95", "rate"}
    assert found.kept == ()


def test_suggest__an_endpoint_that_one_run_lacks_has_no_figure():
    found = suggest_from((*runs(2, **{"GET /b": 3000}), run()))
    assert not any(each[0] == "GET /b" for each in texts(found))


def test_suggest__a_name_that_the_file_cannot_hold_is_named():
    found = suggest_from(runs(**{"get /b": 3000, "odd": 3000}))
    assert found.unnameable == ("get /b", "odd")
    assert {each[0] for each in texts(found)} == {"all", "GET /a"}


SCENARIO = read().scenarios[0]


def test_unusable__a_run_that_is_invalid_or_has_findings():
    assert explain_unusable(SCENARIO, scenario(), ()) is None
    lone = scenario(findings=[finding("auth-failing", "invalid", message="401")], outcome="INVALID")
    assert explain_unusable(SCENARIO, lone, ()) == "INVALID: auth-failing: GET /a: 401"
    note = scenario(findings=[finding("host-busy", "info")])
    assert explain_unusable(SCENARIO, note, ()) is None
    other_load = [finding("other-load", "invalid", subject="visits", message="other users")]
    assert explain_unusable(SCENARIO, scenario("visits"), other_load) == "other-load: other users"
    of_another = [finding("other-load", "invalid", subject="else", message="other users")]
    assert explain_unusable(SCENARIO, scenario("visits"), of_another) is None


def test_unusable__a_run_whose_endpoint_fails():
    failing = scenario(endpoints=[endpoint(), endpoint("GET /a", 200, failures=3)])
    assert explain_unusable(SCENARIO, failing, ()) == "GET /a fails: 3 of 200 requests (1.5 %)"
    of_its_own = read("all: {p50: 1s}\n      GET /a: {failures: 2%}").scenarios[0]
    assert explain_unusable(of_its_own, failing, ()) is None


@pytest.mark.parametrize(("limit", "most"), [("successes: 90%", 10), ("failures: 29%", 29)])
def test_unusable__equality_keeps_a_limit_as_it_does_in_a_verdict(limit, most):
    """1 - 0.9 is less than 10 %, and 0.29 * 100 is less than 29, in floating point."""
    said = read(f"all: {{{limit}}}").scenarios[0]
    for failures in (most, most + 1):
        why = explain_unusable(said, scenario(endpoints=[endpoint("all", 100, failures=failures)]), ())
        assert (why is None) == (failures == most), why


def test_unusable__a_head_that_was_worse_than_base_but_not_one_that_broke_a_limit():
    worse = scenario(outcome="FAIL", comparison=duet(outcome="FAIL"))
    assert explain_unusable(SCENARIO, worse, ()) == "head was worse than base"
    assert explain_unusable(SCENARIO, scenario(outcome="FAIL"), ()) is None


def test_suggestion__is_empty_where_no_run_could_be_used():
    nothing = suggest(read(), Evidence(runs={}, duets={}, unusable=()))
    assert nothing.is_empty
    some = suggest(read(), Evidence(runs={"visits": runs()}, duets={}, unusable=()))
    assert not some.is_empty
    assert dataclasses.replace(some, scenarios=()).is_empty
