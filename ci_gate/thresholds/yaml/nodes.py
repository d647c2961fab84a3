"""Reads YAML text into nodes and scalars by PyYAML, with limits on size and depth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from ci_gate.errors import BadInputError, Problem

MAX_TEXT_BYTES = 256 * 1024
MAX_DEPTH = 50
MAX_NODES = 20_000
MAX_NUMBER_LENGTH = 40
MAX_BAD_CHARACTERS = 20
MAX_QUOTED = 60
MAX_SYNTAX_MESSAGE = 200

BAD_CHARACTER = re.compile(
    # What YAML calls unprintable (lone surrogates too); line breaks that editors do not count; bidi controls.
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_NULL = re.compile(r"(?:~|null|Null|NULL|)")
_BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def compose(text: str, file: str) -> tuple[yaml.Node | None, list[Problem]]:
    """The root node (None for an empty document) and the Problems that did not stop the composing.

    Raises BadInputError where the text cannot be read at all: too large, bad characters, bad syntax, caps.
    """
    _check_size(text, file)
    bad_characters = tuple(_find_bad_characters(text, file))
    if bad_characters:
        raise BadInputError(*bad_characters)
    composer = _BoundedComposer(text, file)
    try:
        return composer.get_single_node(), composer.problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or composer.get_mark()
        raise BadInputError(_syntax_problem(file, mark, error)) from None
    except (ValueError, OverflowError):  # PyYAML on a character escape beyond Unicode or a huge %YAML version
        problem = problem_at(file, composer.get_mark(), "not valid YAML: a number out of range")
        raise BadInputError(problem) from None


def resolve_plain(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar in YAML 1.2. Raises ValueError for a number that JSON cannot hold."""
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    is_integer = _INTEGER.fullmatch(text) is not None
    if not is_integer and not _FLOAT.fullmatch(text):
        if _NOT_FINITE.fullmatch(text):
            raise ValueError(f"{text} is no number that can be compared")
        return text
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError("a number is too long")
    if is_integer:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large a number")
    return number


def quote(text: str) -> str:
    """The text in quotes, on one line, shortened to MAX_QUOTED."""
    return repr(text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}...")


def problem_at(file: str, mark: yaml.Mark, message: str, allowed: str = "") -> Problem:
    """A Problem at ``mark``, which PyYAML counts from 0."""
    return Problem(file=file, line=mark.line + 1, column=mark.column + 1, message=message, allowed=allowed)


def check_cap(file: str, mark: yaml.Mark, count: int, cap: int, message: str) -> None:
    """Raise BadInputError where ``count`` is above ``cap``."""
    if count > cap:
        raise BadInputError(problem_at(file, mark, message, f"{cap} at most"))


class _BoundedComposer(yaml.BaseLoader):
    """Caps while composing: the recursion is PyYAML's, so its depth must be watched from inside."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.problems: list[Problem] = []
        self._file = file
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401  PyYAML's
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        self._count += 1
        check_cap(self._file, mark, self._count, MAX_NODES, "the file holds too many values")
        check_cap(self._file, mark, self._depth, MAX_DEPTH, "values are nested too deep")
        if getattr(event, "tag", None) is not None:
            self.problems.append(
                problem_at(self._file, mark, "YAML tags (!...) are not supported", "a plain or quoted value")
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _syntax_problem(file: str, mark: yaml.Mark, error: yaml.MarkedYAMLError) -> Problem:
    """PyYAML's own words, but for the mistakes that everybody makes."""
    words = error.problem or "unknown error"
    context = error.context or ""
    if r"'\t'" in words:
        return problem_at(file, mark, "not valid YAML: a tab cannot stand here", "spaces")
    if "single document" in context:
        return problem_at(file, mark, "a second YAML document begins here", "one document")
    if "duplicate anchor" in context:
        return problem_at(file, mark, "an anchor name stands twice", "each anchor name once")
    begin = f" that begins at line {error.context_mark.line + 1}" if error.context_mark and context else ""
    return problem_at(file, mark, f"not valid YAML: {words} {context}".rstrip()[:MAX_SYNTAX_MESSAGE] + begin)


def _check_size(text: str, file: str) -> None:
    if len(text) > MAX_TEXT_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        allowed = f"{MAX_TEXT_BYTES // 1024} KiB at most"
        raise BadInputError(
            Problem(file=file, line=1, column=1, message="the file is too large", allowed=allowed)
        )


def _find_bad_characters(text: str, file: str) -> Iterator[Problem]:
    """The first few; a binary file has thousands."""
    for _, match in zip(range(MAX_BAD_CHARACTERS), BAD_CHARACTER.finditer(text), strict=False):
        before = text[: match.start()]
        yield Problem(
            file=file,
            line=before.count("\n") + 1,
            column=match.start() - before.rfind("\n"),
            message=f"character U+{ord(match[0]):04X} is invisible or unprintable",
            allowed="visible characters",
        )
