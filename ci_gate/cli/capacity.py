"""The command that finds out how much load a service can bear."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Final

import click

from ci_gate.cli.json_output import format_option
from ci_gate.cli.options import make_options, read_thresholds
from ci_gate.cli.run import print_capacity, thresholds_option
from ci_gate.run.capacity import hold_steady, measure_capacity, plan_climb
from ci_gate.run.judging import judge_capacity_folder
from ci_gate.run.progress import ProgressPrinter
from ci_gate.thresholds.quantities import parse_duration_s
from ci_gate.wording import count, format_exact

_MIN_STEP_S: Final = 3.0
_MAX_STEP_S: Final = 3600.0
_MIN_WARMUP_S: Final = 2.0  # a step begins with an empty service, and its queues take time to fill


def _read_duration(_context: click.Context, _option: click.Parameter, text: str) -> float:
    try:
        duration_s = parse_duration_s(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not _MIN_STEP_S <= duration_s <= _MAX_STEP_S:
        raise click.BadParameter(
            f"{text} (allowed: from {format_exact(_MIN_STEP_S)}s to {format_exact(_MAX_STEP_S / 60)}m)"
        )
    return duration_s


@click.command()
@click.argument("scenario")
@thresholds_option
@click.option(
    "--from", "lowest", type=click.IntRange(1), help="Fewest users.  [default: an eighth of the scenario's]"
)
@click.option(
    "--to", "highest", type=click.IntRange(1), help="Most users.  [default: eight times the scenario's]"
)
@click.option(
    "--growth",
    type=click.FloatRange(1.1, 10),
    default=2.0,
    show_default=True,
    help="Each step has so many times the users of the one before.",
)
@click.option(
    "--step-duration",
    "duration_s",
    default="12s",
    show_default=True,
    callback=_read_duration,
    help="How long a step measures; one that has to prove limits lasts up to five times as long.",
)
@click.option(
    "--profile",
    "profile_name",
    default="pull_request",
    show_default=True,
    help="For its warm-up, of 2 s at least.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where evidence goes; new or empty.  [default: ci-gate-out/<time>]",
)
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
@format_option
def capacity(  # noqa: PLR0913 - one parameter for each option
    scenario: str,
    thresholds_file: Path,
    *,
    lowest: int | None,
    highest: int | None,
    growth: float,
    duration_s: float,
    profile_name: str,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Find out how much load the service can bear in SCENARIO.

    Starts the service once and puts more and more of the scenario's users on it, in the proportion of their
    classes, until throughput no longer grows, requests fail, the load generator is at its end, or --to is
    reached; then narrows down where limits begin to break. Where the workload is open (arrivals), --from and
    --to are arrivals per second. Where the scenario has a shape, its most users stay as long as a step lasts.

    Says how many users fit under the scenario's limits, where the knee is, what ran out first, and how
    throughput scales; most services take 8 to 12 steps and about 5 minutes. Evidence, capacity.json and
    capacity.html stay in --out; `ci-gate judge` judges them again, without load. Ctrl-C ends everything
    cleanly; what was measured until then stays readable.
    """
    asked = make_options(read_thresholds(thresholds_file), (scenario,), profile_name, base=None, out=out)
    options, progress = hold_steady(asked), ProgressPrinter(sys.stderr, quiet=quiet)
    if options is not asked:
        users = count(options.scenarios[0].user_count, "user")
        progress.say(
            f"{scenario}: each step holds its users steady; the shape, up to {users}, is not followed"
        )
    climb = plan_climb(
        options.scenarios[0],
        lowest=lowest,
        highest=highest,
        growth=growth,
        duration_s=duration_s,
        processes=options.processes,
    )
    warmup_s = max(options.profile.warmup_s, _MIN_WARMUP_S)
    profile = dataclasses.replace(options.profile, duration_s=duration_s, warmup_s=warmup_s)
    options = dataclasses.replace(options, profile=profile)
    measure_capacity(options, climb, progress)
    return print_capacity(
        judge_capacity_folder(options.out, options.thresholds), options.out, as_json=as_json
    )
