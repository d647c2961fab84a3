"""Which code: seeded regressions of a real service under real load, and what py-spy shows of them."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG
from tests.run import reference_regressions
from tests.run.code_regressions import REGRESSIONS, write_versions
from tests.site import running_site

TOP = 3
# What it computes for a request stands in one function, what it waits for in another.
WORK = """
def risk_score():
    return sum(number * number % 7 for number in range(60_000))
"""
ASYNC_SERVICE = """
import asyncio, sys
from work import risk_score

async def serve(reader, writer):
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.02)
        risk_score()
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        await writer.drain()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""


def run(call, repository, out, *options):
    code, table, progress = call(
        "run", "--thresholds", repository.thresholds, "--out", out, "--base", "HEAD", *options
    )
    assert (out / "verdict.json").exists(), table + progress
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
    """Whatever the verdict: a short comparison often has none, and the code is sampled even so."""
    write_versions(repository, regression)
    repository.edit("thresholds.yaml", "{duration: 10s, warmup: 1s}", "{duration: 1s, warmup: 1s}")
    _, scenario, report = run(call, repository, tmp_path / "out", "--profile-code")
    print(report)
    check_named(scenario, regression, report)


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("regression", reference_regressions.REGRESSIONS, ids=lambda each: each.name)
def test_code__or_statement_that_got_slower_in_the_reference_service_is_named(
    repository, call, tmp_path, postgres_url, redis_url, regression
):
    reference_regressions.write_versions(repository, regression, postgres_url, redis_url)
    _, scenario, report = run(call, repository, tmp_path / "out", "--profile-code")
    print(report)
    named = [(each.name, each.file) for each in scenario.code.functions[:TOP]]
    statements = [each.query for each in scenario.diagnosis.statements[:TOP]]
    is_function = (regression.function, f"{reference_regressions.PACKAGE}/{regression.file}") in named
    is_statement = regression.statement and any(regression.statement in each for each in statements)
    assert is_function or is_statement, report


def check_named(scenario, regression, report):
    named = {each.name: each.file for each in scenario.code.functions[:TOP]}
    assert regression.function in named, report
    assert named[regression.function] == "shop.py"


def run_alone(call, repository, out, monkeypatch):
    """Of head alone, sampled for a moment."""
    monkeypatch.setattr("ci_gate.run.which_code.SAMPLING_S", 3.0)
    repository.edit(
        "thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 2s, warmup: 1s}"
    )  # CPU is read
    options = ("--thresholds", repository.thresholds, "--out", out, "--profile-code")
    code, table, progress = call("run", *options)
    return code, decode_verdict((out / "verdict.json").read_bytes()).scenarios[0], table + progress


@pytest.mark.slow
def test_code__of_head_alone_is_sampled_where_it_is_asked_for(repository, call, tmp_path, monkeypatch):
    """Of an asynchronous service: what it computes has its function, what it waits for is on no stack."""
    repository.write("work.py", WORK)
    repository.write("service.py", ASYNC_SERVICE)
    code, scenario, report = run_alone(call, repository, tmp_path / "out", monkeypatch)
    assert code == 0, report
    first = scenario.code.alone.functions[0]
    assert (first.name, first.file) == ("risk_score", "work.py"), report
    assert first.waiting.ms < max(3 * first.waiting.error_ms, first.cpu.ms), report
    assert "the service runs an event loop (asyncio): a coroutine that waits is on no stack" in report
    page = (tmp_path / "out" / "report.html").read_text()
    assert '<svg class="flame"' in page
    assert "risk_score (work.py)" in page
    assert "Which code takes most time" in page


def test_code__of_a_service_that_is_only_called_is_not_known(repository, call, tmp_path):
    options = ("--thresholds", repository.thresholds, "--out", tmp_path / "out", "--profile-code")
    with running_site() as url:
        repository.edit("thresholds.yaml", "command: python service.py {port}", f"url: {url}")
        _, table, _ = call("run", *options)
    assert "CODE    not known: a service that is only called by its address cannot be looked into" in table
