"""A reset that does not reset is found by two short trials, before its traces spoil the load."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.recording import RESET_CHECKS, read_recordings, read_run
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.reset_check import find_reset_differences, is_reset_proven
from ci_gate.judge.verdict import decode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.conftest import SITE, THRESHOLDS
from tests.judge.recordings import make_recording, make_rows

ONCE_ONLY = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("site_for_tests", {site!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
TOUCHED = pathlib.Path("touched")  # outside of this start's own state
SEEN = {{}}

class Handler(site.Handler):
    def do_GET(self):
        if "ok" in self.path:
            was_touched = SEEN.setdefault("before the first request", TOUCHED.exists())
            TOUCHED.touch()
            self.path = "/status/409" if was_touched else "/ok"
        super().do_GET()

with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""


@pytest.mark.parametrize(
    ("reset", "outcome", "codes"),
    [("rm -f touched", "PASS", set()), ("echo nothing", "INVALID", {"state-left-over"})],
)
def test_trials__in_a_run(repository, call, tmp_path, reset, outcome, codes):
    repository.write("service.py", ONCE_ONLY.format(site=str(SITE)))
    repository.edit("thresholds.yaml", "  ready: /", f"  ready: /\n  before_each: {reset}")
    out = tmp_path / "out"
    _, table, _ = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert scenario.outcome == outcome, table
    assert codes <= {finding.code for finding in scenario.findings}
    read = read_recordings(out, read_run(out))
    first, second = (len(read["visits", name].samples) for name in RESET_CHECKS)
    is_short = second < first / 2  # it ends once each endpoint has done what it did in the first
    assert is_short is (outcome == "PASS")
    recorded = {plan["recording"] for plan in json.loads((out / "run.json").read_text())["recordings"]}
    assert recorded == {"head", "reset-check-1", "reset-check-2"}


A, B = 2, 3
GOOD = [make_rows(A, [1.0] * 3), make_rows(B, [1.0] * 3)]
BROKEN_B = [make_rows(A, [1.0] * 3), make_rows(B, [1.0] * 3, status=429)]


def find(first, second, text=THRESHOLDS):
    (scenario,) = parse_thresholds(text, "thresholds.yaml").scenarios
    return find_reset_differences(
        scenario, *(classify(make_recording(*rows), scenario.accept) for rows in (first, second))
    )


def test_left_over__only_what_changed_between_the_probes():
    assert find(GOOD, GOOD) == ()
    assert find(BROKEN_B, BROKEN_B) == ()
    (finding,) = find(GOOD, BROKEN_B)
    assert (finding.subject, finding.severity) == ("POST /b", "invalid")
    assert [found.subject for found in find(BROKEN_B, GOOD)] == ["POST /b"]


def test_left_over__an_endpoint_that_only_one_probe_called_says_nothing():
    assert find(GOOD, GOOD[:1]) == ()


@pytest.mark.parametrize(
    ("first", "second", "is_proven"),
    [
        (GOOD, [], False),
        (GOOD, [make_rows(A, [1.0])], False),  # B may yet fail
        (GOOD, [make_rows(A, [1.0]), make_rows(B, [1.0])], True),
        (GOOD, [make_rows(A, [1.0]), make_rows(B, [1.0], status=429)], False),
        (BROKEN_B, [make_rows(A, [1.0]), make_rows(B, [1.0], status=429)], True),
        (BROKEN_B, [make_rows(A, [1.0]), make_rows(B, [1.0])], False),
        ([make_rows(A, [1.0] * 2)], [], True),  # too few to find a difference by
        ([make_rows(A, [1.0] * 2), make_rows(A, [1.0], status=429)], [], True),  # nor did it always succeed
    ],
)
def test_second_trial__is_over_once_it_can_find_nothing(first, second, is_proven):
    ours, theirs = (classify(make_recording(*rows), ()) for rows in (first, second))
    assert is_reset_proven(ours, theirs) is is_proven


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from([200, 429])), max_size=12), st.data())
def test_second_trial__that_is_over_finds_what_it_would_have_found(rows, data):
    """However the trial would have gone on from there."""
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    at = data.draw(st.integers(0, len(second)))

    def record(rows):
        return [make_rows(endpoint, [1.0], status=status) for endpoint, status in rows]

    ours, theirs = (classify(make_recording(*record(each)), ()) for each in (first, second[:at]))
    if is_reset_proven(ours, theirs):
        assert find(record(first), record(second)) == ()


def test_left_over__relaxed_is_a_note_with_the_reason():
    text = THRESHOLDS.replace("relax: {", "relax: {state-left-over: orders are final, ")
    (finding,) = find(GOOD, BROKEN_B, text)
    assert finding.severity == "info"
    assert "orders are final" in finding.message
