"""The command that compares the service with itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ci_gate.cli.json_output import format_option, print_json
from ci_gate.cli.options import make_options, read_thresholds
from ci_gate.cli.run import scenario_option, thresholds_option
from ci_gate.errors import EXIT_PASS, UsageError
from ci_gate.run.progress import ProgressPrinter


@click.command("calibrate")
@thresholds_option
@scenario_option
@click.option("--profile", "profile_name", default="pull_request", show_default=True, help="For its warm-up.")
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 1000), help="Per scenario.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where evidence goes; new or empty.  [default: ci-gate-out/<time>]",
)
@click.option(
    "--diff", "shows_diff", is_flag=True, help="Also print the tolerances that they support, as a diff."
)
@format_option
def calibrate_command(
    thresholds_file: Path,
    names: tuple[str, ...],
    profile_name: str,
    runs: int,
    out: Path | None,
    *,
    shows_diff: bool,
    as_json: bool,
) -> int:
    """Compare the service with itself, as a pull request without a change would be, from fresh starts.

    Prints, per metric, how many of the comparisons called equal versions worse (a false alarm, with the
    interval of how often it happens), how much the measured change scatters, the smallest worsening that is
    detectable on this machine, and the tolerances that the comparisons support. `ci-gate suggest --replace`
    makes a diff of them at any time.
    """
    if shows_diff and as_json:
        raise UsageError("a diff is no JSON: `ci-gate suggest --replace --format json` has it in one")
    options = make_options(read_thresholds(thresholds_file), names, profile_name, base=None, out=out)
    from ci_gate.run.calibrate import calibrate, render_calibration

    calibration = calibrate(options, runs, ProgressPrinter(sys.stderr))
    if as_json:
        print_json(calibration)
    else:
        click.echo(render_calibration(calibration))
    if shows_diff:
        from ci_gate.cli.suggest import print_suggestion, suggest_from

        suggestion = suggest_from((options.out,), options.thresholds, replaces=True)
        return print_suggestion(options.thresholds, suggestion)
    return EXIT_PASS
