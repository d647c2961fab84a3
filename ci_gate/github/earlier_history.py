"""The history of a branch, as the last run of its workflow left it in an artifact.

Only runs for a push to that branch count, by GitHub's own word: the artifact of a pull request's run is
written by the pull request. Nothing is written to the repository, so that no job needs a token that may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ci_gate.errors import EvidenceError
from ci_gate.github.api.artifacts import download_artifact
from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.runs import list_pushes
from ci_gate.github.api.transport import Transport
from ci_gate.judge.history.record import History, decode_history, join_runs

WORKFLOW: Final = "load-history.yml"
ARTIFACT: Final = "load-history"
HISTORY_FILE: Final = "history.json"
_MAX_RUNS: Final = 10
"""That are asked for an artifact: of runs that were cancelled or failed there is none."""


def find_history(
    transport: Transport, repository: str, branch: str, workflow: str, say: Callable[[str], object]
) -> History | None:
    """The newest history that can be read; None where there is none, and ``say`` is told of damaged ones.

    Raises GitHubError.
    """
    for run in list_pushes(transport, repository, workflow, branch)[:_MAX_RUNS]:
        try:
            files = download_artifact(transport, repository, run.id, ARTIFACT)
            if HISTORY_FILE in files:
                return join_runs(decode_history(files[HISTORY_FILE]).runs)
        except EvidenceError as error:
            say(f"no history of run {run.id}: {error}")
    return None


def try_history(
    transport: Transport | None, repository: str, branch: str, workflow: str, say: Callable[[str], object]
) -> History | None:
    """The history of ``branch``, None where there is none or no ``workflow`` keeps it.

    Whatever goes wrong is told to ``say`` and nothing else: no history keeps a verdict from being published.
    """
    if transport is None or not workflow or not branch:
        return None
    try:
        return find_history(transport, repository, branch, workflow, say)
    except RefusedError as error:
        say(f"no trend: {error}")
    except GitHubError as error:
        say(f"no trend, GitHub fails: {error}")
    return None
