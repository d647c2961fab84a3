"""What makes the gate safer or more useful, though a merge is blocked without it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ci_gate.github.api.rules import ACTIONS_APP_ID
from ci_gate.github.doctor.branch_filters import listed
from ci_gate.github.doctor.gate_setup import Line, Setup, State, name_some
from ci_gate.github.doctor.workflow_files import Job, Workflow

_PINNED: Final = re.compile(r"@[0-9a-f]{40}$|^docker://.+@sha256:[0-9a-f]{64}$|^\./")


def examine_advisable(setup: Setup) -> tuple[Line, ...]:
    """Who may report the check, the comment, permissions, and what the workflows use."""
    looks = (
        _check_source,
        _check_comment,
        _check_permissions,
        _check_pins,
    )
    return tuple(line for look in looks for line in look(setup))


def _check_source(setup: Setup) -> Iterator[Line]:
    check = setup.reported
    demanded = [each for each in setup.rules.checks if each.name == check]
    if not demanded:
        return
    if any(each.app_id == ACTIONS_APP_ID for each in demanded):
        yield Line(state="ok", subject="source of the check", found="GitHub Actions alone may report it")
        return
    sources = {each.app_id for each in demanded}
    found = "any app or user who may write" if None in sources else f"app {min(filter(None, sources))}"
    to_do = f"in the rule, set the source of {check} to GitHub Actions"
    yield Line(state="advice", subject="source of the check", found=found, to_do=to_do)


def _check_comment(setup: Setup) -> Iterator[Line]:
    names = {gate.workflow.name for gate in setup.gates}
    followers = [
        workflow
        for workflow in setup.workflows
        if names & set(listed(workflow.triggers.get("workflow_run", {}).get("workflows")))
    ]
    may = [workflow for workflow in followers if any(_may_comment(workflow, job) for job in workflow.jobs)]
    if may:
        yield Line(state="ok", subject="comment", found=f"{may[0].path} follows the gate and may comment")
    elif followers:
        to_do = f"give the job in {followers[0].path} permissions: pull-requests: write"
        yield Line(state="advice", subject="comment", found="the job may not comment", to_do=to_do)
    else:
        to_do = "add a workflow on workflow_run of the gate that runs `ci-gate publish`"
        yield Line(state="advice", subject="comment", found="no workflow follows the gate", to_do=to_do)


def _may_comment(workflow: Workflow, job: Job) -> bool:
    permissions = job.permissions if job.permissions is not None else workflow.permissions or {}
    return "write" in {permissions.get(name) for name in ("pull-requests", "issues", "all")}


def _check_permissions(setup: Setup) -> Iterator[Line]:
    open_ones = [workflow.path for workflow in setup.workflows if workflow.permissions != {}]
    found = f"{name_some(open_ones)} start with more than none" if open_ones else "all start with none"
    to_do = "begin with permissions: {} and give each job what it needs" if open_ones else ""
    state: State = "advice" if open_ones else "ok"
    yield Line(state=state, subject="permissions", found=found, to_do=to_do)
    targets = [workflow.path for workflow in setup.workflows if "pull_request_target" in workflow.triggers]
    if targets:
        to_do = "use pull_request and workflow_run: this event gives a fork's code the repository's token"
        found = f"pull_request_target in {name_some(targets)}"
        yield Line(state="advice", subject="fork safety", found=found, to_do=to_do)


def _check_pins(setup: Setup) -> Iterator[Line]:
    loose = [
        f"{workflow.path}:{action.line} {action.reference}"
        for workflow in setup.workflows
        for action in workflow.actions
        if not _PINNED.search(action.reference)
    ]
    found = f"{len(loose)} by a name that can move: {name_some(loose)}" if loose else "all by a full commit"
    to_do = "write owner/action@<40 digits> # version" if loose else ""
    yield Line(state="advice" if loose else "ok", subject="pinned actions", found=found, to_do=to_do)
