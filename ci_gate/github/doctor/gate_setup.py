"""What it takes for the gate to block a merge, looked for in a repository's rules and workflows. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ci_gate.errors import Problem
from ci_gate.github.api.rules import BranchRules
from ci_gate.github.doctor.branch_filters import find_filtered_out, is_of_named_branches, listed
from ci_gate.github.doctor.gate_jobs import GateJob, find_gate_jobs, name_checks
from ci_gate.github.doctor.workflow_files import Job, Workflow

_ALWAYS: Final = re.compile(r"^\s*(?:\$\{\{\s*always\(\)\s*\}\}|always\(\))\s*$")
NEEDED_TYPES: Final = ("opened", "synchronize", "reopened", "edited", "labeled", "unlabeled")
"""As docs/workflows.md shows them."""

NEEDED_PERMISSIONS: Final = {"actions": "read", "contents": "read", "pull-requests": "read"}
"""What the jobs of ci-gate's own workflow ask for. Who calls it must grant as much, or nothing starts."""

_DEFAULT_TYPES: Final = ("opened", "synchronize", "reopened")
_FILTERS: Final = ("paths", "paths-ignore")
_MAX_NAMES: Final = 5

State = Literal["ok", "FIX", "advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One check. FIX: the gate does not block until it is fixed. ``to_do`` is empty if ok."""

    state: State
    subject: str
    found: str
    to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that is checked."""

    check: str
    rules: BranchRules
    workflows: tuple[Workflow, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def gates(self) -> tuple[GateJob, ...]:
        """The jobs that report the gate's check."""
        return find_gate_jobs(self.check, self.workflows, {each.name for each in self.rules.checks})

    @property
    def reported(self) -> str:
        """The gate's check as GitHub names it: ``caller / gate`` where the gate is a called workflow."""
        return self.gates[0].check if self.gates else self.check


def examine_blocking(setup: Setup) -> tuple[Line, ...]:
    """Everything without which a merge is not blocked, in the order in which to fix it."""
    return tuple(line for check in _CHECKS for line in check(setup))


def _check_files(setup: Setup) -> Iterator[Line]:
    for problem in setup.problems:
        yield Line(state="FIX", subject="workflow file", found=str(problem), to_do="fix the file")


def _check_job(setup: Setup) -> Iterator[Line]:
    gates = setup.gates
    if len(gates) == 1:
        found = f"{gates[0].workflow.path}: job {gates[0].job.id}"
        found += f", which calls {gates[0].job.uses}" if gates[0].is_called else ""
        yield Line(state="ok", subject="gate job", found=found)
    elif len({gate.check for gate in gates}) > 1:
        found = f"several may be meant: {name_some([gate.check for gate in gates])}"
        yield Line(state="FIX", subject="gate job", found=found, to_do="give --check the name of one")
    elif gates:
        where = name_some([f"{gate.workflow.path}: {gate.job.id}" for gate in gates])
        to_do = "keep one: GitHub takes whichever of them ends well"
        found = f"several report {setup.reported}: {where}"
        yield Line(state="FIX", subject="gate job", found=found, to_do=to_do)
    else:
        known = name_some(name_checks(setup.workflows, setup.check))
        to_do = f"name the job that needs all others {setup.check}, or give --check its name"
        yield Line(
            state="FIX",
            subject="gate job",
            found=f"no job reports {setup.check} (known: {known})",
            to_do=to_do,
        )


def _check_required_check(setup: Setup) -> Iterator[Line]:
    branch, check = setup.rules.branch, setup.reported
    demanded = [each for each in setup.rules.checks if each.name == check]
    if not demanded:
        others = name_some([each.name for each in setup.rules.checks])
        yield Line(
            state="FIX",
            subject="required check",
            found=f"{branch} does not require {check} (required: {others})",
            to_do=f"Settings, Rules, Rulesets: for {branch}, require the status check {check}",
        )
        return
    yield Line(state="ok", subject="required check", found=f"{check}, by {demanded[0].demanded_by}")


def _check_pull_requests(setup: Setup) -> Iterator[Line]:
    for workflow in (gate.workflow for gate in setup.gates[:1]):
        filters = workflow.triggers.get("pull_request")
        if filters is None:
            to_do = f"add pull_request to on: in {workflow.path}"
            yield Line(state="FIX", subject="pull requests", found="do not start the workflow", to_do=to_do)
            continue
        wrong = _find_gaps(filters, setup.rules.branch)
        to_do = f"on.pull_request in {workflow.path}: types: [{', '.join(NEEDED_TYPES)}], and no other filter"
        yield (
            Line(state="FIX", subject="pull requests", found="; ".join(wrong), to_do=to_do)
            if wrong
            else Line(state="ok", subject="pull requests", found="all that may change the verdict start it")
        )


def _find_gaps(filters: Mapping[str, object], branch: str) -> list[str]:
    """A check that never starts stays pending; a verdict that is not looked at again outlives its reason."""
    gaps = [f"only some, by {name}" for name in _FILTERS if name in filters]
    if name := find_filtered_out(filters, branch):
        gaps.append(f"not those into {branch}, by {name}")
    types = listed(filters.get("types")) if "types" in filters else _DEFAULT_TYPES
    if missing := [each for each in NEEDED_TYPES if each not in types]:
        gaps.append(f"not when {', '.join(missing)}")
    return gaps


def _check_pushes(setup: Setup) -> Iterator[Line]:
    """A push is compared with the commit before it, and its check counts for the pull request's commit."""
    for workflow in (gate.workflow for gate in setup.gates[:1]):
        filters = workflow.triggers.get("push")
        if filters is None or is_of_named_branches(filters):
            continue
        found = "start the workflow: compared with the push before, on the commit of a pull request"
        to_do = f"take push out of on: in {workflow.path}, or give it branches: [{setup.rules.branch}]"
        yield Line(state="FIX", subject="pushes", found=found, to_do=to_do)


def _check_merge_queue(setup: Setup) -> Iterator[Line]:
    for workflow in (gate.workflow for gate in setup.gates[:1]):
        to_do = f"add merge_group to on: in {workflow.path}"
        filters = workflow.triggers.get("merge_group")
        name = find_filtered_out(filters or {}, setup.rules.branch)
        if filters is not None and not name:
            yield Line(state="ok", subject="merge queue", found="merge_group starts the workflow")
        elif setup.rules.has_merge_queue:
            found = f"{setup.rules.branch} has one, and it does not start the workflow"
            to_do = f"take {name} out of on.merge_group in {workflow.path}" if name else to_do
            yield Line(state="FIX", subject="merge queue", found=found, to_do=to_do)
        else:
            yield Line(
                state="advice", subject="merge queue", found="not covered; none is set up", to_do=to_do
            )


def _check_caller(setup: Setup) -> Iterator[Line]:
    """A job that calls a workflow must always start, and grant what the jobs of that ask for."""
    for gate in setup.gates[:1]:
        if not gate.is_called:
            continue
        where = f"{gate.workflow.path}: {gate.job.id}"
        if gate.job.needs or (gate.job.condition and not _ALWAYS.match(gate.job.condition)):
            found = "it waits for other jobs, or for a condition"
            to_do = f"{where}: no needs: and no if:, for what is skipped reports nothing"
            yield Line(state="FIX", subject="caller starts", found=found, to_do=to_do)
        else:
            yield Line(state="ok", subject="caller starts", found="with every event")
        granted = gate.job.permissions if gate.job.permissions is not None else gate.workflow.permissions
        missing = [
            f"{name}: {level}" for name, level in NEEDED_PERMISSIONS.items() if not _grants(granted, name)
        ]
        if missing:
            found = f"not {name_some(missing)}: GitHub refuses to start the called workflow"
            to_do = (
                f"{where}: permissions: {{{', '.join(f'{k}: {v}' for k, v in NEEDED_PERMISSIONS.items())}}}"
            )
            yield Line(state="FIX", subject="caller grants", found=found, to_do=to_do)
        else:
            yield Line(state="ok", subject="caller grants", found="what the called jobs ask for")


def _grants(permissions: Mapping[str, str] | None, name: str) -> bool:
    """Whether it may be read; no permissions given are the repository's default, which reads."""
    if permissions is None:
        return True
    return bool({permissions.get(name), permissions.get("all")} & {"read", "write"})


def _check_condition(setup: Setup) -> Iterator[Line]:
    """Of the job that has the steps. What is in another repository is not read: ci-gate tests its own."""
    for workflow, job in (gate.inside for gate in setup.gates[:1] if gate.inside):
        where = f"{workflow.path}: {job.id}"
        if not job.needs and not job.condition:
            yield Line(state="ok", subject="gate always runs", found="waits for no job, and has no if:")
        elif not _ALWAYS.match(job.condition):
            found = f"if: {job.condition}" if job.condition else "no if:"
            to_do = f"{where}: if: always(), alone; a skipped check counts as passed"
            yield Line(state="FIX", subject="gate always runs", found=found, to_do=to_do)
        else:
            yield Line(state="ok", subject="gate always runs", found="if: always()")
        unseen = sorted({each.id for each in workflow.jobs} - _reach(workflow, job) - {job.id})
        if unseen:
            found = f"does not need {name_some(unseen)}"
            yield Line(
                state="FIX", subject="gate sees all jobs", found=found, to_do=f"{where}: add to needs:"
            )
        else:
            yield Line(state="ok", subject="gate sees all jobs", found="needs all others")


def _reach(workflow: Workflow, job: Job) -> set[str]:
    """Every job that the gate needs, also through others: a job whose needs fail is skipped."""
    by_id = {each.id: each for each in workflow.jobs}
    reached: set[str] = set()
    waiting = list(job.needs)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in by_id:
            reached.add(name)
            waiting += by_id[name].needs
    return reached


def _check_tolerance(setup: Setup) -> Iterator[Line]:
    for workflow, _ in (gate.inside for gate in setup.gates[:1] if gate.inside):
        tolerant = [job.id for job in workflow.jobs if job.goes_on_after_errors]
        found = f"continue-on-error in {name_some(tolerant)}" if tolerant else "no error is passed over"
        to_do = "take continue-on-error out" if tolerant else ""
        yield Line(state="FIX" if tolerant else "ok", subject="errors count", found=found, to_do=to_do)


def name_some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    shown = names[:_MAX_NAMES] + ([f"{len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else [])
    return ", ".join(shown) or "none"


_CHECKS: Final[tuple[Callable[[Setup], Iterator[Line]], ...]] = (
    _check_files,
    _check_job,
    _check_required_check,
    _check_pull_requests,
    _check_pushes,
    _check_merge_queue,
    _check_caller,
    _check_condition,
    _check_tolerance,
)
