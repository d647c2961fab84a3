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
@pytest.mark.parametrize(
    "regression",
    [REGRESSIONS[0], *(pytest.param(each, marks=LONG) for each in REGRESSIONS[1:])],
    ids=lambda each: each.name,
)
def test_code__a_function_that_got_slower_is_named(repository, call, tmp_path, regression):
    write_versions(repository, regression)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 1, report
    print(report)
    assert regression.function in [each.name for each in scenario.code.functions[:3]], report
    assert scenario.code.functions[0].file == "shop.py"
