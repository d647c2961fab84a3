"""Everything ci-gate raises on purpose, each with the exit code it ends the process with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ci_gate.addresses import hide_credentials

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_BAD_INPUT = 2
EXIT_INVALID = 3
EXIT_OUTSIDE_WORLD = 4
EXIT_OUR_BUG = 70


class GateError(Exception):
    """Base of all deliberate errors. ``str(error)`` is what the user reads; no URL in it has a password."""

    exit_code: ClassVar[int] = EXIT_OUR_BUG

    def __init__(self, message: str) -> None:
        super().__init__(hide_credentials(message))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """An error in a file: where (1-based line and column), what is wrong, what is allowed instead."""

    file: str
    line: int
    column: int
    message: str
    allowed: str = ""

    def __str__(self) -> str:
        """``file:line:column: message (allowed: ...)``, the form that editors and CI logs link."""
        allowed = f" (allowed: {self.allowed})" if self.allowed else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{allowed}"


class BadInputError(GateError):
    """The user's input is wrong. Carries every Problem found, sorted by position."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, *problems: Problem) -> None:
        shown = (replace(each, message=hide_credentials(each.message)) for each in problems)
        self.problems = tuple(sorted(shown))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(GateError):
    """The command line asks for what cannot be: an unknown scenario, a folder that is not evidence."""

    exit_code = EXIT_BAD_INPUT


class EvidenceError(GateError):
    """An evidence folder or verdict file that cannot be trusted: missing, malformed, hostile, too large."""

    exit_code = EXIT_BAD_INPUT


class OutsideError(GateError):
    """Something that ci-gate depends on failed: Docker, the network, the disk, an API."""

    exit_code = EXIT_OUTSIDE_WORLD


class BaseError(OutsideError):
    """Base could not be made or started; head may be fine, and may be what fixes it."""


class ServiceError(OutsideError):
    """The service under test did not start, or did not get ready.

    ``log_tail`` holds the last lines of the log that says why, and ``log`` is what it is called.
    """

    def __init__(self, message: str, log_tail: str = "", log: str = "service.log") -> None:
        self.message, self.log_tail, self.log = hide_credentials(message), hide_credentials(log_tail), log
        super().__init__(f"{message}\n--- last lines of {log} ---\n{log_tail}" if log_tail else message)

    def with_hint(self, hint: str) -> ServiceError:
        """The same with a hint behind what failed; itself without one."""
        return ServiceError(f"{self.message}; {hint}", self.log_tail, self.log) if hint else self
