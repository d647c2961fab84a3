"""Sends the files of a worker to the master while they grow, until it has acknowledged all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ci_gate.evidence.sample_table import SAMPLE_DTYPE, count_rows
from ci_gate.evidence.samples import MAGIC
from ci_gate.measure.remote.messages import BLOCK_BYTES, Acknowledgement, Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SAMPLES: Final = "samples.bin"
_ROW_BYTES: Final = SAMPLE_DTYPE.itemsize
_GROWING: Final = ("strings.jsonl", "marks.jsonl", "readings.jsonl", "clock.jsonl")
_AT_THE_END: Final = ("totals.json", "locust.log")
_MAX_LOG_BYTES: Final = 4 * 1024**2
_WINDOW_BYTES: Final = 4 * 1024**2  # sent and not acknowledged yet, of one file
_LOOKED_AT: Final = 1000  # rows at a time: behind the last are megabytes of space
_AGAIN_AFTER_S: Final = 3.0


class _File:
    """How far one file is sent, and how far that is acknowledged."""

    def __init__(self) -> None:
        self.sent = self.acknowledged = 0
        self.at_s = 0.0  # when it was acknowledged last, or sent anew


class Outbox:
    """Of one recording: ``folder`` is the worker's own. ``sent_again`` counts blocks."""

    def __init__(
        self, folder: Path, recording: str, number: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self.recording, self._number = recording, number
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._is_closed = False
        self._last: tuple[str, ...] = ()
        self._final: str | None = None
        self.sent_again = 0
        self.rows_bytes = 0  # of samples.bin, as far as its rows are written

    def close(self) -> None:
        """Nothing is written any more: what is there now is all."""
        self._is_closed = True
        traces = sorted(path.name for path in self._folder.glob("traces-*.jsonl"))
        self._last = (*_AT_THE_END, *traces)
        self._find_rows()

    def send_last(self, name: str) -> None:
        """Send one more file, once the master has all others."""
        self._final = name

    def is_empty(self) -> bool:
        """Whether the master has all that is there now."""
        return self._has_all(self._sizes())

    def _has_all(self, sizes: Iterable[tuple[str, int]]) -> bool:
        return all(self._file(name).acknowledged >= size for name, size in sizes)

    def take(self) -> Iterator[Block]:
        """The blocks that are to be sent now: new ones, and those of which nothing was heard for too long."""
        for name, size in self._sizes():
            file = self._file(name)
            if file.sent > file.acknowledged and self._clock() - file.at_s > _AGAIN_AFTER_S:
                self.sent_again += -(-(file.sent - file.acknowledged) // BLOCK_BYTES)
                file.sent = file.acknowledged
            while file.sent < min(size, file.acknowledged + _WINDOW_BYTES):
                if file.sent == file.acknowledged:
                    file.at_s = self._clock()
                yield self._cut(name, file, size)

    def note(self, acknowledgement: Acknowledgement) -> bool:
        """The master has so much; whether that is more than before, and of this recording."""
        if acknowledgement.recording != self.recording:
            return False
        file = self._file(acknowledgement.file)
        if acknowledgement.size <= file.acknowledged:
            return False
        file.acknowledged, file.at_s = acknowledgement.size, self._clock()
        file.sent = max(file.sent, file.acknowledged)
        return True

    def _cut(self, name: str, file: _File, size: int) -> Block:
        with (self._folder / name).open("rb") as source:
            source.seek(file.sent)
            data = source.read(min(BLOCK_BYTES, size - file.sent))
        block = Block(
            recording=self.recording,
            number=self._number,
            file=name,
            offset=file.sent,
            data=data,
            size=size if name.endswith(".json") else 0,
        )
        file.sent += len(data)
        return block

    def _file(self, name: str) -> _File:
        return self._files.setdefault(name, _File())

    def _sizes(self) -> list[tuple[str, int]]:
        """How much of each file there is to be sent; texts before the rows that name them."""
        sizes = [*self._find_sizes()]
        if self._final and self._has_all(sizes):
            sizes.append((self._final, (self._folder / self._final).stat().st_size))
        return sizes

    def _find_sizes(self) -> Iterator[tuple[str, int]]:
        rows_bytes = self._find_rows()  # before the texts are looked at: each row's is written before it
        for name in (*_GROWING, *self._last):
            path = self._folder / name
            if path.exists():
                size = path.stat().st_size
                yield name, min(size, _MAX_LOG_BYTES) if name == "locust.log" else size
        yield SAMPLES, rows_bytes

    def _find_rows(self) -> int:
        """How far the rows are whole. While the file grows, only space is behind them, and no row."""
        import numpy as np

        path = self._folder / SAMPLES
        if not path.exists():
            return 0
        if self._is_closed:  # one that was never written may stand between others
            written = min(path.stat().st_size, len(MAGIC)) + _ROW_BYTES * count_rows(path)
            self.rows_bytes = max(self.rows_bytes, written)
            return self.rows_bytes
        with path.open("rb") as file:
            self.rows_bytes = max(self.rows_bytes, len(file.read(len(MAGIC))))
            if self.rows_bytes < len(MAGIC):
                return self.rows_bytes
            file.seek(self.rows_bytes)
            while (rows := np.fromfile(file, dtype=SAMPLE_DTYPE, count=_LOOKED_AT)).size:
                whole = rows["ending"] != 0
                ready = rows.size if whole.all() else int(np.argmin(whole))
                self.rows_bytes += _ROW_BYTES * ready
                if ready < _LOOKED_AT:
                    break
        return self.rows_bytes

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return max(self.rows_bytes - len(MAGIC), 0) // _ROW_BYTES
