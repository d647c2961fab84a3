"""The command line: its commands, and what every ending means as an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Final

import click

from ci_gate import __version__
from ci_gate.addresses import WORKER_SECRET, forget_secrets, keep_secret
from ci_gate.errors import EXIT_INVALID, EXIT_OUR_BUG, EXIT_OUTSIDE_WORLD, GateError, UsageError
from ci_gate.report.output import clean_streams

EXIT_CODES = """\b
Exit codes:
  0   PASS        every limit was measured and kept
  1   FAIL        a limit is broken
  2   bad input   thresholds.yaml, evidence or arguments are wrong
  3   INVALID     the run could not be judged: the service did not start, nobody could log in, ... (or
                  INCONCLUSIVE, where that blocks)
  4   outside     something ci-gate depends on failed: Docker, the network, the disk, GitHub
  70  bug         ours; please report it
"""


# Where each command is, and its line in the help. A module is imported when its command runs: all of them and
# their libraries take 20 times as long as the help itself.
_COMMANDS: Final = {
    "calibrate": ("calibrate:calibrate_command", "Compare the service with itself: the noise floor here."),
    "capacity": ("capacity:capacity", "Step the load up: how many users fit, and what runs out first."),
    "check": ("run:check", "Check thresholds.yaml and its locustfiles, without load."),
    "confirm": ("job:confirm_command", "Start a red comparison once more, in a job on a fresh runner."),
    "doctor": ("github:doctor_command", "Does the gate really block merges here?"),
    "export": ("export:export", "Write every request of an evidence folder as CSV."),
    "gate": ("ci:gate_command", "Make one verdict of those of a workflow's jobs."),
    "history": ("history:history_command", "Show what became slower over the commits of a branch."),
    "init": ("init.command:init", "Look at a repository, and write a first thresholds.yaml for it."),
    "judge": ("run:judge_command", "Judge evidence again, without load."),
    "last-verdict": (
        "repeat:last_verdict_command",
        "Does this event need a measurement, or does a verdict stand?",
    ),
    "measure": ("job:measure_command", "Measure and judge, in a job that measures by itself."),
    "overview": ("report:overview", "Show several runs on one page: jobs of a matrix, or a history."),
    "plan": ("ci:plan_command", "Say what a workflow is to measure, for its other jobs."),
    "publish": ("github:publish_command", "Comment, summary, annotations and status on GitHub."),
    "reds": ("ci:reds_command", "Say which comparisons a fresh runner is to confirm."),
    "repeat": ("repeat:repeat_command", "Take the verdict of an earlier run again."),
    "report": ("report:report", "Render a verdict as Markdown, text, JUnit XML or HTML."),
    "review": ("job:review_command", "Read both sides' thresholds, before any code of head's runs."),
    "run": ("run:run", "Start the service, put the load on it, judge."),
    "schema": ("schema:schema_command", "Print the JSON Schema of verdict.json and other documents."),
    "suggest": ("suggest:suggest_command", "Suggest limits that measured runs support, as a diff."),
    "try": ("attempt:try_command", "Try a locustfile on a URL and judge it, without a thresholds.yaml."),
    "worker": ("workers:worker_command", "Put load on for a `ci-gate run` on another machine."),
}


class _LazyGroup(click.Group):
    """Lists every command, and imports the one that is run."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (GateError, OSError, KeyboardInterrupt) as error:
            from ci_gate.cli.json_output import print_error

            print_error(ctx, error)
            raise

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, function = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(f"ci_gate.cli.{module}"), function)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ci-gate")
def cli() -> None:
    """Decides whether a web service may merge under load."""


def run_cli(arguments: list[str] | None = None) -> None:
    """The entry point: the only place that catches everything, and that ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background jobs ignore SIGINT
        signal.signal(number, _interrupt)
    try:
        with clean_streams():
            # No service and no locustfile is to have it, whatever the command.
            keep_secret(secret := os.environ.pop(WORKER_SECRET, ""))
            code = _run(arguments, secret)
    finally:
        forget_secrets()
    gc.freeze()  # else all that there is would be looked at once more for garbage, as it ends
    sys.exit(code)


def _run(arguments: list[str] | None, worker_secret: str) -> int:
    code: int
    try:
        code = cli.main(arguments, prog_name="ci-gate", standalone_mode=False, obj=worker_secret)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the evidence so far is kept; `ci-gate judge` reads it", err=True)
        code = EXIT_INVALID
    except GateError as error:
        click.echo(f"ci-gate: {error}", err=True)
        code = error.exit_code
    except OSError as error:  # a full disk, a folder that may not be written, a pipe that broke
        click.echo(f"ci-gate: {error}", err=True)
        code = EXIT_OUTSIDE_WORLD
    except Exception:  # noqa: BLE001 - the one boundary
        traceback.print_exc()
        click.echo("ci-gate: this is a bug in ci-gate; please report it with the lines above", err=True)
        code = EXIT_OUR_BUG
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
