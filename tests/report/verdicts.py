"""Verdicts in a few words, for everything that reports or publishes one."""

from __future__ import annotations

from ci_gate.judge.findings import Finding
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import ScenarioVerdict, Verdict

SHA = "0123456789abcdef0123456789abcdef01234567"


def limit(endpoint="all", metric="p95", measured=212.4, text="300ms", *, outcome="kept", line=12, **more):
    values = {"bound": 300.0, "is_floor": metric in {"rate", "successes"}, "samples": 3600, "needed": 200}
    return LimitResult(
        endpoint=endpoint,
        metric=metric,
        measured=measured,
        text=text,
        outcome=outcome,
        line=line,
        **(values | more),
    )


def endpoint(name="all", requests=3600, *, failures=0, p50=42.0, p95=212.4, p99=391.0, **more):
    values = {
        "rate_per_s": (requests - failures) / 60,
        "max_ms": 812.0,
        "statuses": {"200": requests - failures} | ({"500": failures} if failures else {}),
        "errors": (),
    }
    return EndpointSummary(
        endpoint=name,
        requests=requests,
        sent=None,
        successes=requests - failures,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        **(values | more),
    )


def finding(
    code="too-few", effect="unproven", subject="GET /a", message="a p99 takes 1,000", remedy="run longer"
):
    return Finding(code=code, effect=effect, subject=subject, message=message, remedy=remedy)


def scenario(name="checkout", outcome="PASS", *, endpoints=None, limits=None, findings=(), users=100):
    return ScenarioVerdict(
        name=name,
        outcome=outcome,
        users=users,
        duration_s=60.0,
        endpoints=(endpoint(),) if endpoints is None else tuple(endpoints),
        limits=(limit(),) if limits is None else tuple(limits),
        findings=tuple(findings),
    )


def verdict(*scenarios, outcome="PASS", findings=(), head=SHA, profile="pull_request", **more):
    values = {
        "schema": 1,
        "ci_gate_version": "0.1.0",
        "blocks": outcome in {"FAIL", "INVALID"},
        "started_at": "2026-11-23T15:00:00Z",
        "thresholds_file": "thresholds.yaml",
        "thresholds_sha256": "f" * 64,
        "git": {"head": head},
    }
    return Verdict(
        outcome=outcome,
        scenarios=scenarios or (scenario(),),
        findings=tuple(findings),
        profile=profile,
        **(values | more),
    )
