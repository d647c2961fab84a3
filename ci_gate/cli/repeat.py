"""The commands by which an event that changes nothing of what is measured takes the last verdict again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

import ci_gate
from ci_gate.cli.ci import key_option, names_option, profile_option, read_event, read_payload
from ci_gate.cli.github import connect
from ci_gate.cli.json_output import format_option, print_outputs, print_verdict
from ci_gate.cli.options import choose_profile, choose_scenarios, read_thresholds
from ci_gate.cli.run import thresholds_option
from ci_gate.errors import EXIT_PASS, EvidenceError, GateError
from ci_gate.github.gate_job import parse_needs, parse_scenarios, take_again
from ci_gate.github.last_verdict import MeasureAgain, Standing, Wanted, find_last_verdict
from ci_gate.github.occasion import explain_need, read_occasion
from ci_gate.github.plan_job import find_reviewed_base, split_names
from ci_gate.github.review import Review, find_repository, review_sides
from ci_gate.github.untouched import split_paths, touches_nothing
from ci_gate.judge.gate.untouched import make_untouched_verdict
from ci_gate.judge.timeline.run_timeline import RunTimeline
from ci_gate.judge.verdict import Verdict
from ci_gate.report.annotations import clean_log_line
from ci_gate.report.files import TIMELINE_FILE, read_timeline, write_timeline, write_verdict

_FILE = click.Path(path_type=Path, dir_okay=False)

paths_option = click.option(
    "--paths", default="", help="What is measured, as git's pathspecs, one a line; empty: all."
)


@click.command("last-verdict")
@thresholds_option
@names_option
@profile_option
@key_option
@paths_option
@click.option("--out", "out_file", type=_FILE, required=True, help="Where the verdict is written.")
@format_option
def last_verdict_command(
    thresholds_file: Path,
    names: str,
    profile_name: str,
    key: str,
    paths: str,
    out_file: Path,
    *,
    as_json: bool,
) -> int:
    """Look for the verdict that the last run of this workflow made of the same commit.

    For a label, or an edit of a pull request's title, that verdict still stands: it is written to --out,
    and reused=<run> is printed for the file at GITHUB_OUTPUT. Everything else is measured: reused= is empty
    then, and standard error says why. Needs GITHUB_TOKEN with actions: read. Where head differs from base in
    none of --paths, nor in what decides (thresholds.yaml, locustfiles and what lies beside them, workflows),
    the verdict is PASS with a note that says so, and the run is this one.
    """
    found = None
    if named := split_paths(paths):
        repository, file = find_repository(thresholds_file)
        base = find_reviewed_base(*read_event(), repository)
        found = find_untouched(review_sides(repository, file, base), named, repository)
    if found is None:
        found = find_standing_verdict(thresholds_file, names, profile_name, key)
    if found is not None:
        write_standing(out_file, found.verdict, found.timeline)
    output = f"reused={name_run(found)}"
    if as_json:
        print_outputs(output)
    else:
        click.echo(output)
    return EXIT_PASS


def find_untouched(review: Review, paths: Sequence[str], repository: Path) -> Standing | None:
    """The verdict on a change that touches nothing of what is measured; None for any other change.

    Raises UsageError for a path that is no file's, OutsideError where git fails.
    """
    if not touches_nothing(review, paths, repository):
        return None
    verdict = make_untouched_verdict(review.file, ci_gate.__version__, paths)
    occasion = read_occasion(os.environ, read_payload(), review.base_commit)
    return Standing(verdict=msgspec.structs.replace(verdict, occasion=occasion), timeline=None)


def find_standing_verdict(thresholds_file: Path, names: str, profile_name: str, key: str) -> Standing | None:
    """The verdict that the gate ``key`` made in the last run of this workflow.

    None where there is to be measured: standard error says why.
    """
    found = _find_standing_verdict(thresholds_file, names, profile_name, key)
    if isinstance(found, MeasureAgain):
        click.echo(f"to be measured: {clean_log_line(found.why)}", err=True)
        return None
    return found


def name_run(found: Standing | None) -> str:
    """The run of a verdict that stands; empty for none, as the output ``reused`` has it."""
    if found is None:
        return ""
    return str(found.verdict.occasion.run_id if found.verdict.occasion else 0)


def write_standing(file: Path, verdict: Verdict, timeline: RunTimeline | None) -> None:
    """The verdict, and beside it what its charts are drawn from."""
    write_verdict(file, verdict)
    if timeline is not None:
        write_timeline(file.with_name(TIMELINE_FILE), timeline)


def _find_standing_verdict(
    thresholds_file: Path, names: str, profile_name: str, key: str
) -> Standing | MeasureAgain:
    payload = read_payload()
    if why := explain_need(os.environ, payload):
        return MeasureAgain(why=why)
    occasion = read_occasion(os.environ, payload)
    try:
        thresholds = read_thresholds(thresholds_file)
        scenarios = choose_scenarios(thresholds, split_names(names))
        profile = choose_profile(thresholds, profile_name)
    except GateError as error:  # the plan reports it, with file and line
        return MeasureAgain(why=str(error))
    with connect() as transport:
        if transport is None or occasion is None:
            return MeasureAgain(why="there is no GITHUB_TOKEN to look for an earlier verdict with")
        wanted = Wanted(
            occasion=occasion,
            profile=profile.name,
            scenarios=tuple(scenario.name for scenario in scenarios),
            thresholds_sha256=thresholds.sha256,
        )
        return find_last_verdict(transport, os.environ.get("GITHUB_REPOSITORY", ""), wanted, key)


@click.command("repeat")
@click.argument("verdict_file", metavar="VERDICT", type=_FILE)
@click.option("--scenarios", required=True, help="What was planned, as a JSON list.")
@click.option("--needs", required=True, help="The needs context of this job, as JSON.")
@click.option("--out", "out_file", type=_FILE, required=True, help="The verdict's file.")
@format_option
def repeat_command(verdict_file: Path, scenarios: str, needs: str, out_file: Path, *, as_json: bool) -> int:
    """Make VERDICT, which `ci-gate last-verdict` found, the verdict of this run, and end with its exit code.

    It is INVALID where it does not fit the event, or a job ended otherwise than it must: the plan with
    success, what measures skipped.
    """
    occasion = read_occasion(os.environ, read_payload())
    verdict = take_again(verdict_file, occasion, parse_scenarios(scenarios), parse_needs(needs))
    timeline = None
    with contextlib.suppress(EvidenceError):  # charts are no part of the verdict
        timeline = read_timeline(verdict_file.parent)
    write_standing(out_file, verdict, timeline)
    print_verdict(verdict, as_json=as_json)
    return verdict.exit_code
