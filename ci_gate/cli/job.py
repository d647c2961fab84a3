"""The commands of a job that measures by itself, as action.yml calls them; each returns its exit code."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

import ci_gate
from ci_gate.cli.ci import (
    add_secrets,
    key_option,
    names_option,
    profile_option,
    read_count,
    read_event,
    read_payload,
    warn_of,
)
from ci_gate.cli.json_output import format_option, print_outputs
from ci_gate.cli.options import choose_scenarios, make_options, read_thresholds
from ci_gate.cli.repeat import find_standing_verdict, find_untouched, name_run, paths_option, write_standing
from ci_gate.cli.run import thresholds_option
from ci_gate.errors import EXIT_PASS, GateError, UsageError
from ci_gate.github.head_environment import hide_from_head
from ci_gate.github.job_plan import FRESH_RUNNER, SAME_RUNNER, Asked, choose_beside
from ci_gate.github.occasion import read_occasion
from ci_gate.github.plan_job import explain_lost_base, find_reviewed_base, split_names
from ci_gate.github.problems import list_problems
from ci_gate.github.review import (
    MAX_REVIEW_BYTES,
    REVIEW_FILE,
    Review,
    check_unchanged,
    decode_review,
    demand_head,
    encode_review,
    find_repository,
    review_sides,
)
from ci_gate.github.untouched import split_paths
from ci_gate.judge.gate.lacking import demand_all
from ci_gate.judge.gate.merging import merge_verdicts
from ci_gate.judge.gate.mistakes import add_mistakes, make_empty_verdict
from ci_gate.judge.gate.repeated import repeat_verdict
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import Verdict
from ci_gate.report.files import TIMELINE_FILE, VERDICT_FILE, read_bounded, write_reports, write_verdict
from ci_gate.report.terminal import render_terminal
from ci_gate.run.confirming import confirm_red
from ci_gate.run.judging import judge_folder
from ci_gate.run.plan import RunOptions
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import run_scenarios

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EVIDENCE = "evidence"
_NEVER = "pull_request_target"

Run = Callable[[RunOptions, ProgressPrinter], object]

_decide = click.option(
    "--decide", is_flag=True, help="End with the verdict's exit code: no `publish` follows."
)
_folder = click.option("--folder", type=_FOLDER, required=True, help="What the job's commands hand on.")


def _measured(command: Callable[..., int]) -> Callable[..., int]:
    """With the options that say what is measured beside what."""
    for option in (
        click.option("--users", default="", help="In each scenario; empty: as thresholds.yaml says."),
        click.option("--base-image", default="", help="And base's from this one."),
        click.option("--image", default="", help="Start the service from this image."),
        click.option(
            "--base", default="", help="A revision or URL, or none; empty: what the event merges into."
        ),
    ):
        command = option(command)
    return command


@click.command("review")
@thresholds_option
@names_option
@profile_option
@key_option
@paths_option
@_folder
@format_option
def review_command(
    thresholds_file: Path, names: str, profile_name: str, key: str, paths: str, folder: Path, *, as_json: bool
) -> int:
    """Read what thresholds.yaml and the files beside it say on both sides, for `ci-gate publish --review`.

    Runs no code of head's, so that it may see GITHUB_TOKEN: with it, a label or a new title takes the last
    verdict on the same commit again. Prints reused=<run> for the file at GITHUB_OUTPUT, empty where `ci-gate
    measure` is to measure. Until then, the verdict in --folder is that nothing was measured. Where head
    differs from base in none of --paths, nor in what decides (thresholds.yaml, locustfiles and what lies
    beside them, workflows), that is PASS with a note that says so, and the run is this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = thresholds_file.as_posix()
    _write_verdict(folder, _make_unmeasured(file))
    try:
        event, payload = read_event()
        if event == _NEVER:
            raise UsageError(f"{_NEVER} would give head's code what is base's alone: use pull_request")
        _write_verdict(folder, _make_unmeasured(file, read_occasion(os.environ, read_payload())))
        repository, file = find_repository(thresholds_file)
        review = review_sides(repository, file, find_reviewed_base(event, payload, repository))
        (folder / REVIEW_FILE).write_bytes(encode_review(review))
        untouched = find_untouched(review, split_paths(paths), repository)
        if untouched is not None:
            write_standing(folder / VERDICT_FILE, untouched.verdict, untouched.timeline)
            reused = name_run(untouched)
        else:
            reused = _reuse(thresholds_file, names, profile_name, key, folder)
    except GateError as error:
        _write_verdict(folder, _make_mistaken(file, error))
        raise
    output = f"reused={reused}"
    if as_json:
        print_outputs(output)
    else:
        click.echo(output)
    return EXIT_PASS


def _reuse(thresholds_file: Path, names: str, profile_name: str, key: str, folder: Path) -> str:
    """The run whose verdict stands, which is now this run's; empty where none does."""
    found = find_standing_verdict(thresholds_file, names, profile_name, key)
    if found is not None:
        occasion = read_occasion(os.environ, read_payload())
        scenarios = [scenario.name for scenario in found.verdict.scenarios]
        again = repeat_verdict(found.verdict, occasion, scenarios, {"plan": "success"})
        write_standing(folder / VERDICT_FILE, again, found.timeline)
    return name_run(found)


@click.command("measure")
@thresholds_option
@names_option
@profile_option
@_measured
@_decide
@click.option(
    "--confirm-on",
    type=click.Choice([SAME_RUNNER, FRESH_RUNNER]),
    default=SAME_RUNNER,
    show_default=True,
    help="Where what would block is started once more: here, or by `ci-gate confirm` in another job.",
)
@_folder
def measure_command(
    thresholds_file: Path,
    names: str,
    profile_name: str,
    users: str,
    folder: Path,
    *,
    decide: bool,
    confirm_on: str,
    **asked: str,
) -> int:
    """Measure what `ci-gate review` has read, and write the verdict of the job into --folder.

    Head's code runs in the job's own environment, without its tokens and without the files by which a step
    sets later steps' variables; with those that the secret CI_GATE_SERVICE_ENV holds, as lines NAME=value.
    Ends with 0 whatever the verdict says: `ci-gate publish` decides. Any other exit code is of what kept it
    from measuring.
    """

    def run(options: RunOptions, progress: ProgressPrinter) -> None:
        run_scenarios(dataclasses.replace(options, confirms_later=confirm_on == FRESH_RUNNER), progress)

    return _measure_in_job(thresholds_file, (names, profile_name, users), asked, folder, run, decide=decide)


@click.command("confirm")
@thresholds_option
@names_option
@profile_option
@_measured
@_decide
@_folder
def confirm_command(
    thresholds_file: Path,
    names: str,
    profile_name: str,
    users: str,
    folder: Path,
    *,
    decide: bool,
    **asked: str,
) -> int:
    """Start both sides of a comparison that would block once more, for a job on a fresh runner.

    --folder holds what `ci-gate review` has read here, and the evidence of the first start, which `ci-gate
    measure --confirm-on fresh-runner` has left in another job. The verdict is that of both starts together.
    """
    return _measure_in_job(
        thresholds_file, (names, profile_name, users), asked, folder, confirm_red, decide=decide
    )


def _measure_in_job(
    thresholds_file: Path,
    chosen: tuple[str, str, str],
    asked: Mapping[str, str],
    folder: Path,
    run: Run,
    *,
    decide: bool,
) -> int:
    hide_from_head(os.environ)
    add_secrets()
    review = decode_review(read_bounded(folder / REVIEW_FILE, MAX_REVIEW_BYTES))
    try:
        verdict = _measure(review, thresholds_file, chosen, Asked(**asked), folder, run)
    except GateError as error:
        _write_verdict(folder, _make_mistaken(review.file, error))
        raise
    _write_verdict(folder, verdict)
    return verdict.exit_code if decide else EXIT_PASS


def _measure(
    review: Review,
    thresholds_file: Path,
    chosen: tuple[str, str, str],
    asked: Asked,
    folder: Path,
    run: Run,
) -> Verdict:
    names, profile_name, users = chosen
    head = demand_head(review)
    thresholds = read_thresholds(thresholds_file)
    check_unchanged(review, thresholds)
    scenarios = choose_scenarios(thresholds, split_names(names))
    beside = choose_beside(asked, thresholds, scenarios, review.base_commit, thresholds_file.parent)
    lost = explain_lost_base(*read_event(), review.base_commit)
    not_compared = beside.not_compared or ("" if beside.base or asked.base else lost)
    warn_of(not_compared, title="Nothing is compared")
    options = make_options(
        thresholds,
        tuple(scenario.name for scenario in scenarios),
        profile_name,
        base=beside.base or None,
        out=folder / _EVIDENCE,
        image=asked.image or None,
        users=read_count(users),
        own_python=False,
    )
    run(options, ProgressPrinter(sys.stderr))
    verdict, timeline = judge_folder(options.out, options.thresholds)
    write_reports(options.out, verdict, timeline)
    shutil.copyfile(options.out / TIMELINE_FILE, folder / TIMELINE_FILE)
    click.echo(render_terminal(verdict))
    planned = [scenario.name for scenario in scenarios]
    merged = merge_verdicts(planned, [verdict], jobs={}, not_compared=not_compared)
    occasion = read_occasion(os.environ, read_payload(), review.base_commit)
    return msgspec.structs.replace(demand_all(merged, head.thresholds, planned), occasion=occasion)


def _write_verdict(folder: Path, verdict: Verdict) -> None:
    write_verdict(folder / VERDICT_FILE, verdict)


def _make_unmeasured(file: str, occasion: Occasion | None = None) -> Verdict:
    finding = Finding(
        code="nothing-measured",
        severity="invalid",
        subject="run",
        message="the job ended before anything was measured",
        remedy="see its log, and run it again",
    )
    return msgspec.structs.replace(make_empty_verdict(file, ci_gate.__version__, finding), occasion=occasion)


def _make_mistaken(file: str, error: GateError) -> Verdict:
    """What went wrong, as the verdict of a job that measured nothing because of it."""
    verdict = add_mistakes(make_empty_verdict(file, ci_gate.__version__), list_problems(error, file))
    occasion = read_occasion(os.environ, read_payload())
    return msgspec.structs.replace(verdict, occasion=occasion)
