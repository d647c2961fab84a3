"""Which code: seeded regressions of a real service under real load, and what py-spy shows of them."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG
from tests.run.code_regressions import REGRESSIONS, write_versions


def run(call, repository, out, *options):
    code, table, progress = call(
        "run", "--thresholds", repository.thresholds, "--out", out, "--base", "HEAD", *options
    )
    return code, decode_verdict((out / "verdict.json").read_bytes()).scenarios[0], table + progress


@pytest.mark.slow
def test_code__of_a_head_that_fails_is_sampled_and_named(repository, call, tmp_path):
    regression = REGRESSIONS[0]
    write_versions(repository, regression)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 1, report
    check_named(scenario, regression, report)


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("regression", REGRESSIONS[1:], ids=lambda each: each.name)
def test_code__a_function_that_got_slower_is_named(repository, call, tmp_path, regression):
    """Whatever the verdict: where others have the machine there is none, and the code is sampled even so."""
    write_versions(repository, regression)
    _, scenario, report = run(call, repository, tmp_path / "out", "--profile-code")
    print(report)
    check_named(scenario, regression, report)


def check_named(scenario, regression, report):
    assert regression.function in [each.name for each in scenario.code.functions[:3]], report
    assert scenario.code.functions[0].file == "shop.py"
