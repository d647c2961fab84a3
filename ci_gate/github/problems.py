"""Problems as one line of JSON, from the job that finds them to the one that makes the verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from ci_gate.errors import BadInputError, GateError, Problem, UsageError

# An environment variable, by which they are handed on, holds 128 KiB; that of `needs` escapes them once more.
_MAX_PROBLEMS: Final = 100
_MAX_CHARACTERS: Final = 40_000
_MAX_LENGTH: Final = 500


class _Problem(msgspec.Struct, frozen=True):
    file: str
    line: int
    column: int
    message: str
    allowed: str


def list_problems(error: GateError, file: str = "") -> tuple[Problem, ...]:
    """What an error says is wrong; of ``file`` as a whole where it names no place."""
    if isinstance(error, BadInputError):
        return error.problems
    return (Problem(file=file, line=0, column=0, message=str(error)),)


def missing_file(file: str) -> Problem:
    """There is no thresholds.yaml."""
    message = "there is no such file"
    return Problem(file=file, line=0, column=0, message=message, allowed="`ci-gate init` writes one")


def render_problems(problems: Sequence[Problem]) -> str:
    """A line of ASCII; of very many, the first, and how many more there are."""
    shown: list[str] = []
    for each in problems[:_MAX_PROBLEMS]:
        written = _write(each)
        if sum(map(len, shown)) + len(written) > _MAX_CHARACTERS:
            break
        shown.append(written)
    if left := len(problems) - len(shown):
        more = f"there are {left:,} mistakes more"
        shown.append(_write(Problem(file=problems[0].file, line=0, column=0, message=more)))
    return f"[{', '.join(shown)}]"


def _write(problem: Problem) -> str:
    short = _Problem(
        file=problem.file[:_MAX_LENGTH],
        line=problem.line,
        column=problem.column,
        message=problem.message[:_MAX_LENGTH],
        allowed=problem.allowed[:_MAX_LENGTH],
    )
    return json.dumps(msgspec.to_builtins(short))


def parse_problems(text: str) -> tuple[Problem, ...]:
    """The reverse; none for an empty text. Raises UsageError."""
    try:
        read = msgspec.json.decode(text or "[]", type=list[_Problem])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"this is no JSON list of problems: {error}") from error
    return tuple(Problem(**msgspec.structs.asdict(each)) for each in read)
