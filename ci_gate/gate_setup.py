"""What it takes for the gate to block a merge, looked for in a repository's rules and workflows. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ci_gate.errors import Problem
from ci_gate.github.rules import BranchRules
from ci_gate.workflow_files import Job, Workflow

_ALWAYS: Final = re.compile(r"^\s*(?:\$\{\{\s*always\(\)\s*\}\}|always\(\))\s*$")
_NEEDED_TYPES: Final = frozenset({"opened", "synchronize", "reopened"})
_FILTERS: Final = ("paths", "paths-ignore", "branches-ignore")
_MOST_NAMES: Final = 5

State = Literal["ok", "MEND", "advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing looked at. MEND: the gate does not block until it is mended. ``to_do`` is empty if ok."""

    state: State
    subject: str
    found: str
    to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that is looked at."""

    check: str
    rules: BranchRules
    workflows: tuple[Workflow, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def gates(self) -> list[tuple[Workflow, Job]]:
        """The jobs that report a check of the gate's name."""
        return [
            (workflow, job)
            for workflow in self.workflows
            for job in workflow.jobs
            if job.check == self.check and not job.is_called_workflow
        ]


def examine_blocking(setup: Setup) -> tuple[Line, ...]:
    """Everything without which a merge is not blocked, in the order in which to mend it."""
    return tuple(line for look in _LOOKS for line in look(setup))


def _look_at_files(setup: Setup) -> Iterator[Line]:
    for problem in setup.problems:
        yield Line(state="MEND", subject="workflow file", found=str(problem), to_do="mend the file")


def _look_at_job(setup: Setup) -> Iterator[Line]:
    gates = setup.gates
    if len(gates) == 1:
        yield Line(state="ok", subject="gate job", found=f"{gates[0][0].path}: job {gates[0][1].id}")
    elif gates:
        where = name_some([f"{workflow.path}: {job.id}" for workflow, job in gates])
        to_do = "keep one: GitHub takes whichever of them ends well"
        yield Line(
            state="MEND", subject="gate job", found=f"several report {setup.check}: {where}", to_do=to_do
        )
    else:
        known = name_some([job.check for workflow in setup.workflows for job in workflow.jobs])
        to_do = f"name the job that needs all others {setup.check}, or give --check its name"
        yield Line(
            state="MEND",
            subject="gate job",
            found=f"no job reports {setup.check} (known: {known})",
            to_do=to_do,
        )


def _look_at_required_check(setup: Setup) -> Iterator[Line]:
    branch, check = setup.rules.branch, setup.check
    demanded = [each for each in setup.rules.checks if each.name == check]
    if not demanded:
        others = name_some([each.name for each in setup.rules.checks])
        yield Line(
            state="MEND",
            subject="required check",
            found=f"{branch} does not require {check} (required: {others})",
            to_do=f"Settings, Rules, Rulesets: for {branch}, require the status check {check}",
        )
        return
    yield Line(state="ok", subject="required check", found=f"{check}, by {demanded[0].demanded_by}")


def _look_at_pull_requests(setup: Setup) -> Iterator[Line]:
    for workflow, _ in setup.gates[:1]:
        filters = workflow.triggers.get("pull_request")
        if filters is None:
            to_do = f"add pull_request to on: in {workflow.path}"
            yield Line(state="MEND", subject="pull requests", found="do not start the workflow", to_do=to_do)
            continue
        wrong = _find_gaps(filters, setup.rules.branch)
        to_do = (
            f"take that out of on.pull_request in {workflow.path}: a check that never starts stays pending"
        )
        yield (
            Line(state="MEND", subject="pull requests", found="; ".join(wrong), to_do=to_do)
            if wrong
            else Line(state="ok", subject="pull requests", found="all start the workflow")
        )


def _find_gaps(filters: Mapping[str, object], branch: str) -> list[str]:
    gaps = [f"only some, by {name}" for name in _FILTERS if name in filters]
    branches, types = listed(filters.get("branches")), listed(filters.get("types"))
    if "branches" in filters and branch not in branches and "**" not in branches:
        gaps.append(f"not those into {branch}, by branches")
    if "types" in filters and not set(types) >= _NEEDED_TYPES:
        gaps.append(f"not when {', '.join(sorted(_NEEDED_TYPES - set(types)))}, by types")
    return gaps


def _look_at_merge_queue(setup: Setup) -> Iterator[Line]:
    for workflow, _ in setup.gates[:1]:
        to_do = f"add merge_group to on: in {workflow.path}"
        if "merge_group" in workflow.triggers:
            yield Line(state="ok", subject="merge queue", found="merge_group starts the workflow")
        elif setup.rules.has_merge_queue:
            found = f"{setup.rules.branch} has one, and it does not start the workflow"
            yield Line(state="MEND", subject="merge queue", found=found, to_do=to_do)
        else:
            yield Line(
                state="advice", subject="merge queue", found="not covered; none is set up", to_do=to_do
            )


def _look_at_condition(setup: Setup) -> Iterator[Line]:
    for workflow, job in setup.gates[:1]:
        where = f"{workflow.path}: {job.id}"
        if not _ALWAYS.match(job.condition):
            found = f"if: {job.condition}" if job.condition else "no if:"
            to_do = f"{where}: if: always(), alone; a skipped check counts as passed"
            yield Line(state="MEND", subject="gate always runs", found=found, to_do=to_do)
        else:
            yield Line(state="ok", subject="gate always runs", found="if: always()")
        unseen = sorted({each.id for each in workflow.jobs} - _reach(workflow, job) - {job.id})
        if unseen:
            found = f"does not need {name_some(unseen)}"
            yield Line(
                state="MEND", subject="gate sees all jobs", found=found, to_do=f"{where}: add to needs:"
            )
        else:
            yield Line(state="ok", subject="gate sees all jobs", found="needs all others")


def _reach(workflow: Workflow, job: Job) -> set[str]:
    """Every job that the gate needs, also through others: what they miss is skipped, and seen as that."""
    by_id = {each.id: each for each in workflow.jobs}
    reached: set[str] = set()
    waiting = list(job.needs)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in by_id:
            reached.add(name)
            waiting += by_id[name].needs
    return reached


def _look_at_tolerance(setup: Setup) -> Iterator[Line]:
    for workflow, _ in setup.gates[:1]:
        tolerant = [job.id for job in workflow.jobs if job.goes_on_after_errors]
        found = f"continue-on-error in {name_some(tolerant)}" if tolerant else "no error is passed over"
        to_do = "take continue-on-error out" if tolerant else ""
        yield Line(state="MEND" if tolerant else "ok", subject="errors count", found=found, to_do=to_do)


def listed(value: object) -> list[str]:
    """What a workflow may write as one name or as a list of them."""
    return (
        [str(item) for item in value]
        if isinstance(value, list)
        else [value]
        if isinstance(value, str)
        else []
    )


def name_some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    shown = names[:_MOST_NAMES] + ([f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else [])
    return ", ".join(shown) or "none"


_LOOKS: Final[tuple[Callable[[Setup], Iterator[Line]], ...]] = (
    _look_at_files,
    _look_at_job,
    _look_at_required_check,
    _look_at_pull_requests,
    _look_at_merge_queue,
    _look_at_condition,
    _look_at_tolerance,
)
