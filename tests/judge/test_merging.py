from __future__ import annotations

import itertools

import msgspec
import pytest

from ci_gate.judge.gate.merging import merge_verdicts
from tests.report.verdicts import finding, scenario, verdict

ALL_WELL = {"plan": "success", "image": "success", "scenario": "success"}


def of(name, outcome="PASS", **more):
    """The verdict of the job that measured this scenario."""
    left_out = finding(code="scenarios-left-out", severity="info", subject="run")
    blocks = more.pop("blocks", outcome in {"FAIL", "INVALID"})
    made = verdict(scenario(name, outcome=outcome), outcome=outcome, findings=(left_out,), **more)
    return msgspec.structs.replace(made, blocks=blocks)


def merge(*verdicts, planned=("a", "b"), jobs=ALL_WELL, **more):
    return merge_verdicts(planned, verdicts, jobs=jobs, **more)


def codes(merged):
    return [each.code for each in merged.findings]


def test_merged__passes_when_every_scenario_does():
    merged = merge(of("b"), of("a"))
    assert (merged.outcome, merged.blocks, merged.exit_code) == ("PASS", False, 0)
    assert [each.name for each in merged.scenarios] == ["a", "b"]
    assert merged.findings == ()


def test_merged__order_of_verdicts_does_not_matter():
    verdicts = [of("a"), of("b", "FAIL"), of("c", "INVALID")]
    merged = [merge(*order, planned=("a", "b", "c")) for order in itertools.permutations(verdicts)]
    assert all(each == merged[0] for each in merged)


@pytest.mark.parametrize(
    ("outcomes", "worst", "exit_code"),
    [
        (("PASS", "FAIL"), "FAIL", 1),
        (("INVALID", "PASS"), "INVALID", 3),
        (("INVALID", "FAIL"), "FAIL", 1),
        (("INCONCLUSIVE", "PASS"), "INCONCLUSIVE", 0),
        (("INCONCLUSIVE", "INVALID"), "INVALID", 3),
    ],
)
def test_merged__is_as_bad_as_the_worst(outcomes, worst, exit_code):
    merged = merge(of("a", outcomes[0]), of("b", outcomes[1]))
    assert (merged.outcome, merged.exit_code) == (worst, exit_code)


def test_merged__an_inconclusive_that_blocks_still_does():
    merged = merge(of("a", "INCONCLUSIVE", blocks=True), of("b"))
    assert (merged.outcome, merged.blocks) == ("INCONCLUSIVE", True)


def test_merged__a_missing_scenario_is_invalid():
    merged = merge(of("a"))
    assert (merged.outcome, merged.blocks) == ("INVALID", True)
    assert merged.scenarios[1].name == "b"
    assert [each.code for each in merged.scenarios[1].findings] == ["not-measured"]


def test_merged__a_job_that_says_what_kept_it_from_measuring_is_not_of_another_run():
    kept_out = msgspec.structs.replace(
        verdict(outcome="INVALID", findings=(finding(code="bad-input", subject="run"),)),
        profile="",
        scenarios=(),
    )
    merged = merge(kept_out, of("a"))
    assert codes(merged) == ["bad-input"]
    assert [each.code for each in merged.scenarios[1].findings] == ["not-measured"]
    assert merged.profile == of("a").profile


def test_merged__a_scenario_measured_twice_is_invalid():
    assert merge(of("a"), of("b"), of("b")).outcome == "INVALID"


def test_merged__a_scenario_that_nobody_planned_is_invalid():
    merged = merge(of("a"), of("b"), of("c"))
    assert (merged.outcome, codes(merged)) == ("INVALID", ["not-planned"])


def test_merged__of_nothing_is_invalid():
    merged = merge(planned=())
    assert (merged.outcome, merged.blocks, codes(merged)) == ("INVALID", True, ["nothing-measured"])


@pytest.mark.parametrize("job", ["plan", "image", "scenario"])
@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped", "", "Success", "neutral"])
def test_jobs__only_success_is_success(job, result):
    merged = merge(of("a"), of("b"), jobs={**ALL_WELL, job: result})
    assert (merged.outcome, merged.blocks, codes(merged)) == ("INVALID", True, ["job-not-successful"])


@pytest.mark.parametrize("outcome", ["FAIL", "INVALID"])
def test_jobs__a_blocking_verdict_explains_the_failure_of_its_job(outcome):
    merged = merge(of("a", outcome), of("b"), jobs={**ALL_WELL, "scenario": "failure"})
    assert (merged.outcome, codes(merged)) == (outcome, [])


@pytest.mark.parametrize(("job", "result"), [("scenario", "cancelled"), ("image", "failure")])
def test_jobs__a_blocking_verdict_explains_nothing_else(job, result):
    merged = merge(of("a", "FAIL"), of("b"), jobs={**ALL_WELL, job: result})
    assert (merged.outcome, codes(merged)) == ("FAIL", ["job-not-successful"])


def test_unreadable__is_invalid():
    merged = merge(of("a"), of("b"), unreadable=("verdict-c/verdict.json: not a verdict",))
    assert (merged.outcome, codes(merged)) == ("INVALID", ["verdict-unreadable"])


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds_sha256": "0" * 64},
        {"profile": "quick"},
        {"ci_gate_version": "9.9"},
        {"git": {"head": "1" * 40}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_mixed__runs_are_invalid(change):
    merged = merge(of("a"), msgspec.structs.replace(of("b"), **change))
    assert (merged.outcome, codes(merged)) == ("INVALID", ["mixed-run"])


def test_findings__of_a_run_are_kept_once():
    note = finding(code="other", severity="info", subject="run")
    verdicts = [msgspec.structs.replace(of(name), findings=(note,)) for name in ("a", "b")]
    assert codes(merge(*verdicts)) == ["other"]


@pytest.mark.parametrize("compared", ["a", "b"])
def test_merged__names_the_base_that_any_of_its_jobs_measured(compared):
    """A scenario without a tolerance is measured alone; what is said of base must not depend on the order."""
    git = {"head": "1" * 40}
    alone, beside = of("ab".replace(compared, "")), of(compared)
    merged = merge(
        *sorted(
            (
                msgspec.structs.replace(alone, git=git),
                msgspec.structs.replace(beside, git=git | {"base": "gate-base"}),
            ),
            key=lambda each: each.scenarios[0].name,
        )
    )
    assert merged.git == git | {"base": "gate-base"}
