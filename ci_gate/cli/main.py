"""The command line: its commands, and what every ending means as an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType

import click

from ci_gate import __version__
from ci_gate.cli import capacity, ci, export, github, repeat, report, run
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


@click.group(
    epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="ci-gate")
def cli() -> None:
    """Decides whether a web service may merge under load."""


for command in (
    *(run.init, run.check, run.run, run.judge_command, run.calibrate),
    capacity.capacity,
    export.export,
    *(report.report, report.overview),
    *(ci.plan_command, ci.gate_command),
    *(repeat.last_verdict_command, repeat.repeat_command),
    *(github.publish_command, github.doctor_command),
):
    cli.add_command(command)


def run_cli(arguments: list[str] | None = None) -> None:
    """The entry point: the only place that catches everything, and that ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background jobs ignore SIGINT
        signal.signal(number, _interrupt)
    with clean_streams():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    code: int
    try:
        code = cli.main(arguments, prog_name="ci-gate", standalone_mode=False)
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
