"""--format json: one JSON document on standard output; what is for people goes to standard error.

docs/json.md says which document each command prints. A key that is new does not change a document's number;
one that goes, or means something else, does.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ci_gate.errors import EXIT_INVALID, EXIT_OUTSIDE_WORLD, BadInputError, GateError, Problem
from ci_gate.evidence.ranges import Version

if TYPE_CHECKING:
    from ci_gate.judge.verdict import Verdict

DOCUMENT_SCHEMA: Final = 1
"""Of the documents that no file is named after."""
_KEY: Final = "ci_gate.json"


class ProblemEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake in a file, at a 1-based line and column; ``allowed`` may be empty."""

    file: str
    line: int
    column: int
    message: str
    allowed: str


class ErrorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no result: printed instead of it, with the exit code that the command ends with."""

    schema: Version
    error: str
    exit_code: int
    problems: tuple[ProblemEntry, ...]


class OutputsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a command prints as ``name=value`` for the file at GITHUB_OUTPUT."""

    schema: Version
    outputs: dict[str, str]


def _remember(context: click.Context, _option: click.Parameter, form: str) -> bool:
    context.meta[_KEY] = form == "json"
    return bool(context.meta[_KEY])


format_option = click.option(
    "--format",
    "as_json",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    callback=_remember,
    help="json: one document on standard output, described in docs/json.md.",
)


def print_json(document: msgspec.Struct) -> None:
    """The document, in ASCII, so that no terminal and no runner's log changes or obeys a character of it."""
    text = json.dumps(json.loads(msgspec.json.encode(document)), indent=1)
    click.echo(text.replace("##[", "##\\u005b"))


def print_verdict(verdict: Verdict, *, as_json: bool) -> None:
    """verdict.json, or the table of the terminal."""
    if as_json:
        print_json(verdict)
        return
    from ci_gate.report.terminal import render_terminal

    click.echo(render_terminal(verdict))


def print_outputs(text: str) -> None:
    """Lines of ``name=value`` as a document."""
    pairs = (line.partition("=") for line in text.splitlines())
    print_json(OutputsDocument(schema=DOCUMENT_SCHEMA, outputs={name: value for name, _, value in pairs}))


def print_error(context: click.Context, error: BaseException) -> None:
    """What ended a command, as a document, where the command was asked for one.

    ``error`` is a GateError, an OSError or a KeyboardInterrupt.
    """
    if not context.meta.get(_KEY):
        return
    problems = error.problems if isinstance(error, BadInputError) else ()
    code = EXIT_OUTSIDE_WORLD if isinstance(error, OSError) else EXIT_INVALID
    with contextlib.suppress(OSError):  # of a reader that is gone
        print_json(
            ErrorDocument(
                schema=DOCUMENT_SCHEMA,
                error=str(error) or "interrupted",
                exit_code=error.exit_code if isinstance(error, GateError) else code,
                problems=tuple(_show_problem(each) for each in problems),
            )
        )


def _show_problem(problem: Problem) -> ProblemEntry:
    return ProblemEntry(
        file=problem.file,
        line=problem.line,
        column=problem.column,
        message=problem.message,
        allowed=problem.allowed,
    )
