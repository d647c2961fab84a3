"""Does the gate really block a merge? Reads a repository's rules and workflows, and prints what to fix."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from tabulate import tabulate

from ci_gate.errors import EXIT_FAIL, EXIT_PASS
from ci_gate.evidence.ranges import Version
from ci_gate.github.api.rules import read_rules
from ci_gate.github.api.transport import Transport
from ci_gate.github.doctor.gate_advice import examine_advisable
from ci_gate.github.doctor.gate_setup import Setup, examine_blocking
from ci_gate.github.doctor.workflow_files import read_workflows
from ci_gate.report.annotations import clean_log_line

DEFAULT_CHECK: Final = "gate"
DOCTOR_SCHEMA: Final = 1
_WIDTH: Final = 50
_OTHER_CHECKS: Final = """\
Not checked here: pinned actions, permissions, what a fork's code can reach. zizmor finds them:
`uvx zizmor .github` (https://docs.zizmor.sh).
"""


class DoctorLine(msgspec.Struct, frozen=True, kw_only=True):
    """One check: FIX where the gate does not block until it is fixed. ``to_do`` is empty if ok."""

    state: str
    subject: str
    found: str
    to_do: str


class DoctorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gate blocks merges into ``branch``, and why."""

    schema: Version
    branch: str
    check: str
    blocks: bool
    lines: tuple[DoctorLine, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_PASS if self.blocks else EXIT_FAIL


def examine_repository(
    *,
    transport: Transport,
    github_repository: str,
    repository: Path,
    branch: str = "",
    check: str = DEFAULT_CHECK,
) -> DoctorDocument:
    """What was found, and what to do. Raises GitHubError.

    ``repository`` is a checkout, ``branch`` the one that is merged into (the default branch if empty).
    """
    workflows, problems = read_workflows(repository)
    rules = read_rules(transport, github_repository, branch)
    setup = Setup(check=check, rules=rules, workflows=workflows, problems=problems)
    lines = (*examine_blocking(setup), *examine_advisable(setup))
    return DoctorDocument(
        schema=DOCTOR_SCHEMA,
        branch=rules.branch,
        check=check,
        blocks=all(line.state != "FIX" for line in lines),
        lines=tuple(
            DoctorLine(state=each.state, subject=each.subject, found=each.found, to_do=each.to_do)
            for each in lines
        ),
    )


def render_examination(found: DoctorDocument) -> str:
    """A table of what was found, and whether the gate blocks, with a final newline."""
    rows = [
        [clean_log_line(cell) for cell in (each.state, each.subject, each.found, each.to_do or "-")]
        for each in found.lines
    ]
    table = tabulate(
        rows, headers=("", "what", "found", "what to do"), maxcolwidths=[None, None, _WIDTH, _WIDTH]
    )
    verb = "blocks" if found.blocks else "does not block"
    return f"{table}\n\n{_OTHER_CHECKS}\nThe gate {verb} merges into {clean_log_line(found.branch)}.\n"
