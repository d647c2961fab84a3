"""Which files decide what a run shows, beside thresholds.yaml: what scenarios may read, and workflows."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable
from typing import Final

from ci_gate.thresholds import Scenario, Thresholds

Listing = tuple[dict[str, str], dict[str, str]]
"""The files and the folders directly in a folder, by path: each with git's digest."""

WORKFLOWS: Final = ".github/workflows"
ACTIONS: Final = ".github/actions"
_ROOT: Final = "."
_OF_SCENARIOS_AT_THE_ROOT: Final = (".py", ".yml", ".yaml", ".csv", ".tsv", ".jsonl", "locust.conf")
_NOT_SOURCE: Final = ("__pycache__", ".git", "node_modules")


def find_deciding(
    thresholds: Thresholds, file: str, list_folder: Callable[[str], Listing], most_lists: int | None = None
) -> dict[str, str]:
    """Path -> digest of every file below the folder of a locustfile, data too, and of workflows and actions.

    The working folder of a scenario counts as the folder of its locustfile does.

    A locustfile at the root stands beside the whole repository: of that, only what is directly there and may
    be a scenario's. ``most_lists`` is how many folders may be listed; beyond, a folder counts as one, by its
    own digest. Not ``file`` itself, thresholds.yaml, whose changes are listed by setting.
    """
    home = posixpath.dirname(file)
    beside = {
        posixpath.normpath(posixpath.join(home, folder))
        for scenario in thresholds.scenarios
        for folder in (*map(posixpath.dirname, scenario.locust.locustfiles), *_directory_of(scenario))
    }
    beside = {folder for folder in beside if not folder.startswith(("/", ".."))}  # none of the repository's
    digests: dict[str, str] = {}
    if _ROOT in beside:
        files, _ = list_folder("")
        digests |= {path: each for path, each in files.items() if path.endswith(_OF_SCENARIOS_AT_THE_ROOT)}
    waiting = deque((folder, "") for folder in (WORKFLOWS, ACTIONS, *sorted(beside - {_ROOT})))
    listed: set[str] = set()
    while waiting:
        folder, digest = waiting.popleft()
        if folder in listed or posixpath.basename(folder) in _NOT_SOURCE:
            continue
        if most_lists is not None and len(listed) >= most_lists:
            digests[f"{folder}/"] = digest
            continue
        listed.add(folder)
        files, folders = list_folder(folder)
        digests |= files
        waiting.extend(folders.items())
    digests.pop(file, None)
    return digests


def _directory_of(scenario: Scenario) -> tuple[str, ...]:
    return (scenario.locust.directory,) if scenario.locust.directory else ()
