"""Processes of Locust that share a CPU, of both sides of a comparison: together they may have none left."""

from __future__ import annotations

from ci_gate.evidence.processes import Worker, merge_readings
from ci_gate.evidence.readings import Reading
from ci_gate.evidence.recording import RecordingPlan
from ci_gate.judge.steady import ClassifiedRecording

Side = tuple[RecordingPlan, ClassifiedRecording]


def find_shared_cpus(own: Side, other: Side) -> tuple[tuple[str, tuple[Reading, ...]], ...]:
    """Each process of ``own`` that is not alone on its CPU, by name, and its readings with the CPU of all.

    () where the processes are not pinned: then none has to wait while another CPU is free.
    """
    placed = [*_place(own), *_place(other)]
    shared = []
    for cpu, worker in _place(own):
        beside = tuple(each for its, each in placed if its == cpu and each is not worker)
        if beside:
            name = f"{worker.name} and what shares its CPU"
            shared.append((name, merge_readings(worker.readings, beside)))
    return tuple(shared)


def _place(side: Side) -> list[tuple[int, Worker]]:
    plan, classified = side
    return [
        (plan.worker_cpus[worker.number - 1], worker)
        for worker in classified.recording.workers
        if worker.number <= len(plan.worker_cpus)
    ]
