"""What makes the gate more useful, though a merge is blocked without it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ci_gate.github.api.rules import ACTIONS_APP_ID
from ci_gate.github.doctor.branch_filters import listed
from ci_gate.github.doctor.gate_setup import Line, Setup
from ci_gate.github.doctor.workflow_files import Job, Workflow


def examine_advisable(setup: Setup) -> tuple[Line, ...]:
    """A line on who may report the check, and one on the comment."""
    return (*_check_source(setup), *_check_comment(setup))


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
