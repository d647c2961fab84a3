"""Verdicts in a few words, for everything that reports or publishes one."""

from __future__ import annotations

import re

import msgspec

from ci_gate.judge.code.difference import CodeChange, CodeTime, FunctionChange, TimeChange
from ci_gate.judge.compare.comparison import Change, NotCompared
from ci_gate.judge.compare.duet import Confirmation, DuetVerdict, StartChange
from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.statement_growth import StatementGrowth
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.slowest import SlowRequest
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict, Verdict

SHA = "0123456789abcdef0123456789abcdef01234567"


UNITS = {"ms": 1.0, "s": 1000.0, "%": 0.01, "/s": 1.0}


def read_bound(text):
    """The bound that ``text`` means, 300 for a text that means none."""
    found = re.fullmatch(r"(\d+)(ms|s|%|/s)", text)
    return int(found[1]) * UNITS[found[2]] if found else 300.0


def limit(endpoint="all", metric="p95", measured=212.4, text="300ms", *, outcome="PASS", line=12, **more):
    values = {
        "bound": read_bound(text),
        "samples": 3600,
        "needed": 200,
    }
    return LimitResult(
        endpoint=endpoint,
        metric=metric,
        measured=measured,
        text=text,
        outcome=Outcome(outcome),
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
    code="too-few",
    severity="insufficient",
    subject="GET /a",
    message="a p99 takes 1,000",
    remedy="run longer",
    side="",
):
    return Finding(code=code, severity=severity, subject=subject, message=message, remedy=remedy, side=side)


def change(endpoint="all", metric="p95", size=0.123, *, outcome="FAIL", tolerance=0.1, **more):
    """Head is worse by ``size`` with an interval of 4 points on either side."""
    values = {
        "base": 200.0,
        "head": 200.0 * (1 + size),
        "low": size - 0.04,
        "high": size + 0.04,
        "worst": size + 0.03,
        "p_value": 0.001,
        "mde": 0.062,
        "windows": 60,
        "is_real": outcome == "FAIL",
    }
    return Change(
        endpoint=endpoint,
        metric=metric,
        change=size,
        tolerance=tolerance,
        outcome=Outcome(outcome),
        **(values | more),
    )


def not_compared(endpoint="GET /rare", metric="p99", *, outcome="PASS"):
    return NotCompared(
        endpoint=endpoint,
        metric=metric,
        lacking="samples",
        base_samples=12,
        head_samples=15,
        needed=1000,
        outcome=Outcome(outcome),
    )


def confirm(compared, *starts, failure=""):
    """The comparison after a second start: ``starts`` as (endpoint, metric, first, second)."""
    names = ("endpoint", "metric", "first", "second")
    changes = tuple(StartChange(**dict(zip(names, start, strict=True))) for start in starts)
    return msgspec.structs.replace(compared, confirmation=Confirmation(starts=changes, failure=failure))


def duet(*changes, outcome="PASS", not_compared=(), findings=()):
    return DuetVerdict(
        outcome=Outcome(outcome),
        duration_s=60.0,
        analyses=1,
        alpha=0.05,
        changes=changes,
        not_compared=tuple(not_compared),
        findings=tuple(findings),
    )


def scenario(name="checkout", outcome="PASS", *, endpoints=None, limits=None, findings=(), users=100, **more):
    return ScenarioVerdict(
        name=name,
        outcome=Outcome(outcome),
        users=users,
        duration_s=60.0,
        endpoints=(endpoint(),) if endpoints is None else tuple(endpoints),
        limits=(limit(),) if limits is None else tuple(limits),
        findings=tuple(findings),
        **more,
    )


def cause(code="connection-pool", share=0.94, *, title=None, numbers=None, **more):
    return Cause(
        code=code,
        title=title or "connections of the pool, held while the database is idle",
        numbers=numbers or ("1.0 of 1 connections of the pool were in use", "50.3 requests waited for one"),
        next_step=more.pop("next_step", "give connections back before calling other systems"),
        share=share,
        **more,
    )


def diagnosis(*causes, unknown=(), statements=()):
    return Diagnosis(causes=causes, unknown=tuple(unknown), statements=tuple(statements))


def growth(query="SELECT price FROM prices WHERE item = $1", calls=(1.0, 42.0), ms=(0.05, 2.1)):
    return StatementGrowth(
        query=query, base_calls=calls[0], head_calls=calls[1], base_ms=ms[0], head_ms=ms[1]
    )


def slow_request(endpoint="GET /a", sent_at_s=12.4, response_ms=812.0, status="200", trace_id="", link=""):
    return SlowRequest(
        endpoint=endpoint,
        sent_at_s=sent_at_s,
        response_ms=response_ms,
        status=status,
        trace_id=trace_id,
        link=link,
    )


def time_change(base_ms, head_ms):
    return TimeChange(base_ms=base_ms, head_ms=head_ms, error_ms=0.075)


def function_change(name="risk_score", file="shop/risk.py", *, base_ms=0.4, head_ms=4.3, waits=False):
    same, changed = time_change(0.2, 0.2), time_change(base_ms, head_ms)
    time = CodeTime(cpu=same, waiting=changed) if waits else CodeTime(cpu=changed, waiting=same)
    return FunctionChange(
        name=name,
        file=file,
        line=41,
        is_library=False,
        below="",
        waits=waits,
        own=time,
        subtree=time,
        in_file=time,
    )


def code_change(*functions):
    return CodeChange(functions=functions, samples_base=900, samples_head=1400, cpu=time_change(8.1, 12.0))


def verdict(*scenarios, outcome="PASS", findings=(), head=SHA, profile="pull_request", **more):
    values = {
        "schema": 2,
        "ci_gate_version": "0.1.0",
        "blocks": Outcome(outcome).blocks,
        "started_at": "2026-11-23T15:00:00Z",
        "thresholds_file": "thresholds.yaml",
        "thresholds_sha256": "f" * 64,
        "git": {"head": head},
    }
    return Verdict(
        outcome=Outcome(outcome),
        scenarios=scenarios or (scenario(),),
        findings=tuple(findings),
        profile=profile,
        **(values | more),
    )
