"""The command that drafts what a repository needs for the gate."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from ci_gate.cli.init.draft import Draft, draft_files
from ci_gate.cli.init.repository import look_at, root_of
from ci_gate.cli.options import service_environment
from ci_gate.errors import EXIT_PASS, BadInputError, OutsideError, Problem
from ci_gate.thresholds import DEFAULT_FILE, parse_thresholds


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def init(folder: Path, *, dry_run: bool) -> int:
    """Look at what is in FOLDER, and write a thresholds.yaml and workflows for it. Writes over nothing.

    Reads locustfiles (they are loaded, as Locust does), locust.conf, Dockerfile, compose file and the files
    that say how a service starts. What it saw stands in comments. What it did not see is a TODO, which
    `ci-gate check` reports.
    """
    root = root_of(folder)
    inside = folder.resolve().relative_to(root).as_posix()
    drafts = draft_files(look_at(folder, service_environment()), "" if inside == "." else f"{inside}/")
    new = [draft for draft in drafts if not (root / draft.path).exists()]
    for draft in drafts:
        if draft not in new:
            click.echo(f"kept {_show(root, draft)}: it is there already")
    if dry_run:
        click.echo("".join(line for draft in new for line in _diff(root, draft)), nl=False)
        return EXIT_PASS
    for draft in new:
        _write(root / draft.path, draft.text)
        click.echo(f"wrote {_show(root, draft)}: {draft.why}")
    for draft in new:
        for problem in _find_todos(draft):
            click.echo(f"to fill in: {_show(root, draft)}:{problem.line}: {problem.message}")
    click.echo("next: `ci-gate check`, then `ci-gate run --profile quick`")
    return EXIT_PASS


def _show(root: Path, draft: Draft) -> str:
    """Its path as one would type it."""
    path, here = root / draft.path, Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _diff(root: Path, draft: Draft) -> Iterator[str]:
    """The file as a diff against nothing."""
    lines = draft.text.splitlines(keepends=True)
    return difflib.unified_diff([], lines, "/dev/null", _show(root, draft))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutsideError(f"cannot write {path}: {error.strerror}") from error


def _find_todos(draft: Draft) -> tuple[Problem, ...]:
    """What `ci-gate check` will say of a drafted thresholds.yaml."""
    if Path(draft.path).name == DEFAULT_FILE:
        try:
            parse_thresholds(draft.text, draft.path)
        except BadInputError as error:
            return error.problems
    return ()
