"""Load steps whose truth is known: by formula, or from a queue in which users think and wait for a server."""

from __future__ import annotations

import heapq

import msgspec
import numpy as np

from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.capacity.step_windows import StepWindow
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding

WINDOWS = 12
WARM_UP_S = 5.0


def make_step(load, rate_per_s=None, in_flight=None, *, windows=None, number=None, **changes) -> Step:
    """A step of constant windows, or of those given; latency by Little's law."""
    windows = windows or (StepWindow(rate_per_s=rate_per_s, in_flight=in_flight or 1.0),) * WINDOWS
    rate = float(np.mean([window.rate_per_s for window in windows]))
    inside = float(np.mean([window.in_flight for window in windows]))
    latency_ms = 1000 * inside / rate if rate else None
    values = {
        "name": f"step-{number or int(load):03d}",
        "load": float(load),
        "users": int(load),
        "duration_s": float(len(windows)),
        "requests": int(rate * len(windows)),
        "rate_per_s": rate,
        "in_flight": inside,
        "mean_ms": latency_ms,
        "p50_ms": latency_ms,
        "p95_ms": latency_ms,
        "p99_ms": latency_ms,
        "failure_share": 0.0,
        "limits": (),
        "findings": (),
        "outcome": Outcome.PASS,
        "windows": windows,
    }
    return Step(**{**values, **changes})


def queue_up(users, generator, *, servers=1, service_s=0.025, think_s=(0.5, 2.0), is_random=False) -> Step:
    """A closed queue, event by event: first come, first served."""
    free = [0.0] * servers
    arrivals = [(float(generator.uniform(0, think_s[1])), number) for number in range(users)]
    heapq.heapify(arrivals)
    starts, responses, end_s = [], [], WARM_UP_S + WINDOWS
    while arrivals[0][0] < end_s:
        at_s, number = arrivals[0]
        took_s = generator.exponential(service_s) if is_random else service_s
        done_s = max(at_s, heapq.heappop(free)) + took_s
        heapq.heappush(free, done_s)
        starts.append(at_s)
        responses.append(done_s - at_s)
        heapq.heapreplace(arrivals, (done_s + float(generator.uniform(*think_s)), number))
    return make_step(users, windows=cut(np.array(starts), np.array(responses)))


def cut(starts, responses) -> tuple[StepWindow, ...]:
    """The windows of the steady phase, counted without the code under test."""
    windows = []
    for begin in range(WINDOWS):
        low, high = WARM_UP_S + begin, WARM_UP_S + begin + 1
        ends = starts + responses
        overlap = np.minimum(ends, high) - np.maximum(starts, low)
        ended = int(((ends >= low) & (ends < high)).sum())
        windows.append(StepWindow(rate_per_s=float(ended), in_flight=float(np.maximum(overlap, 0).sum())))
    return tuple(windows)


def follow_law(in_flight, parameters, generator=None, noise=0.0, load=None) -> Step:
    """A step on the scalability law; each window is off by ``noise``, relatively."""
    lambda_per_s, sigma, kappa = parameters
    rate = lambda_per_s * in_flight / (1 + sigma * (in_flight - 1) + kappa * in_flight * (in_flight - 1))
    off = np.exp(generator.normal(0, noise, (WINDOWS, 2))) if generator else np.ones((WINDOWS, 2))
    windows = tuple(
        StepWindow(rate_per_s=float(rate * one), in_flight=float(in_flight * other)) for one, other in off
    )
    return make_step(load or in_flight, windows=windows, number=int(in_flight * 10) % 1000)


def make_finding(code, severity="invalid", message="as said") -> Finding:
    return Finding(code=code, severity=severity, subject="scenario", message=message, remedy="fix it")


def make_limit(metric="p99", *, measured=100.0, bound=200.0, samples=1000, needed=1000, outcome="PASS"):
    return LimitResult(
        endpoint="all",
        metric=metric,
        bound=bound,
        text=f"{bound:g}ms",
        line=1,
        measured=measured,
        samples=samples,
        needed=needed,
        outcome=Outcome(outcome),
    )


def mark_invalid(step: Step, code: str) -> Step:
    return msgspec.structs.replace(step, outcome=Outcome.INVALID, findings=(make_finding(code),))
