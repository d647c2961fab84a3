"""The commands that measure, judge and render; each returns its exit code and imports what it alone needs."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_gate.cli.json_output import format_option, print_json, print_verdict
from ci_gate.cli.options import (
    check_workloads,
    choose_scenarios,
    make_options,
    read_thresholds,
    service_environment,
)
from ci_gate.cli.workers import read_remote_workers, workers_options
from ci_gate.errors import EXIT_INVALID, EXIT_PASS, UsageError
from ci_gate.evidence.processes import MAX_PROCESSES
from ci_gate.measure.locustfile.workloads import import_locust
from ci_gate.run.progress import ProgressPrinter
from ci_gate.thresholds import ALL_ENDPOINTS, DEFAULT_FILE, Thresholds
from ci_gate.thresholds.locust_settings import AUTO
from ci_gate.wording import count

if TYPE_CHECKING:
    from ci_gate.addresses import HostPort
    from ci_gate.judge.capacity.verdict import CapacityVerdict
    from ci_gate.run.plan import RunOptions

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

thresholds_option = click.option(
    "--thresholds",
    "thresholds_file",
    type=_FILE,
    default=Path(DEFAULT_FILE),
    show_default=True,
    help="The file of scenarios and limits; its folder is the repository.",
)

out_option = click.option(
    "--out", type=_FOLDER, help="Where evidence goes; new or empty.  [default: ci-gate-out/<time>]"
)

quiet_option = click.option("--quiet", is_flag=True, help="No progress on standard error.")

scenario_option = click.option(
    "--scenario", "names", multiple=True, help="Only this one; may be given again."
)


def read_processes(_context: object, _parameter: object, text: str | None) -> int | str | None:
    """What --processes says. Raises BadParameter for what thresholds.yaml could not say either."""
    if text is None or text == AUTO:
        return text
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= MAX_PROCESSES):
        raise click.BadParameter(f"{text} (allowed: 1 to {MAX_PROCESSES}, or {AUTO})")
    return int(text)


@click.command()
@thresholds_option
@click.option("--run", "runs", is_flag=True, help="Start the service, and let a few users run for seconds.")
@scenario_option
@format_option
def check(thresholds_file: Path, names: tuple[str, ...], *, runs: bool, as_json: bool) -> int:
    """Check thresholds.yaml and the locustfiles it names, without any load.

    Reports every problem at once with file, line, column and what is allowed; then says, per scenario, what
    rate its users can offer, and which percentiles a profile is too short to prove.

    With --run a few users of each class run for some seconds against the service, and what was seen is
    printed: endpoints as Locust names them, statuses, rates, requests of each task, and what failed.
    """
    with import_locust(service_environment()) as importing:
        thresholds = read_thresholds(thresholds_file)
        thresholds, workloads = check_workloads(thresholds, thresholds_file.parent, importing=importing)
    if as_json:
        if runs:
            raise UsageError("--run prints what was seen as text: leave out --format json")
        from ci_gate.cli.check_document import describe_check

        print_json(describe_check(thresholds, workloads))
        return EXIT_PASS
    from ci_gate.judge.validity.feasibility import (
        describe_shape,
        find_unprovable,
        offered_rate,
    )
    from ci_gate.judge.validity.unused import list_unused

    scenarios = choose_scenarios(thresholds, names)
    for scenario in scenarios:
        offered = offered_rate(scenario, workloads[scenario.locust], ALL_ENDPOINTS)
        rate = "a rate that is not known before the run" if offered is None else f"at most {offered:,.1f}/s"
        users = count(scenario.user_count, "user offers", "users offer")
        load = f"{users} {rate}"
        if scenario.locust.shape:
            load = describe_shape(scenario, workloads[scenario.locust])
        click.echo(f"{scenario.name}: {load}; {count(len(scenario.limits), 'limit')}")
        for line in list_unused(scenario, workloads[scenario.locust]):
            click.echo(f"{scenario.name}: {line}")
    port = thresholds.service.fixed_port
    if port is not None and any(scenario.regression for scenario in scenarios):
        click.echo(f"not compared with base: port {port} is all that the service can have (service.port)")
    for line in dict.fromkeys(map(str, find_unprovable(thresholds, workloads))):
        click.echo(f"too short: {line}")
    click.echo(f"{thresholds_file}: {count(len(thresholds.scenarios), 'scenario')}, no problem")
    return _check_by_running(thresholds, names) if runs else EXIT_PASS


def _check_by_running(thresholds: Thresholds, names: tuple[str, ...]) -> int:
    from ci_gate.report.trial import render_trial
    from ci_gate.run.trial import try_scenarios

    profile = thresholds.profiles[0].name  # no limit is judged, so that its duration does not count
    options = make_options(thresholds, names, profile, base=None, out=None)
    code = EXIT_PASS
    for trial in try_scenarios(options, ProgressPrinter(sys.stderr)):
        click.echo(f"\n{render_trial(trial)}")
        code = code if trial.shows_something else EXIT_INVALID
    return code


@click.command()
@thresholds_option
@scenario_option
@click.option(
    "--profile", "profile_name", default="pull_request", show_default=True, help="How long to measure."
)
@click.option("--base", help="Compare with this git revision, image or URL, both under load at once.")
@click.option("--image", help="Start the service from this image; --base is then an image, too.")
@click.option(
    "--users", type=click.IntRange(1), help="In each scenario, instead of what thresholds.yaml says."
)
@click.option(
    "--processes",
    metavar="N",
    callback=read_processes,
    help="Of Locust, which share the users: 1 to 64, or auto, instead of what thresholds.yaml says.",
)
@workers_options
@click.option(
    "--profile-code/--no-profile-code",
    "profiles_code",
    default=None,
    help="Sample the code of both sides always, or never; else where head is worse than --base. "
    "Without --base: that of head alone (takes ci-gate[profile]).",
)
@out_option
@quiet_option
@format_option
def run(  # noqa: PLR0913 - one parameter for each option
    thresholds_file: Path,
    names: tuple[str, ...],
    profile_name: str,
    base: str | None,
    image: str | None,
    users: int | None,
    processes: int | str | None,
    *,
    workers: int | None,
    bind: HostPort,
    secret_file: Path | None,
    profiles_code: bool | None,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Start the service, put each scenario's load on it, judge, and print the table.

    Evidence, verdict.json and the reports (report.html, report.md, junit.xml) stay in --out. Ctrl-C ends
    everything cleanly; what was measured until then stays readable.
    """
    with import_locust(service_environment()) as importing:
        thresholds = read_thresholds(thresholds_file)
        remote = read_remote_workers(
            thresholds,
            workers=workers,
            bind=bind,
            secret_file=secret_file,
            base=base,
            processes=processes,
        )
        options = make_options(
            thresholds,
            names,
            profile_name,
            base=base,
            out=out,
            image=image,
            users=users,
            processes=processes,
            workers=workers,
            importing=importing,
        )
    options = dataclasses.replace(options, profiles_code=profiles_code, remote=remote)
    return measure_and_judge(options, quiet=quiet, as_json=as_json)


def measure_and_judge(options: RunOptions, *, quiet: bool, as_json: bool) -> int:
    """Runs the scenarios, prints the table and where all of it is written; returns the exit code."""
    from ci_gate.judge.validity.feasibility import find_unprovable
    from ci_gate.run.scenarios import run_scenarios

    progress = ProgressPrinter(sys.stderr, quiet=quiet)
    for unprovable in find_unprovable(options.thresholds, options.workloads):
        if unprovable.profile == options.profile.name and unprovable.scenario in {
            each.name for each in options.scenarios
        }:
            progress.say(f"this run cannot pass: {unprovable}")
    run_scenarios(options, progress)
    return _conclude(options.out, options.thresholds, as_json=as_json)


@click.command("judge")
@click.argument("evidence", type=_FOLDER)
@click.option(
    "--thresholds",
    "thresholds_file",
    type=_FILE,
    help="Judge by this file instead of the one it was measured with.",
)
@format_option
def judge_command(evidence: Path, thresholds_file: Path | None, *, as_json: bool) -> int:
    """Judge an evidence folder again, without load, and write its verdict and reports anew.

    A folder of `ci-gate capacity` gets its capacity.json anew.
    """
    from ci_gate.evidence.recording import read_run
    from ci_gate.judge.capacity.verdict import is_capacity
    from ci_gate.run.judging import judge_capacity_folder

    thresholds = read_thresholds(thresholds_file) if thresholds_file else None
    if is_capacity(read_run(evidence)):
        return print_capacity(judge_capacity_folder(evidence, thresholds), evidence, as_json=as_json)
    return _conclude(evidence, thresholds, as_json=as_json)


def print_capacity(verdict: CapacityVerdict, folder: Path, *, as_json: bool) -> int:
    """Prints what the steps in ``folder`` showed and where it is written; returns the exit code."""
    from ci_gate.report.capacity import render_capacity

    if as_json:
        print_json(verdict)
    else:
        click.echo(render_capacity(verdict))
    click.echo(f"evidence, capacity.json and capacity.html: {folder}", err=as_json)
    return verdict.exit_code


def _conclude(folder: Path, thresholds: Thresholds | None, *, as_json: bool) -> int:
    from ci_gate.report.files import write_reports
    from ci_gate.run.judging import judge_folder

    verdict, timeline = judge_folder(folder, thresholds)
    written = write_reports(folder, verdict, timeline)
    print_verdict(verdict, as_json=as_json)
    click.echo(written, err=as_json)
    return verdict.exit_code
