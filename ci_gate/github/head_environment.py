"""What of a workflow step's environment head's code must not be given."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

_TOKENS: Final = (
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_RESULTS_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
)
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
