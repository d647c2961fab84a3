"""Does the gate really block a merge? Reads a repository's rules and workflows, and prints what to fix."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TextIO

from tabulate import tabulate

from ci_gate.errors import EXIT_FAIL, EXIT_PASS
from ci_gate.github.api.rules import read_rules
from ci_gate.github.api.transport import Transport
from ci_gate.github.doctor.gate_advice import examine_advisable
from ci_gate.github.doctor.gate_setup import Setup, examine_blocking
from ci_gate.github.doctor.workflow_files import read_workflows
from ci_gate.report.annotations import clean_log_line

DEFAULT_CHECK: Final = "gate"
_WIDTH: Final = 50
_OTHER_CHECKS: Final = """\
Not checked here: pinned actions, permissions, what a fork's code can reach. zizmor finds them:
`uvx zizmor .github` (https://docs.zizmor.sh).
"""


def run_doctor(
    *,
    transport: Transport,
    github_repository: str,
    repository: Path,
    branch: str = "",
    check: str = DEFAULT_CHECK,
    out: TextIO,
) -> int:
    """Print a table of what was found and what to do; 0 if the gate blocks, 1 if not. Raises GitHubError.

    ``repository`` is a checkout, ``branch`` the one that is merged into (the default branch if empty).
    """
    workflows, problems = read_workflows(repository)
    rules = read_rules(transport, github_repository, branch)
    setup = Setup(check=check, rules=rules, workflows=workflows, problems=problems)
    lines = (*examine_blocking(setup), *examine_advisable(setup))
    rows = [[clean_log_line(cell) for cell in (x.state, x.subject, x.found, x.to_do or "-")] for x in lines]
    out.write(
        tabulate(rows, headers=("", "what", "found", "what to do"), maxcolwidths=[None, None, _WIDTH, _WIDTH])
        + "\n"
    )
    blocks = all(line.state != "FIX" for line in lines)
    verb = "blocks" if blocks else "does not block"
    out.write(f"\n{_OTHER_CHECKS}\nThe gate {verb} merges into {clean_log_line(rules.branch)}.\n")
    return EXIT_PASS if blocks else EXIT_FAIL
