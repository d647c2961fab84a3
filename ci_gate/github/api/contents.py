"""Files of a repository at a commit, without checking it out."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

import msgspec

from ci_gate.errors import EvidenceError
from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.transport import Transport

_NOT_FOUND = 404
_NO_FILES = {
    "symlink": "is a symbolic link that leads to no file of the repository",
    "folder": "is a folder",
    "submodule": "is a submodule",
}


class _File(msgspec.Struct):
    type: str
    sha: str
    encoding: str = ""
    content: str = ""


class _Entry(msgspec.Struct):
    type: str
    path: str
    sha: str


def read_file(transport: Transport, repository: str, path: str, ref: str) -> tuple[bytes, str] | None:
    """Content and git's digest of one file at ``ref``; None where there is nothing.

    Raises EvidenceError where it is something else than a file, GitHubError.
    """
    try:
        reply = transport.get(_path(repository, path), {"ref": ref})
    except RefusedError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    # GitHub itself follows a link to a file of this repository; any other it shows as what it is.
    is_folder = reply.content.lstrip().startswith(b"[")
    file = _File(type="folder", sha="") if is_folder else reply.read(_File)
    if file.type != "file" or file.encoding != "base64":
        what = _NO_FILES.get(file.type, "is too large to be read")
        raise EvidenceError(f"{path} {what}: a plain file is allowed, or a link to one in the repository")
    try:
        return base64.b64decode(file.content), file.sha
    except binascii.Error as error:
        raise GitHubError(f"read {path} at {ref}", str(error)) from error


def list_folder(
    transport: Transport, repository: str, folder: str, ref: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The files directly in ``folder`` at ``ref``, and its folders: path -> git's digest, of a folder's tree.

    None of both where there is nothing; a file, link or submodule in its place is that one file. GitHub lists
    1,000 entries at most.
    """
    try:
        reply = transport.get(_path(repository, folder), {"ref": ref})
    except RefusedError as error:
        if error.status == _NOT_FOUND:
            return {}, {}
        raise
    is_folder = reply.content.lstrip().startswith(b"[")
    entries = reply.read(list[_Entry]) if is_folder else [reply.read(_Entry)]
    files = {entry.path: entry.sha for entry in entries if entry.type != "dir"}
    return files, {entry.path: entry.sha for entry in entries if entry.type == "dir"}


def _path(repository: str, path: str) -> str:
    return f"/repos/{repository}/contents/{quote(path)}"
