"""The command that drafts what a repository needs for the gate."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ci_gate.cli.init.draft import THRESHOLDS, Draft, draft_files
from ci_gate.cli.init.repository import look_at
from ci_gate.cli.options import service_environment
from ci_gate.errors import EXIT_PASS, BadInputError, OutsideError, Problem, UsageError
from ci_gate.thresholds import parse_thresholds


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def init(folder: Path, *, dry_run: bool) -> int:
    """Look at what is in FOLDER, and write a thresholds.yaml for it. Writes over nothing.

    Reads locustfiles (they are loaded, as Locust does), locust.conf, Dockerfile, compose file and the files
    that say how a service starts. What it saw stands in comments. What it did not see is a TODO, which
    `ci-gate check` reports.
    """
    drafts = draft_files(look_at(folder, service_environment()))
    new = [draft for draft in drafts if not (folder / draft.path).exists()]
    for draft in drafts:
        if draft not in new:
            click.echo(f"kept {folder / draft.path}: it is there already")
    if not new:
        raise UsageError("nothing to write: ci-gate init writes over nothing")
    if dry_run:
        click.echo("".join(line for draft in new for line in _show(folder, draft)), nl=False)
        return EXIT_PASS
    for draft in new:
        _write(folder / draft.path, draft.text)
        click.echo(f"wrote {folder / draft.path}: {draft.why}")
    for problem in _find_todos(new):
        click.echo(f"to fill in: {folder / problem.file}:{problem.line}: {problem.message}")
    click.echo("next: `ci-gate check`, then `ci-gate run --profile quick`")
    return EXIT_PASS


def _show(folder: Path, draft: Draft) -> Iterator[str]:
    """The file as a diff against nothing."""
    lines = draft.text.splitlines(keepends=True)
    return difflib.unified_diff([], lines, "/dev/null", str(folder / draft.path))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutsideError(f"cannot write {path}: {error.strerror}") from error


def _find_todos(drafts: Iterable[Draft]) -> tuple[Problem, ...]:
    """What `ci-gate check` will say of the draft."""
    for draft in drafts:
        if draft.path == THRESHOLDS:
            try:
                parse_thresholds(draft.text, draft.path)
            except BadInputError as error:
                return error.problems
    return ()
