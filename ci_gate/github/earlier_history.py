"""The history of a branch, as the last run of its workflow left it in an artifact.

Only runs for a push to that branch count, by GitHub's own word: the artifact of a pull request's run is
written by the pull request. Nothing is written to the repository, so that no job needs a token that may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ci_gate.errors import EvidenceError
from ci_gate.github.api.artifacts import download_artifact
from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.runs import list_pushes
from ci_gate.github.api.transport import Transport
from ci_gate.github.key import DEFAULT_KEY, name_history_artifact
from ci_gate.judge.history.record import History, decode_history, join_runs

WORKFLOW: Final = "load-history.yml"
HISTORY_FILE: Final = "history.json"
_MAX_RUNS: Final = 10
"""That are asked for an artifact: of runs that were cancelled or failed there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlace:
    """Where a history is: the branch it is of, the file of the workflow that keeps it, its gate's key."""

    branch: str
    workflow: str = WORKFLOW
    key: str = DEFAULT_KEY


def find_history(
    transport: Transport, repository: str, place: HistoryPlace, say: Callable[[str], object]
) -> History | None:
    """The newest history that can be read; None where there is none, and ``say`` is told of damaged ones.

    Raises GitHubError.
    """
    for run in list_pushes(transport, repository, place.workflow, place.branch)[:_MAX_RUNS]:
        try:
            files = download_artifact(transport, repository, run.id, name_history_artifact(place.key))
            if HISTORY_FILE in files:
                return join_runs(decode_history(files[HISTORY_FILE]).runs)
        except EvidenceError as error:
            say(f"no history of run {run.id}: {error}")
    return None


def try_history(
    transport: Transport | None, repository: str, place: HistoryPlace, say: Callable[[str], object]
) -> History | None:
    """The history that is at ``place``, None where there is none, or no workflow or branch is named.

    Whatever goes wrong is told to ``say`` and nothing else: no history keeps a verdict from being published.
    """
    if transport is None or not place.workflow or not place.branch:
        return None
    try:
        return find_history(transport, repository, place, say)
    except RefusedError as error:
        say(f"no trend: {error}")
    except GitHubError as error:
        say(f"no trend, GitHub fails: {error}")
    return None
