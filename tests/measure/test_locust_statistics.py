"""Samples are compared with what was heard: a scenario may do to Locust's statistics what it likes."""

from __future__ import annotations

import pytest

from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import judge_scenario
from ci_gate.thresholds import parse_thresholds
from tests.measure.conftest import make_plan

THRESHOLDS = """
schema: 1
service: {command: "serve {port}"}
profiles: {short: {duration: 1s}}
scenarios:
  scenario: {locustfile: scenario.py, users: {Visitor: 2}, spawn_rate: 100, limits: {all: {failures: 10%}}}
"""
VISITOR = """
    import gevent
    from locust import FastHttpUser, constant, events, task
    from locust.exception import RescheduleTask

    class Visitor(FastHttpUser):
        wait_time = constant(0.05)

        @task
        def visit(self):
            self.client.get("/ok")
            self.client.get("/sometimes")

    @events.test_start.add_listener
    def begin(environment, **_):
        gevent.spawn_later(0.6, change, environment.stats)

    def change(stats):
        CHANGE
"""
CHANGES = {
    "all reset": "stats.reset_all()",
    "all cleared": "stats.clear_all()",
    "one entry reset": "stats.get('/ok', 'GET').reset()",
    "entries thrown away": "stats.entries.clear()",
    "an event ended before Locust hears of it": """
        @events.request.add_listener
        def end(**_):
            raise RescheduleTask
        handlers = events.request._handlers
        handlers.insert(1, handlers.pop())
""",
}


def find_disagreements(recording):
    """The messages of samples-disagree, by endpoint."""
    scenario = parse_thresholds(THRESHOLDS, "thresholds.yaml").scenarios[0]
    plan = make_plan("scenario.py", {"Visitor": 2})
    findings = judge_scenario(scenario, plan, classify(recording, scenario.accept)).findings
    return {found.subject: found.message for found in findings if found.code == "samples-disagree"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_statistics__changed_by_the_scenario_are_no_loss_of_samples(run_locust, change):
    recording = run_locust(VISITOR.replace("CHANGE", change), users={"Visitor": 2})
    heard = {each.endpoint: each.requests for each in recording.totals.heard}
    counted = {each.endpoint: each.requests for each in recording.totals.endpoints}
    assert heard["GET /ok"] > counted.get("GET /ok", 0)
    assert find_disagreements(recording) == {}


def test_statistics__what_is_counted_without_an_event_is_found(run_locust):
    recording = run_locust(
        VISITOR.replace("CHANGE", "stats.log_request('MQ', 'aside', 1, 1)"), users={"Visitor": 2}
    )
    assert find_disagreements(recording) == {
        "MQ aside": "0 samples with 0 failures, but Locust counted 1 with 0"
    }


def test_statistics__a_true_loss_is_found_also_after_a_reset(run_locust):
    full = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 1024**2, 4 * 1024**2))  # of which all is reserved
        for number in range(87_500):
            events.request.fire(request_type="MQ", name="many", response_time=1.0, response_length=1)
        stats.reset_all()
"""
    recording = run_locust(VISITOR.replace("CHANGE", full), users={"Visitor": 2}, duration_s=4.0, status=2)
    assert "but 87,500 events with 0 were heard" in find_disagreements(recording)["MQ many"]
