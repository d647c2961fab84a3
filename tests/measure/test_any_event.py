"""Whatever events a scenario fires: evidence that can be read, a row for each, and a verdict."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_gate.evidence.recording import read_recording
from ci_gate.evidence.samples import ENDED_WELL
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import judge_scenario
from ci_gate.thresholds import parse_thresholds
from tests.measure.conftest import make_plan
from tests.measure.test_locust_statistics import THRESHOLDS

EVENTS = 12

NUMBERS = st.one_of(
    st.floats(),
    st.integers(-10, 2**70),
    st.floats(0, 50),
    st.sampled_from(["5", ""]),
    st.none(),
    st.booleans(),
).map(repr)
ODD = st.sampled_from(
    (
        *("Hostile()", "object()", "[]", "{}", "b'5'", "5j", "10**400", "'\\ud800'", "Decimal('NaN')"),
        *("Decimal(5)", "Fraction(1, 3)", "np.float32(5)", "np.int64(-1)", "np.array([1, 2])", "np.nan"),
        "dt.datetime.now()",
    )
)
VALUES = st.one_of(NUMBERS, ODD).map(lambda text: re.sub(r"\b(?<!\.)(nan|inf)\b", r"np.\1", text))
STARTS = st.one_of(
    VALUES,
    st.sampled_from(
        ["time.time()", "time.time() * 1000", "time.time_ns()", "time.perf_counter()", "time.process_time()"]
    ),
)
TEXTS = st.one_of(st.sampled_from(["'MQ'", "'/items'", "'x' * 600"]), st.text(max_size=5).map(repr), VALUES)
ERRORS = st.one_of(
    st.just("None"), st.sampled_from(["Error('text')", "Error()", "Error('\\ud800')", "''"]), VALUES
)
REPLIES = st.one_of(
    st.just("None"),
    st.sampled_from(["NoStatus()", "Reply(403, headers=5)", "Reply(200, _content=Hostile())", "Hostile()"]),
    VALUES.map(lambda text: f"Reply({text})"),
)
FIELDS = {
    "request_type": TEXTS,
    "name": TEXTS,
    "response_time": VALUES,
    "response_length": VALUES,
    "start_time": STARTS,
    "exception": ERRORS,
    "response": REPLIES,
    "context": st.one_of(st.just("{}"), VALUES),
    "url": st.one_of(st.sampled_from(["'http://[::1'", "'http://127.0.0.1:1/items'", "'//'"]), VALUES),
    "more": VALUES,
}
PLAIN = {"request_type": "'MQ'", "name": "'mail'", "response_time": "5.0", "response_length": "10"}
ALL_ODD = st.fixed_dictionaries({}, optional=FIELDS)
ONE_ODD = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda field: FIELDS[field].map(lambda value: {**PLAIN, field: value})
)


@pytest.fixture(scope="module")
def fire(tmp_path_factory):
    """Fires events in another process, and reads back what was recorded of them."""
    command = [sys.executable, "-m", "tests.measure.events_driver"]
    log = tmp_path_factory.mktemp("driver") / "errors.txt"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as driver,
    ):

        def run(events):
            folder = tmp_path_factory.mktemp("events") / "head"
            driver.stdin.write(json.dumps([str(folder), events]) + "\n")
            driver.stdin.flush()
            answer = driver.stdout.readline()
            assert answer == "done\n", log.read_text()[-3000:]
            return read_recording(folder)

        yield run
        driver.kill()


@given(events=st.lists(st.one_of(ONE_ODD, ALL_ODD), min_size=1, max_size=EVENTS))
@example(events=[{**PLAIN, "name": "0"}, {**PLAIN, "name": "0.0"}])
@example(events=[{**PLAIN, "response_time": "-6e-5"}])  # added to a time in seconds it is lost in rounding
def test_any_event__has_its_row_and_its_verdict(fire, events):
    recording = fire(events)
    assert len(recording.samples) == len(events)
    heard = recording.totals.heard
    failed = int((recording.samples["ending"] != ENDED_WELL).sum())
    assert (sum(each.requests for each in heard), sum(each.failures for each in heard)) == (
        len(events),
        failed,
    )
    assert recording.totals.listener_errors == 0
    first, last = recording.mark("started").wall_s, recording.mark("ended").wall_s
    assert ((recording.samples["start_s"] > first - 60) & (recording.samples["start_s"] < last + 2)).all()
    scenario = parse_thresholds(THRESHOLDS, "thresholds.yaml").scenarios[0]
    classified = classify(recording, scenario.accept)
    verdict = judge_scenario(scenario, make_plan("scenario.py", {}), classified)
    codes = {found.code for found in verdict.findings}
    assert not codes & {"damaged-rows", "samples-disagree"}
    judged = {each.argument for each in recording.totals.odd_values} & {"response_time", "status_code"}
    assert ("unreadable-values" in codes) is bool(judged)
