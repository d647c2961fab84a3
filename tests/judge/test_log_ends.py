"""The end of a log in a finding: what decides is there, however the finding is shown."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import ServiceError
from ci_gate.judge.log_ends import describe_end, shorten_failure
from tests.judge.evidence_notation import HEALTHY, draw
from tests.report.outputs import judge_evidence, render_every_output, render_verdict

PYTHON = [
    "INFO starting",
    "Traceback (most recent call last):",
    *(f'  File "/srv/shop/module_{number}.py", line {number}, in load' for number in range(30)),
    "    raise error",
    "ModuleNotFoundError: No module named 'psycopg'",
]
NODE = [
    "node:internal/modules/cjs/loader:1080",
    "Error: Cannot find module '/srv/shop/server.js'",
    *(f"    at Module._load (node:internal/modules/cjs/loader:{number}:27)" for number in range(18)),
]


def failed(lines, log="service.log"):
    return str(ServiceError("the service ended before it was ready: exit status 1", "\n".join(lines), log))


@pytest.mark.parametrize(("lines", "decisive"), [(PYTHON, PYTHON[-1]), (NODE, NODE[1])])
@pytest.mark.parametrize("output", ["terminal", "comment", "page", "junit", "annotations"])
def test_failed_start__every_output_shows_what_decided(lines, decisive, output):
    evidence = draw(HEALTHY)
    verdict = judge_evidence(evidence, failures={"shop": failed(lines[-20:])})
    text = render_verdict(verdict)[output].replace("&#39;", "'").replace("&#95;", "_")
    assert "the service ended before it was ready: exit status 1; service.log ends" in text
    assert decisive.split("'")[0] in text


def test_failed_start__names_the_log_that_it_quotes():
    text = failed(["relation 'orders' does not exist"], "service.before_each.log")
    assert shorten_failure(text).endswith("; service.before_each.log ends: relation 'orders' does not exist")
    assert shorten_failure("cannot start `shop`: No such file") == "cannot start `shop`: No such file"


def test_end__is_short_and_whole_lines_where_they_fit():
    assert describe_end("x.log", []) == ""
    assert describe_end("x.log", ["first", "", "last"]) == "; x.log ends: first / last"
    assert describe_end("x.log", ["    only", "    frames"]) == "; x.log ends: only / frames"
    long = describe_end("x.log", [f"line {number} {'y' * 200}" for number in range(9)])
    assert "line 8 y" in long
    assert "line 7" not in long
    assert len(describe_end("x.log", ["y" * 5000])) < 400


@pytest.mark.parametrize(
    ("lines", "log"), [("no mark ended", "locust.log"), ("service ended at 5 s", "service.log")]
)
def test_crash__quotes_the_end_of_its_own_log(lines, log):
    evidence = draw(f"{HEALTHY}\n{lines}")
    ends = {"locust.log": ("locust.log: killed",), "service.log": ("service.log: killed",)}
    recording = msgspec.structs.replace(evidence.recording, log_ends=ends)
    messages = [
        each.message
        for each in judge_evidence(
            type(evidence)(thresholds=evidence.thresholds, plan=evidence.plan, recording=recording)
        )
        .scenarios[0]
        .findings
    ]
    assert any(message.endswith(f"; {log} ends: {log}: killed") for message in messages)


def test_unknown_cause__the_terminal_lists_what_was_not_observed():
    slow = draw(f"{HEALTHY}\n900 GET /slow 200 4000ms\nlimit GET /slow p50 1s")
    text = render_every_output(slow)["terminal"]
    assert "[slow-endpoint]" in text
    assert "also [unknown]" in text
    assert text.count("          not observed: ") == 2
