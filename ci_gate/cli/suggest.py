"""The command that makes limits and tolerances of what was measured."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ci_gate.cli.json_output import DOCUMENT_SCHEMA, format_option, print_json
from ci_gate.cli.options import read_thresholds
from ci_gate.cli.run import thresholds_option
from ci_gate.errors import EXIT_INVALID, EXIT_PASS, OutsideError
from ci_gate.evidence.ranges import Version
from ci_gate.judge.suggest.suggestion import Suggestion, suggest
from ci_gate.report.annotations import clean_log_line
from ci_gate.report.suggestion import render_remarks, write_suggestion
from ci_gate.run.suggesting import read_evidence
from ci_gate.thresholds import Thresholds


class SuggestionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs support, as a diff of ``file``; empty where there is nothing to add."""

    schema: Version
    file: str
    remarks: tuple[str, ...]
    diff: str
    written: bool


@click.command("suggest")
@click.argument(
    "folders", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False)
)
@thresholds_option
@click.option("--replace", "replaces", is_flag=True, help="Also in place of what the file says already.")
@click.option(
    "--same-runner",
    "trusts_all",
    is_flag=True,
    help="All runs were measured on the kind of machine that will judge.",
)
@click.option("--write", is_flag=True, help="Edit the file, instead of printing the diff.")
@format_option
def suggest_command(
    folders: tuple[Path, ...],
    thresholds_file: Path,
    *,
    replaces: bool,
    trusts_all: bool,
    write: bool,
    as_json: bool,
) -> int:
    """Suggest limits and tolerances that the measured runs support, as a diff of thresholds.yaml.

    RUN is a folder that `ci-gate run` or `ci-gate calibrate` wrote, or one with such folders below it. Each
    limit stands with how many runs it is of, their median and range, and its margin. Three runs are needed,
    and for latencies and rates they must be of the runner that will judge: without, they are a TODO.

    The diff is on standard output; what is not used, kept or loosened is said on standard error. The exit
    code is 3 where no run could be used.
    """
    thresholds = read_thresholds(thresholds_file)
    suggestion = suggest_from(folders, thresholds, trusts_all=trusts_all, replaces=replaces)
    if as_json:
        return _print_document(thresholds, suggestion, write=write)
    return print_suggestion(thresholds, suggestion, write=write)


def suggest_from(
    folders: Sequence[Path], thresholds: Thresholds, *, trusts_all: bool = False, replaces: bool = False
) -> Suggestion:
    """What the runs in or below the folders suggest; the flags are as in `suggest`."""
    return suggest(thresholds, read_evidence(folders, thresholds), trusts_all=trusts_all, replaces=replaces)


def print_suggestion(thresholds: Thresholds, suggestion: Suggestion, *, write: bool = False) -> int:
    """Prints the remarks and the diff, or writes the file; returns the exit code."""
    for remark in render_remarks(suggestion):
        click.echo(clean_log_line(remark), err=True)
    if suggestion.is_empty:
        click.echo("nothing is suggested: no run could be used", err=True)
        return EXIT_INVALID
    new = write_suggestion(thresholds, suggestion)
    if new.text == thresholds.text:
        click.echo(f"{thresholds.file}: nothing to add", err=True)
    elif write:
        _write(Path(thresholds.file), new.text)
        click.echo(f"wrote {thresholds.file}: look at it with `git diff`, then `ci-gate check`")
    else:
        click.echo(_diff(thresholds.file, thresholds.text, new.text), nl=False)
    return EXIT_PASS


def _print_document(thresholds: Thresholds, suggestion: Suggestion, *, write: bool) -> int:
    new = thresholds.text if suggestion.is_empty else write_suggestion(thresholds, suggestion).text
    is_new = new != thresholds.text
    if write and is_new:
        _write(Path(thresholds.file), new)
    print_json(
        SuggestionDocument(
            schema=DOCUMENT_SCHEMA,
            file=thresholds.file,
            remarks=tuple(render_remarks(suggestion)),
            diff=_diff(thresholds.file, thresholds.text, new) if is_new else "",
            written=write and is_new,
        )
    )
    return EXIT_INVALID if suggestion.is_empty else EXIT_PASS


def _diff(name: str, old: str, new: str) -> str:
    """As `git apply` reads it."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    path = Path(name).as_posix().lstrip("/")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    )


def _write(path: Path, text: str) -> None:
    """With the line ends that the file has."""
    try:
        line_end = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
        path.write_text(text, encoding="utf-8", newline=line_end)
    except OSError as error:
        raise OutsideError(f"cannot write {path}: {error.strerror}") from error
