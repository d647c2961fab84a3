"""Takes in the files of one worker, block by block. The worker's own are the truth; these are a copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ci_gate.evidence.delivery import DELIVERY_FILE
from ci_gate.measure.remote.messages import Acknowledgement

if TYPE_CHECKING:
    from pathlib import Path

    from ci_gate.measure.remote.messages import Block

_MAX_BYTES: Final = {"samples.bin": 8 * 1024**3}
_MAX_OTHER_BYTES: Final = 64 * 1024**2


class Receiver:
    """Writes into ``folder``. What it has of a file is what the file's size says: nothing else is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Beside the folder: the process that fetches the rest of a run is another than the one that began.
        self._agent_file = folder.with_name(f".{folder.name}.agent")

    def begin(self, agent: bytes) -> None:
        """Begin anew, for the files of this agent and of no other. Raises OSError."""
        for path in self._folder.glob("*"):
            path.unlink()
        self._agent_file.write_bytes(agent)

    def is_of(self, agent: bytes) -> bool:
        """Whether these are the files of this agent."""
        return self._agent_file.exists() and self._agent_file.read_bytes() == agent

    def end(self) -> None:
        """Nothing is taken any more."""
        self._agent_file.unlink(missing_ok=True)

    def take(self, block: Block) -> Acknowledgement:
        """Append what is new of a block, and say how far the file is.

        A block that came before adds nothing, and one with a gap before it is not taken: it comes again.
        Raises OSError where it cannot be written.
        """
        self._folder.mkdir(exist_ok=True)
        path = self._folder / block.file
        if block.size and not path.exists():
            path = self._folder / f".{block.file}.part"
        size = _append(path, block)
        if block.size and size == block.size:
            path.replace(self._folder / block.file)
        return Acknowledgement(recording=block.recording, number=block.number, file=block.file, size=size)

    def has_begun(self) -> bool:
        """Whether anything has come."""
        return self._folder.exists()

    def is_whole(self) -> bool:
        """Whether the last file has come: the worker sends it when all others are acknowledged."""
        return (self._folder / DELIVERY_FILE).exists()


def _append(path: Path, block: Block) -> int:
    """The size of the file with what is new of the block, or without."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        new = block.data[max(size - block.offset, 0) :] if block.offset <= size else b""
        if not new or size + len(new) > _MAX_BYTES.get(block.file, _MAX_OTHER_BYTES):
            return size
        if os.write(descriptor, new) < len(new):
            os.ftruncate(descriptor, size)  # the disk is full: half a header is worse than none
            return size
        return size + len(new)
    finally:
        os.close(descriptor)
