"""The commands of the first and the last job of a workflow; each returns its exit code."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path

import click
import msgspec

from ci_gate.cli.json_output import format_option, print_outputs, print_verdict
from ci_gate.cli.options import check_workloads, choose_profile, choose_scenarios, read_thresholds
from ci_gate.cli.run import thresholds_option
from ci_gate.errors import EXIT_PASS, BadInputError, GateError, UsageError
from ci_gate.github.gate_job import (
    demand_of_head,
    gather,
    gather_timelines,
    parse_needs,
    parse_scenarios,
    plan_confirmations,
)
from ci_gate.github.head_environment import take_secrets
from ci_gate.github.job_plan import SAME_RUNNER, check_confirm_on
from ci_gate.github.key import DEFAULT_KEY, check_key
from ci_gate.github.occasion import read_occasion
from ci_gate.github.plan_job import (
    Matrix,
    explain_lost_base,
    explain_missing_dockerfile,
    find_measured_base,
    find_reviewed_base,
    render_outputs,
    split_names,
)
from ci_gate.github.plan_problems import explain_guessed_port, find_plan_problems
from ci_gate.github.problems import list_problems, parse_problems, render_problems
from ci_gate.github.review import find_repository
from ci_gate.judge.gate.mistakes import add_mistakes
from ci_gate.report.annotations import clean_log_line
from ci_gate.report.files import TIMELINE_FILE, write_timeline, write_verdict
from ci_gate.report.output import write_command
from ci_gate.thresholds import DEFAULT_FILE

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_COUNT = re.compile(r"0*[1-9][0-9]{0,17}")

names_option = click.option("--scenario", "names", default="", help="Names between commas; empty: all.")
profile_option = click.option("--profile", "profile_name", default="pull_request", show_default=True)
key_option = click.option(
    "--key", default=DEFAULT_KEY, show_default=True, help="Tells this gate from others of the repository."
)


@click.command("plan")
@thresholds_option
@names_option
@profile_option
@key_option
@click.option(
    "--base", "asked_base", default="", help="Measured beside head; empty: what the event calls base."
)
@click.option(
    "--dockerfile", default="", help="Beside thresholds.yaml or below; empty: as that file says, or none."
)
@click.option("--context", default=".", help="What the image is built from, as a path from thresholds.yaml.")
@click.option("--users", default="", help="In each scenario; empty: as thresholds.yaml says.")
@click.option(
    "--confirm-on", default=SAME_RUNNER, help="Where what would block is confirmed: checked, nothing else."
)
@format_option
def plan_command(thresholds_file: Path, key: str, confirm_on: str, *, as_json: bool, **options: str) -> int:
    """Check thresholds.yaml and its locustfiles, and print what to measure as outputs of a job.

    Standard output is meant for the file at GITHUB_OUTPUT: matrix and scenarios (JSON lists), profile, base
    (the commit whose thresholds.yaml is compared with head's, or empty), measured_base (the one to measure
    beside head, or empty), not_compared (why that is empty), dockerfile and context (paths in the
    repository, empty where no image is built), users; where it fails, problems (a JSON list), of which
    `ci-gate gate` makes the verdict. An empty option is one that nobody gave.
    """
    try:
        check_key(key)
        check_confirm_on(confirm_on)
        add_secrets()  # a locustfile may read them when it is imported
        outputs = render_outputs(_plan(thresholds_file, **options))
    except GateError as error:
        if not as_json:  # its own document has them
            click.echo(f"problems={render_problems(list_problems(error))}")
        raise
    if as_json:
        print_outputs(outputs)
    else:
        click.echo(outputs, nl=False)
    return EXIT_PASS


def _plan(
    thresholds_file: Path,
    *,
    names: str,
    profile_name: str,
    asked_base: str,
    dockerfile: str,
    context: str,
    users: str,
) -> Matrix:
    thresholds = read_thresholds(thresholds_file)
    user_count = read_count(users)
    chosen = split_names(names)
    choose_scenarios(thresholds, chosen)
    thresholds, _ = check_workloads(thresholds, thresholds_file.parent, users=user_count)
    scenarios = choose_scenarios(thresholds, chosen)
    repository, file = find_repository(thresholds_file)
    dockerfile = dockerfile or (thresholds.service.target if thresholds.service.kind == "dockerfile" else "")
    dockerfile, context = (_locate(file, each) if dockerfile else "" for each in (dockerfile, context))
    if problems := find_plan_problems(thresholds, scenarios, dockerfile, context, repository):
        raise BadInputError(*problems)
    warn_of(explain_guessed_port(thresholds, dockerfile, repository), title="No port")
    event, payload = read_event()
    base = find_reviewed_base(event, payload, repository)
    measured_base = find_measured_base(asked_base, base, repository)
    not_compared = "" if measured_base else explain_lost_base(event, payload, base)
    if measured_base and dockerfile:
        not_compared = explain_missing_dockerfile(measured_base, dockerfile, repository)
    warn_of(not_compared, title="Nothing is compared")
    return Matrix(
        scenarios=tuple(scenario.name for scenario in scenarios),
        compared=frozenset(scenario.name for scenario in scenarios if scenario.regression),
        profile=choose_profile(thresholds, profile_name).name,
        base=base or measured_base,
        measured_base="" if not_compared else measured_base,
        not_compared=not_compared,
        dockerfile=dockerfile,
        context=context,
        users=user_count,
    )


def _locate(thresholds_file: str, path: str) -> str:
    """The path in the repository of what thresholds.yaml, itself a path in it, finds at ``path``."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(thresholds_file), path))


@click.command("reds")
@click.argument("folder", type=_FOLDER)
@click.option("--matrix", required=True, help="The jobs that were planned, as a JSON list.")
@format_option
def reds_command(folder: Path, matrix: str, *, as_json: bool) -> int:
    """Print which of the planned jobs left a comparison that a fresh runner is to confirm, as an output.

    By the verdict.json files below FOLDER: matrix=<JSON list>, empty where there is none, for the file at
    GITHUB_OUTPUT.
    """
    output = f"matrix={plan_confirmations(folder, matrix)}"
    if as_json:
        print_outputs(output)
    else:
        click.echo(output)
    return EXIT_PASS


@click.command("gate")
@click.argument("folder", type=_FOLDER)
@click.option("--scenarios", required=True, help="What was planned, as a JSON list.")
@click.option("--needs", required=True, help="The needs context of this job, as JSON.")
@click.option("--base", default="", help="The commit whose thresholds.yaml head's is compared with.")
@click.option("--confirmed", type=_FOLDER, help="What came back from the jobs of `ci-gate confirm`.")
@click.option(
    "--not-compared", default="", help="Why nothing was measured beside head; empty: nothing to say."
)
@click.option("--dockerfile", default="", help="Of the service, where its image was built by one.")
@click.option("--context", default="", help="What that image was built from.")
@click.option("--problems", default="", help="What kept the plan from being made, as a JSON list.")
@click.option("--repository", type=_FOLDER, help="A checkout of head, to see what is to be there.")
@click.option("--thresholds", "thresholds_file", default=DEFAULT_FILE, show_default=True)
@click.option("--out", "out_file", type=_FILE, required=True, help="The verdict's file.")
@format_option
def gate_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
    folder: Path,
    scenarios: str,
    needs: str,
    base: str,
    confirmed: Path | None,
    not_compared: str,
    dockerfile: str,
    context: str,
    problems: str,
    repository: Path | None,
    thresholds_file: str,
    out_file: Path,
    *,
    as_json: bool,
) -> int:
    """Make one verdict of every verdict.json below FOLDER, and one timeline.json beside it.

    It is INVALID where thresholds.yaml has a mistake, where a planned scenario is missing, or a limit of it
    that thresholds.yaml names, or a job that this one needs ended in any other way than success, unless a
    scenario FAILs. With --confirmed, a comparison that was left to a fresh runner is as both starts show it;
    where no second one came back, the first stands. That a job failed is excused only by a verdict that
    blocks and is of this attempt of the run.
    """
    planned = parse_scenarios(scenarios)
    occasion = read_occasion(os.environ, read_payload(), base)
    verdict = gather(folder, planned, parse_needs(needs), not_compared, confirmed, occasion)
    verdict = add_mistakes(verdict, parse_problems(problems))
    if dockerfile:
        built = {"dockerfile": dockerfile, "context": context or "."}
        verdict = msgspec.structs.replace(verdict, options=verdict.options | built)
    if repository is not None:
        verdict = demand_of_head(verdict, repository, thresholds_file, planned)
    verdict = msgspec.structs.replace(verdict, occasion=occasion)
    write_verdict(out_file, verdict)
    write_timeline(out_file.with_name(TIMELINE_FILE), gather_timelines(folder, planned))
    print_verdict(verdict, as_json=as_json)
    return verdict.exit_code


def add_secrets() -> None:
    """Make variables of what the workflow's secret holds, and have the runner hide their values in logs."""
    for value in take_secrets(os.environ):
        write_command(sys.stderr, f"::add-mask::{value.replace('%', '%25')}")


def warn_of(text: str, *, title: str) -> None:
    """Annotate the job with a warning, unless there is nothing to warn of."""
    if text:
        write_command(sys.stderr, f"::warning title={title}::{clean_log_line(text)}")


def read_count(text: str) -> int | None:
    """The number of users, None for an empty text. Raises UsageError."""
    if not text:
        return None
    if not _COUNT.fullmatch(text):
        raise UsageError(f"--users is no whole number above 0: {text!a}")
    return int(text)


def read_event() -> tuple[str, dict[str, object]]:
    """The event's name, empty outside of a workflow, and its payload. Raises UsageError."""
    try:
        payload = msgspec.json.decode(read_payload() or b"{}", type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH: {error}") from error
    return os.environ.get("GITHUB_EVENT_NAME", ""), payload


def read_payload() -> bytes:
    """The file at GITHUB_EVENT_PATH, empty where there is none. Raises UsageError."""
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise UsageError(f"GITHUB_EVENT_PATH: {error}") from error
