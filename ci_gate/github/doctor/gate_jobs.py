"""Which job reports the gate's check, and under which name. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.github.doctor.workflow_files import Job, Workflow

OWN_CHECK: Final = "gate"
"""The name of the gate's job in ci-gate's own load-gate.yml, which a caller's job puts its own before."""

_CALL_ONLY: Final = {"workflow_call"}
_HERE: Final = re.compile(r"[.$]/(?P<path>\.github/workflows/[^@]+)")
_OWN_WORKFLOW: Final = re.compile(r"[^/\s]+/[^/\s]+/\.github/workflows/load-gate\.ya?ml@\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """``workflow`` is the one that an event starts, ``job`` the one of it that reports or calls.

    ``inside`` is the workflow and the job that have the steps: the same, or those of a called workflow; None
    where they are in another repository, which is not read.
    """

    check: str
    workflow: Workflow
    job: Job
    inside: tuple[Workflow, Job] | None

    @property
    def is_called(self) -> bool:
        return bool(self.job.uses)


def find_gate_jobs(
    check: str, workflows: Sequence[Workflow], required: Collection[str]
) -> tuple[GateJob, ...]:
    """The jobs that report ``check``. ``gate`` is also what a called workflow reports as ``caller / gate``.

    Of several such, those that are ``required``.
    """
    every = [gate for workflow in workflows for gate in _find_reporting(workflow, workflows, check)]
    exact = [gate for gate in every if gate.check == check]
    if exact or " / " in check:
        return tuple(exact)
    called = [gate for gate in every if gate.check.endswith(f" / {check}")]
    return tuple([gate for gate in called if gate.check in required] or called)


def name_checks(workflows: Sequence[Workflow], check: str) -> list[str]:
    """Every check that these workflows are known to report."""
    return [gate.check for workflow in workflows for gate in _find_reporting(workflow, workflows, check)]


def _find_reporting(workflow: Workflow, workflows: Sequence[Workflow], check: str) -> Iterator[GateJob]:
    if set(workflow.triggers) == _CALL_ONLY:
        return  # reports under the names of its callers
    for job in workflow.jobs:
        if not job.uses:
            yield GateJob(check=job.check, workflow=workflow, job=job, inside=(workflow, job))
        elif here := _HERE.fullmatch(job.uses):
            for called in workflows:
                for inner in called.jobs if called.path == here["path"] else ():
                    name = f"{job.check} / {inner.check}"
                    yield GateJob(check=name, workflow=workflow, job=job, inside=(called, inner))
        elif _OWN_WORKFLOW.fullmatch(job.uses):
            yield GateJob(check=f"{job.check} / {OWN_CHECK}", workflow=workflow, job=job, inside=None)
        elif check.startswith(f"{job.check} / "):  # another repository's: only its name is known
            yield GateJob(check=check, workflow=workflow, job=job, inside=None)
