"""Commands import what they need when they need it. How long that takes: benchmarks/startup.py."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from ci_gate.cli.main import cli

HEAVY = {"scipy", "numpy", "locust", "docker", "psycopg", "redis", "jinja2", "requests"}
COMMANDS = cli.list_commands(click.Context(cli))
HELP = """
import contextlib
from ci_gate.cli.main import run_cli
with contextlib.suppress(SystemExit):
    run_cli({arguments!r})
"""


def imported_by(code: str) -> tuple[set[str], str]:
    """The packages that a new Python has imported after that code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stderr.split()}, done.stdout


def test_import__takes_no_heavy_library():
    packages, _ = imported_by("import ci_gate.cli.main")
    assert "click" in packages
    assert not packages & HEAVY


def test_help__lists_every_command_and_imports_none():
    packages, printed = imported_by(HELP.format(arguments=["--help"]))
    assert not packages & HEAVY
    for name in COMMANDS:
        assert f"\n  {name} " in printed


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("ci_gate.cli.run", HEAVY),
        ("ci_gate.run.scenarios", HEAVY - {"numpy"}),
        ("ci_gate.judge.verdict", HEAVY - {"numpy"}),
        # Loads Locust: its memory and time are added to the load generator's.
        ("ci_gate.measure.in_locust.recorder", {"scipy", "numpy", "docker", "psycopg", "redis", "yaml"}),
    ],
)
def test_import__of_what_a_run_begins_with(module, without):
    packages, _ = imported_by(f"import {module}")
    assert not packages & without


@pytest.mark.parametrize("name", COMMANDS)
def test_command__is_where_the_table_says(name):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.help
