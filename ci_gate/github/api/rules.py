"""What a branch demands before a merge: rulesets and classic branch protection, as far as a token may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from ci_gate.github.api.transport import Transport

ACTIONS_APP_ID: Final = 15368  # of GitHub Actions on github.com


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredCheck:
    """``app_id`` is None where a check of this name by anybody will do."""

    name: str
    app_id: int | None
    demanded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRules:
    """``has_merge_queue`` is True only for a queue that a ruleset demands."""

    branch: str
    checks: tuple[RequiredCheck, ...]
    has_merge_queue: bool


class _Repository(msgspec.Struct):
    default_branch: str


class _Check(msgspec.Struct):
    context: str
    integration_id: int | None = None
    app_id: int | None = None


class _Parameters(msgspec.Struct):
    required_status_checks: list[_Check] = []


class _Rule(msgspec.Struct):
    type: str
    parameters: _Parameters | None = None


class _RequiredChecks(msgspec.Struct):
    checks: list[_Check] = []
    contexts: list[str] = []
    enforcement_level: str = "everyone"


class _Protection(msgspec.Struct):
    required_status_checks: _RequiredChecks | None = None


class _Branch(msgspec.Struct):
    protected: bool
    protection: _Protection


def find_default_branch(transport: Transport, repository: str) -> str:
    """The repository's default branch. Raises GitHubError."""
    return transport.get(f"/repos/{repository}").read(_Repository).default_branch


def read_rules(transport: Transport, repository: str, branch: str = "") -> BranchRules:
    """The rules of ``branch``, the default branch if empty. Raises GitHubError.

    Without the right to read it, classic protection does not show whether it has a merge queue.
    """
    path = f"/repos/{repository}"
    branch = branch or find_default_branch(transport, repository)
    name = quote(branch, safe="")
    pages = transport.get_pages(f"{path}/rules/branches/{name}")
    rules = [rule for page in pages for rule in page.read(list[_Rule])]
    protection = transport.get(f"{path}/branches/{name}").read(_Branch)
    return BranchRules(
        branch=branch,
        checks=(*_checks_of_rules(rules), *_checks_of_protection(protection)),
        has_merge_queue=any(rule.type == "merge_queue" for rule in rules),
    )


def _checks_of_rules(rules: list[_Rule]) -> list[RequiredCheck]:
    return [
        RequiredCheck(name=check.context, app_id=check.integration_id, demanded_by="a ruleset")
        for rule in rules
        if rule.type == "required_status_checks" and rule.parameters is not None
        for check in rule.parameters.required_status_checks
    ]


def _checks_of_protection(branch: _Branch) -> list[RequiredCheck]:
    required = branch.protection.required_status_checks
    if not branch.protected or required is None or required.enforcement_level == "off":
        return []
    known = {check.context: check.app_id for check in required.checks}
    names = [*known, *(name for name in required.contexts if name not in known)]
    return [
        # -1 is how protection writes that any app will do
        RequiredCheck(
            name=name,
            app_id=None if known.get(name) == -1 else known.get(name),
            demanded_by="branch protection",
        )
        for name in names
    ]
