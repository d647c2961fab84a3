"""The validity rule about several processes of Locust: was each there from the beginning to the end?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ci_gate.evidence.processes import Worker
from ci_gate.evidence.recording import Recording
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import format_exact

_MAX_SILENCE_S: Final = 4.0  # Locust gives up on a worker of which it hears nothing for as long


def _find_lost_workers(rule_input: RuleInput) -> Iterator[Violation]:
    recording, processes = rule_input.recording, rule_input.plan.processes
    if processes == 1:
        return
    workers = {worker.number: worker for worker in recording.workers}
    violations: list[Violation] = []
    for number in range(1, processes + 1):
        worker = workers.get(number)
        why = _find_loss(recording, worker) if worker else "left no recording"
        if why:
            name = f"Locust worker {number}"
            violations.append((name, f"{name} of {processes} {why}"))
    has_stopped = recording.totals is not None and recording.totals.stopped is not None
    if not violations and recording.mark("worker_lost") and not has_stopped:
        violations.append(("Locust", "Locust lost the connection to one of its workers"))
    yield from violations


def _find_loss(recording: Recording, worker: Worker) -> str:
    """What of this worker is not there; empty for one that is whole, or that its locustfile ended."""
    if worker.totals is not None and worker.totals.stopped:
        return ""
    end = recording.mark("stopping")
    end_s = end.monotonic_s if end else 0.0
    last_s = max((each.monotonic_s for each in worker.readings), default=None)
    if worker.totals is None:
        if last_s is None:
            return "was killed before its first reading"
        began_s = min((mark.monotonic_s for mark in recording.marks), default=last_s)
        return f"was killed before it wrote its totals, {last_s - began_s:.0f} s after the start or later"
    names = {mark.name for mark in worker.marks}
    for name in ("steady", "stopping"):
        if recording.mark(name) and name not in names:
            return f"never heard from the master that the phase {name!r} began"
    moments = [*(mark.monotonic_s for mark in worker.marks), *(each.monotonic_s for each in worker.readings)]
    points = sorted(moments)
    silence_s = max((after - before for before, after in pairwise(points) if before < end_s), default=0.0)
    return f"stood still for {silence_s:.1f} s" if silence_s > _MAX_SILENCE_S else ""


WORKER_LOST: Final = Rule(
    code="worker-lost",
    severity="invalid",
    stage=Stage.GROUND,
    find=_find_lost_workers,
    meaning="one of several processes of Locust was not there all the time: its load is missing",
    threshold_text="one that ended before the load did, or that stood still for over "
    f"{format_exact(_MAX_SILENCE_S)} s",
    remedy="read locust.log in the evidence folder; look for calls in the scenario that block, and for a "
    "lack of memory",
    relaxable=False,
    fault="recording",
)
