"""Stacks of a service as a sampler saw them beside a load, read from a file that may be anybody's.

The files are py-spy's own, in the format of speedscope: ``stacks-cpu.json`` has the threads that were on a
CPU at each sample, ``stacks-wall.json`` all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from ci_gate.addresses import hide_kept
from ci_gate.errors import EvidenceError
from ci_gate.evidence.log_end import make_printable
from ci_gate.evidence.ranges import Count
from ci_gate.evidence.strict_json import decode, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

STACKS_CPU: Final = "stacks-cpu.json"
STACKS_WALL: Final = "stacks-wall.json"
MAX_STACKS_BYTES: Final = 16 * 1024**2
_MAX_DEPTH: Final = 200  # of a stack; what is deeper is cut at its deep end
_MAX_TEXT: Final = 300
_MAX_LINE: Final = 10**7
_MIN_PERIOD_S: Final = 1e-4

Stack = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of code at work; ``file`` is empty for what is no code, such as the name of a process.

    ``line`` is 0 where it is not known: py-spy does not stop a process, and may read a number half written.
    """

    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """Of each thread the stacks that were seen, in order.

    A stack is the places of its frames, outermost first; ``period_s`` is the time between samples.
    """

    frames: tuple[Frame, ...]
    threads: tuple[tuple[Stack, ...], ...]
    period_s: float

    @property
    def ticks(self) -> int:
        """How often the sampler looked."""
        return max(map(len, self.threads), default=0)


class _Frame(msgspec.Struct, frozen=True):
    name: str
    file: str | None = None
    line: int | None = None


class _Shared(msgspec.Struct, frozen=True):
    frames: tuple[_Frame, ...]


class _Thread(msgspec.Struct, frozen=True):
    samples: tuple[tuple[Count, ...], ...]
    weights: tuple[Annotated[float, msgspec.Meta(ge=0, le=60)], ...] = ()


class _Document(msgspec.Struct, frozen=True):
    profiles: tuple[_Thread, ...]
    shared: _Shared


def decode_stacks(text: bytes, where: str = "stacks") -> Stacks:
    """What py-spy wrote, its texts cleaned and cut. Raises EvidenceError for anything else."""
    document = decode(text, _Document, where)
    frames = tuple(
        Frame(name=_clean(each.name), file=_clean(each.file or ""), line=_line(each.line or 0))
        for each in document.shared.frames
    )
    known: dict[Stack, Stack] = {}  # most samples are alike: each stack is kept once
    threads = []
    for thread in document.profiles:
        if any(place >= len(frames) for stack in thread.samples for place in stack):
            raise EvidenceError(f"{where}: a stack names a frame that is not there")
        threads.append(tuple(known.setdefault(stack, stack[:_MAX_DEPTH]) for stack in thread.samples))
    weights = [weight for thread in document.profiles for weight in thread.weights[:1]]
    return Stacks(frames=frames, threads=tuple(threads), period_s=max([_MIN_PERIOD_S, *weights]))


def _line(number: int) -> int:
    return number if 0 <= number <= _MAX_LINE else 0


def _clean(text: str) -> str:
    return make_printable(text[:_MAX_TEXT])


def read_stacks(folder: Path) -> dict[str, Stacks]:
    """The stacks in the folder of a recording by their file's name. Raises EvidenceError for what is none."""
    paths = (folder / name for name in (STACKS_CPU, STACKS_WALL))
    return {
        path.name: decode_stacks(read_bounded(path, MAX_STACKS_BYTES), str(path))
        for path in paths
        if path.exists()
    }


def tidy_stacks(text: bytes, root: str) -> bytes:
    """What py-spy wrote, as it is kept: without command lines and secrets, files below ``root`` without it.

    Raises EvidenceError for anything else.
    """
    decode_stacks(text)
    document = msgspec.json.decode(text)
    for frame in document["shared"]["frames"]:
        file = frame.get("file") or ""
        if not file:  # the name of a process is its command line
            frame["name"] = frame["name"].partition(":")[0]
        elif root and file.startswith(f"{root}/"):
            frame["file"] = file[len(root) + 1 :]
    return hide_kept(msgspec.json.encode(document).decode()).encode()
