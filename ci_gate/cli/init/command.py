"""The command that drafts what a repository needs for the gate."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator
from pathlib import Path

import click

from ci_gate.cli.init.draft import IGNORED, Draft, draft_files
from ci_gate.cli.init.repository import look_at, root_of
from ci_gate.cli.options import service_environment
from ci_gate.errors import EXIT_PASS, BadInputError, OutsideError, Problem
from ci_gate.thresholds import DEFAULT_FILE, parse_thresholds


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--dry-run", is_flag=True, help="Show the drafts as a diff, and write nothing.")
def init(folder: Path, *, dry_run: bool) -> int:
    """Look at what is in FOLDER, and write a thresholds.yaml and workflows for it. Writes over nothing.

    Reads locustfiles (they are loaded, as Locust does), locust.conf, Dockerfile, compose file and the files
    that say how a service starts. What it found stands in comments. What it did not find is a TODO, which
    `ci-gate check` reports. A file that is there is kept; --dry-run shows how its draft differs.
    """
    root = root_of(folder)
    inside = folder.resolve().relative_to(root).as_posix()
    drafts = draft_files(look_at(folder, service_environment()), "" if inside == "." else f"{inside}/")
    new = [draft for draft in drafts if not (root / draft.path).exists()]
    for draft in drafts:
        if draft not in new:
            click.echo(f"kept {_show(root, draft)}: it is there already{_explain_missing(root, draft)}")
    if dry_run:
        click.echo("".join(line for draft in drafts for line in _diff(root, draft)), nl=False)
        return EXIT_PASS
    for draft in new:
        _write(root / draft.path, draft.text)
        click.echo(f"wrote {_show(root, draft)}: {draft.why}")
    for draft in new:
        for problem in _find_todos(draft):
            click.echo(f"to fill in: {_show(root, draft)}:{problem.line}: {problem.message}")
    click.echo("next: `ci-gate check`, then `ci-gate run --profile quick`")
    return EXIT_PASS


def _explain_missing(root: Path, draft: Draft) -> str:
    """What somebody has to add by hand to a .gitignore that is there."""
    if draft.path != IGNORED:
        return ""
    lines = _read(root / draft.path).splitlines()
    missing = [
        line for line in draft.text.splitlines() if not {line, f"/{line}", line.rstrip("/")} & {*lines}
    ]
    return f"; add the line {', '.join(missing)}" if missing else ""


def _show(root: Path, draft: Draft) -> str:
    """Its path as one would type it."""
    path, here = root / draft.path, Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _diff(root: Path, draft: Draft) -> Iterator[str]:
    """The draft as a diff against the file that is there, or against nothing."""
    path, name = root / draft.path, _show(root, draft)
    is_there = path.exists()
    before = _read(path) if is_there else ""
    after = draft.text
    if draft.path == IGNORED and is_there:  # its lines stand beside others
        after = before + ("" if before.endswith("\n") or not before else "\n")
        after += draft.text if _explain_missing(root, draft) else ""
    old, new = (io.StringIO(text).readlines() for text in (before, after))
    for line in difflib.unified_diff(old, new, name if is_there else "/dev/null", name):
        shown = "".join(
            char if char.isprintable() or char == "\t" else "\ufffd" for char in line.rstrip("\n")
        )
        yield f"{shown}\n" if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"


def _read(path: Path) -> str:
    """The text of a file that is there; what is no text is replaced, as it is only shown."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise OutsideError(f"cannot read {path}: {error.strerror}") from error


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
