"""What of a workflow step's environment head's code is given, and what not."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Final

from ci_gate.errors import UsageError

SECRETS: Final = "CI_GATE_SERVICE_ENV"
"""The variable that holds all secrets of the service, as `take_secrets` reads them."""

_TOKENS: Final = (
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_RESULTS_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
)
MIN_HIDDEN: Final = 6
"""Characters of a value that is hidden. GitHub hides it wherever it stands, and drops every output of a job
that holds it: of `1` or `main`, nothing would be left."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Files that the runner reads after the step: what is written there becomes later steps' variables and PATH.
_COMMAND_FILES: Final = (
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
)


def hide_from_head(environ: MutableMapping[str, str]) -> None:
    """Remove the tokens of the job and the files by which a step instructs the runner; all else stays.

    A service that needs a token is given one under another name.
    """
    for name in (*_TOKENS, *_COMMAND_FILES):
        environ.pop(name, None)


def take_secrets(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """Make variables of the lines NAME=value in `SECRETS`, and return the values that no log may show.

    Empty lines and lines that start with # count for nothing. Raises UsageError, which shows no value.
    """
    values: list[str] = []
    for number, line in enumerate(environ.pop(SECRETS, "").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise UsageError(f"line {number} of the secret service-env is not NAME=value, with one line each")
        environ[name.strip()] = value
        values += [value] if len(value) >= MIN_HIDDEN else []
    return tuple(values)
