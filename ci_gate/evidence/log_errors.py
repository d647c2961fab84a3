"""The lines of a service's log that say that something went wrong, whatever wrote them.

A log may be written by anybody, in any form: as plain text, as one JSON object a line, with the name of a
container before each line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ci_gate.evidence.log_end import make_printable

if TYPE_CHECKING:
    from pathlib import Path

_PART_BYTES: Final = 4 * 1024**2  # of the beginning and of the end: as much as is kept of each start
_JSON_LENGTH: Final = 16 * 1024
_LINE_LENGTH: Final = 300
_CUT_MARK: Final = "[ci-gate left out "

_BEFORE: Final = re.compile(
    r"""(?: [\w.-]{1,60} \s{0,20} \| \s? )?  # the container's name, by docker compose
    (?: [\[(]? \d{2,4}[-/.]\d\d[-/.]\d{2,4} [T ] \d\d:\d\d:\d\d (?:[.,]\d{1,9})?
        (?: \s? (?: Z | UTC | [+-]\d\d:?\d\d ) )? [\])]? [\s:|-]{0,5} )?""",
    re.VERBOSE,
)
_MAYBE: Final = re.compile(
    r"error|exception|fatal|critical|panic|traceback|fail|severe|caused by|\"level\":[56]0", re.IGNORECASE
)
_QUIET: Final = re.compile(r"\b(?:INFO|DEBUG|TRACE|NOTICE)\b|\blevel\W{1,4}(?i:info|debug|trace|notice)\b")
_REPLY: Final = re.compile(r"HTTP/\d(?:\.\d)?\"?\s+\d{3}\b")  # a line of an access log
_OF_A_STACK: Final = re.compile(r"during handling of the above|the above exception was", re.IGNORECASE)
_STACK_BEGINS: Final = "Traceback (most recent call last):"
_EXCEPTION: Final = re.compile(
    r"""panic:\ | (?: (?:Caused\ by|Uncaught|Unhandled) :? \s+ )?
    [A-Za-z_$][\w.$]{0,150} (?:Error|Exception) \b (?: \s{0,5} [:(] | $ )""",
    re.VERBOSE,
)
_MESSAGES: Final = ("message", "msg", "event")
_REASONS: Final = ("error", "err", "exception", "exc_info")
_QUIET_LEVELS: Final = frozenset({"info", "debug", "trace", "notice", "warn", "warning"})
_ERROR_NUMBER: Final = 50  # of pino and bunyan


@dataclass(frozen=True, slots=True, kw_only=True)
class LogErrors:
    """Each text with how often it stands in the log; ``is_cut``: a part of the log is missing."""

    exceptions: tuple[tuple[str, int], ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    is_cut: bool = False


NO_LOG_ERRORS: Final = LogErrors()


def read_log_errors(path: Path) -> LogErrors:
    """What the log says went wrong; nothing where there is no such file. Control characters are visible."""
    try:
        with path.open("rb") as file:
            text = file.read(_PART_BYTES)
            size = file.seek(0, 2)
            if size > 2 * _PART_BYTES:  # between the parts lines are cut
                file.seek(size - _PART_BYTES)
                text = text[: text.rfind(b"\n") + 1] + file.read(_PART_BYTES).partition(b"\n")[2]
            else:
                file.seek(len(text))
                text += file.read(_PART_BYTES)
    except OSError:
        return NO_LOG_ERRORS
    exceptions: Counter[str] = Counter()
    others: Counter[str] = Counter()
    lines = text.decode(errors="replace")
    for line, is_exception in _find_errors(lines.splitlines()):
        (exceptions if is_exception else others)[line] += 1
    return LogErrors(
        exceptions=tuple(exceptions.items()),
        others=tuple(others.items()),
        is_cut=size > 2 * _PART_BYTES or _CUT_MARK in lines,
    )


def _find_errors(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Each line that is an error, and whether it is the text of an exception."""
    is_in_stack = False
    for line in lines:
        if not is_in_stack and not _MAYBE.search(line, 0, _JSON_LENGTH):
            continue
        rest = line[_find_end(line) :]
        if rest.startswith(_STACK_BEGINS):
            is_in_stack = True
        elif rest[:1].isspace() or not rest:
            continue  # a frame, or code
        elif is_in_stack:  # what is not indented ends the stack, and names the exception
            is_in_stack = False
            yield make_printable(rest[:_LINE_LENGTH].rstrip()), True
        elif rest.startswith("{"):
            if shown := _read_json(rest):
                yield shown, False
        elif not (_QUIET.search(rest, 0, _LINE_LENGTH) or _REPLY.search(rest) or _OF_A_STACK.match(rest)):
            yield make_printable(rest[:_LINE_LENGTH].rstrip()), bool(_EXCEPTION.match(rest))


def _find_end(line: str) -> int:
    """Where what stands before a line's text ends: a container's name and the time."""
    found = _BEFORE.match(line)
    return found.end() if found else 0


def _read_json(line: str) -> str:
    """The message of a log line in JSON, and the reason behind it; '' where it is no error."""
    try:
        values: Any = msgspec.json.decode(line[:_JSON_LENGTH].encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return ""
    level = next((values[key] for key in ("level", "severity", "levelname", "lvl") if key in values), "")
    if isinstance(level, int | float):
        if level < _ERROR_NUMBER:
            return ""
    elif str(level).lower() in _QUIET_LEVELS:
        return ""
    reasons = (values[key] for key in (*_MESSAGES, *_REASONS) if values.get(key))
    texts = [
        str(each.get("message") or each.get("type") or "") if isinstance(each, dict) else str(each)
        for each in reasons
    ]
    return make_printable(": ".join(dict.fromkeys(filter(None, texts)))[:_LINE_LENGTH])
