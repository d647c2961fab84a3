"""Validity rules about several processes of Locust: was each there all the time, and when was it?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ci_gate.evidence.processes import Worker
from ci_gate.evidence.recording import Recording
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import add_sign, count, format_exact

_MAX_UNCERTAINTY_S: Final = 0.1  # a tenth of one second, the shortest window that anything is judged in
_MIN_CUT_S: Final = 3.0
_MAX_SILENCE_S: Final = 4.0  # Locust gives up on a worker of which it hears nothing for as long


def _find_lost_workers(rule_input: RuleInput) -> Iterator[Violation]:
    recording, processes = rule_input.recording, rule_input.plan.processes
    if processes == 1 and not rule_input.plan.remote:
        return
    workers = {worker.number: worker for worker in recording.workers}
    violations: list[Violation] = []
    for number in range(1, processes + 1):
        worker = workers.get(number)
        why = _find_loss(rule_input, worker) if worker else "left no recording"
        if why:
            name = f"Locust worker {number}"
            machine = f" ({worker.machine})" if worker and worker.machine else ""
            violations.append((name, f"it is one of {processes}{machine}, and {why}"))
    has_stopped = recording.totals is not None and recording.totals.stopped is not None
    if not violations and recording.mark("worker_lost") and not has_stopped:
        violations.append(
            ("Locust", f"Locust lost the connection to one of its workers{_find_silent(recording)}")
        )
    yield from violations


def _find_silent(recording: Recording) -> str:
    """Which one on another machine it may have been; empty where none of them was without the master."""
    silent_s, number = max(
        ((each.clock.silence_s, each.number) for each in recording.workers if each.clock), default=(0.0, 0)
    )
    return f": worker {number} was without the master for {silent_s:.1f} s" if silent_s > _MIN_CUT_S else ""


def _find_loss(rule_input: RuleInput, worker: Worker) -> str:
    """What of this worker is not there; empty for one that is whole, or that its locustfile ended."""
    recording = rule_input.recording
    if worker.totals is not None and worker.totals.stopped:
        return ""
    end = recording.mark("stopping")
    end_s = end.monotonic_s if end else 0.0
    last_s = max((each.monotonic_s for each in worker.readings), default=None)
    if worker.totals is None:
        if last_s is None:
            return "was killed before its first reading"
        began_s = min((mark.monotonic_s for mark in recording.marks), default=last_s)
        what = "was killed before it wrote its totals"
        if rule_input.plan.remote and worker.delivery is None:
            what = "was killed, or cut off, before its totals arrived"
        return f"{what}, {last_s - began_s:.0f} s after the start or later"
    if rule_input.plan.remote and (difference := _find_undelivered(worker)):
        return difference
    names = {mark.name for mark in worker.marks}
    for name in ("steady", "stopping"):
        if recording.mark(name) and name not in names:
            return f"never heard from the master that the phase {name!r} began"
    moments = [*(mark.monotonic_s for mark in worker.marks), *(each.monotonic_s for each in worker.readings)]
    points = sorted(moments)
    silence_s = max((after - before for before, after in pairwise(points) if before < end_s), default=0.0)
    return f"stood still for {silence_s:.1f} s" if silence_s > _MAX_SILENCE_S else ""


def _find_undelivered(worker: Worker) -> str:
    if worker.delivery is None:
        return "was cut off before all that it recorded had arrived"
    if worker.rows in {None, worker.delivery.rows}:
        return ""
    return f"recorded {count(worker.delivery.rows, 'request')}, but {worker.rows} are in its folder here"


def _find_uncertain_clocks(rule_input: RuleInput) -> Iterator[Violation]:
    for worker in rule_input.recording.workers if rule_input.plan.remote else ():
        name = f"Locust worker {worker.number}"
        if worker.clock is None:
            yield name, "nothing says how far its clock is from the master's"
        elif worker.clock.uncertainty_s > _MAX_UNCERTAINTY_S:
            away = add_sign(worker.clock.offset_s, f"{abs(worker.clock.offset_s):.3f} s")
            uncertain = f"give or take {worker.clock.uncertainty_s:.3f} s"
            yield name, f"its clock is {away} from the master's, {uncertain}"


CLOCK_UNCERTAIN: Final = Rule(
    code="clock-uncertain",
    severity="invalid",
    stage=Stage.GROUND,
    find=_find_uncertain_clocks,
    meaning="when a worker on another machine sent its requests is not known well enough for the windows",
    threshold_text=f"over {format_exact(1000 * _MAX_UNCERTAINTY_S)} ms, a tenth of the shortest window, by "
    "which the difference of the clocks is uncertain",
    remedy="keep the clocks of all machines in step (chrony, ntpd), and set none while a load is on; put the "
    "workers near to the master, for a round trip tells a clock no better than by half of what it takes",
    relaxable=True,
    fault="recording",
)
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
