"""The artifacts of a workflow run."""

from __future__ import annotations

from typing import Final

import msgspec

from ci_gate.errors import EvidenceError
from ci_gate.github.api.archive import MAX_ARCHIVE_BYTES, read_artifact
from ci_gate.github.api.reply import GitHubError, TooLargeError
from ci_gate.github.api.transport import Transport

_GONE: Final = frozenset({404, 410})


class Artifact(msgspec.Struct, frozen=True):
    """``size_in_bytes`` is of the packed archive."""

    id: int
    name: str
    size_in_bytes: int
    expired: bool
    created_at: str | None = None  # ISO 8601, UTC


class _Artifacts(msgspec.Struct):
    artifacts: list[Artifact]


def download_artifact(transport: Transport, repository: str, run_id: int, name: str) -> dict[str, bytes]:
    """Path -> content of the files in the newest artifact ``name`` of a run.

    Raises EvidenceError where there is none or it cannot be trusted, GitHubError where GitHub fails.
    """
    pages = transport.get_pages(f"/repos/{repository}/actions/runs/{run_id}/artifacts", {"name": name})
    found = [each for page in pages for each in page.read(_Artifacts).artifacts if each.name == name]
    usable = [artifact for artifact in found if not artifact.expired]
    if not usable:
        what = "only expired ones" if found else "none"
        raise EvidenceError(f"run {run_id} has no artifact {name}: {what}")
    # Not by id: an artifact of an earlier attempt has been observed with a higher one.
    newest = max(usable, key=lambda artifact: (artifact.created_at or "", artifact.id))
    if newest.size_in_bytes > MAX_ARCHIVE_BYTES:
        raise EvidenceError(f"artifact {name} is larger than {MAX_ARCHIVE_BYTES:,} bytes")
    path = f"/repos/{repository}/actions/artifacts/{newest.id}/zip"
    try:
        return read_artifact(transport.get(path, max_bytes=MAX_ARCHIVE_BYTES).content)
    except TooLargeError as error:
        raise EvidenceError(f"artifact {name}: {error}") from error
    except GitHubError as error:
        if error.status in _GONE:
            raise EvidenceError(f"artifact {name} is gone: {error}") from error
        raise
