"""Two sides of a small repository, and the verdict of a run of its head."""

from __future__ import annotations

from ci_gate.judge.changes.approval import judge_approval
from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.judge.verdict import encode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.report.verdicts import endpoint, limit, scenario, verdict

THRESHOLDS = """\
schema: 1
service: {url: 'http://shop'}
profiles: {pull_request: {duration: 60s}}
scenarios:
  checkout:
    locustfile: load/checkout.py
    users: {Buyer: 100}
    spawn_rate: 10
    limits:
      all: {p95: 300ms}
"""
LOOSE = THRESHOLDS.replace("300ms", "400ms")
FILE = "thresholds.yaml"
APPROVED = judge_approval(
    compare_thresholds(parse_thresholds(THRESHOLDS, FILE), parse_thresholds(LOOSE, FILE)),
    "thresholds-approved",
    (),
).label
"""The label that approves LOOSE where base has THRESHOLDS."""
WORKFLOW = ".github/workflows/load-gate.yml"


def files(thresholds=THRESHOLDS, **more):
    """Path -> content of one side."""
    plain = {FILE: thresholds, "load/checkout.py": "users = 1\n", WORKFLOW: "on: pull_request\n"}
    return {path: content.encode() for path, content in {**plain, **more}.items()}


def write_files(folder, side):
    for path, content in side.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def run_verdict(p95=212.4, outcome=None, thresholds=THRESHOLDS):
    """verdict.json of a run whose p95 was this."""
    bound = parse_thresholds(thresholds, FILE).scenarios[0].limits[0]
    broken = p95 > bound.bound
    outcome = outcome or ("FAIL" if broken else "PASS")
    result = limit(
        measured=p95,
        text=bound.text,
        bound=bound.bound,
        line=10,
        outcome="FAIL" if outcome == "FAIL" else "PASS",
    )
    failures = limit(metric="failures", measured=0.0, text="1%", line=None)
    one = scenario("checkout", outcome, endpoints=[endpoint(p95=p95)], limits=[result, failures])
    return encode_verdict(verdict(one, outcome=outcome))
