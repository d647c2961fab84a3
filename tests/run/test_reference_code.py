"""Which code or statement: seeded regressions of the reference service on PostgreSQL and Redis."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG
from tests.run.reference_regressions import PACKAGE, REGRESSIONS, write_versions
from tests.servers import running_redis

TOP = 3


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda each: each.name)
def test_what_got_slower_in_the_reference_service__is_named(
    repository, call, tmp_path, postgres_url, redis_url, regression
):
    """Whatever the verdict: a short comparison often has none, and the code is sampled even so."""
    write_versions(repository, regression, postgres_url, redis_url)
    out = tmp_path / "out"
    options = ("--thresholds", repository.thresholds, "--out", out, "--base", "HEAD", "--profile-code")
    _, table, progress = call("run", *options)
    report = table + progress
    print(report)
    assert (out / "verdict.json").exists(), report
    scenario = decode_verdict((out / "verdict.json").read_bytes()).scenarios[0]
    named = [(each.name, each.file) for each in scenario.code.functions[:TOP]]
    statements = [each.query for each in scenario.diagnosis.statements[:TOP]]
    is_function = (regression.function, f"{PACKAGE}/{regression.file}") in named
    is_statement = regression.statement and any(regression.statement in each for each in statements)
    assert is_function or is_statement, report
