"""The command that looks at the runs of a branch one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from ci_gate.cli.github import connect
from ci_gate.cli.json_output import format_option, print_json
from ci_gate.errors import EXIT_PASS, OutsideError, UsageError
from ci_gate.github.api.rules import find_default_branch
from ci_gate.github.earlier_history import HISTORY_FILE, WORKFLOW, HistoryPlace, find_history
from ci_gate.github.key import DEFAULT_KEY, check_key
from ci_gate.judge.history.record import (
    MAX_HISTORY_BYTES,
    RunRecord,
    decode_history,
    encode_history,
    join_runs,
    record_run,
)
from ci_gate.judge.history.worse import judge_history
from ci_gate.report.annotations import clean_log_line
from ci_gate.report.files import VERDICT_FILE, read_bounded, read_verdict
from ci_gate.report.history import render_trends
from ci_gate.report.html.history import render_history_html
from ci_gate.report.trends_document import describe_trends
from ci_gate.run.git import ask_git
from ci_gate.wording import count

HISTORY_PAGE = "history.html"
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("history")
@click.argument("sources", metavar="[RUN]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--from-github", is_flag=True, help="Begin with the history that the branch's last run left.")
@click.option("--github-repository", default="", help="owner/name.  [default: GITHUB_REPOSITORY]")
@click.option(
    "--workflow", default=WORKFLOW, show_default=True, help="The file of the workflow that keeps it."
)
@click.option(
    "--key", default=DEFAULT_KEY, show_default=True, help="The key of the gate whose history it is."
)
@click.option("--branch", default="", help="Whose history it is.  [default: the default branch]")
@click.option("--repository", type=_FOLDER, default=Path(), help="A checkout of the branch.  [default: here]")
@click.option("--out", type=_FOLDER, default=Path("ci-gate-history"), show_default=True)
@format_option
def history_command(
    sources: tuple[Path, ...], *, repository: Path, out: Path, as_json: bool, **github: object
) -> int:
    """Show what became slower over the commits of a branch, and since which.

    RUN is a verdict.json, a history.json, or a folder with such files in it or below. Runs are put in the
    order of the branch's commits, as git has them; what was measured of no commit of the branch is left out.
    Writes history.json, which holds the newest 200 runs in a few figures each, and history.html into --out.

    Figures are compared only within one CPU model and image; where the machines change too often, the
    comparisons with base are added up. Ends with 0 whatever it finds: a history is no verdict.
    """
    runs = [run for source in sources for run in _read(source)]
    if github.pop("from_github"):
        runs += _read_github(**github)  # type: ignore[arg-type]  # the options are named as its parameters
    elif not sources:
        raise UsageError("name the runs (folders with a verdict.json), or give --from-github")
    positions = _find_positions(repository, runs)
    history = join_runs(runs, positions)
    missing = len({run.commit for run in runs}) - len(history.runs)
    if positions is not None and missing:
        click.echo(f"left out: {count(missing, 'run')} of no commit of this branch, or too old", err=True)
    trends = judge_history(history)
    out.mkdir(parents=True, exist_ok=True)
    (out / HISTORY_FILE).write_bytes(encode_history(history))
    page = render_history_html(history, trends)
    (out / HISTORY_PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
    if as_json:
        print_json(describe_trends(history, trends))
    else:
        click.echo(render_trends(history, trends))
    click.echo(f"{HISTORY_FILE} and {HISTORY_PAGE}: {out}", err=as_json)
    return EXIT_PASS


def _read(source: Path) -> Iterator[RunRecord]:
    """Raises UsageError and EvidenceError."""
    paths = [source]
    if source.is_dir():
        paths = sorted([*source.rglob(VERDICT_FILE), *source.rglob(HISTORY_FILE)])
        if not paths:
            raise UsageError(f"{source} holds no {VERDICT_FILE} and no {HISTORY_FILE}")
    for path in paths:
        if path.name == HISTORY_FILE:
            yield from decode_history(read_bounded(path, MAX_HISTORY_BYTES)).runs
            continue
        run = record_run(read_verdict(path))
        if run is None:
            click.echo(f"left out: {path} does not say of which commit it is", err=True)
        else:
            yield run


def _read_github(github_repository: str, workflow: str, branch: str, key: str) -> tuple[RunRecord, ...]:
    check_key(key)
    name = github_repository or os.environ.get("GITHUB_REPOSITORY", "")
    if not name:
        raise UsageError("which repository? Give --github-repository owner/name, or set GITHUB_REPOSITORY")

    def say(text: str) -> None:
        click.echo(clean_log_line(text), err=True)

    with connect() as transport:
        if transport is None:
            raise UsageError("reading a repository's runs takes a token: set GITHUB_TOKEN")
        branch = branch or find_default_branch(transport, name)
        place = HistoryPlace(branch=branch, workflow=workflow, key=key)
        found = find_history(transport, name, place, say)
    if found is None:
        say(f"no earlier history: no run of {workflow} for a push to {branch} has left one")
    return found.runs if found else ()


def _find_positions(repository: Path, runs: list[RunRecord]) -> dict[str, int] | None:
    """How many commits the branch has up to each; None where git cannot say: then time orders the runs."""
    try:
        if ask_git(repository, "rev-parse", "--is-shallow-repository") == "true":
            click.echo("by time, not by commit: this checkout has not its whole history", err=True)
            return None
        lines = ask_git(repository, "rev-list", "--first-parent", "--reverse", "HEAD").split()
    except OutsideError as error:
        click.echo(f"by time, not by commit: {clean_log_line(str(error))}", err=True)
        return None
    positions = {commit: number for number, commit in enumerate(lines, start=1)}
    if runs and not any(run.commit in positions for run in runs):
        click.echo("by time, not by commit: none of the runs is of this checkout's branch", err=True)
        return None
    return positions
