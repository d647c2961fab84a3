"""What a piece of work leaves behind in the process of the tests: files, threads, child processes."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.service.services import await_true


def find_files_and_threads() -> Counter[object]:
    """Each open file by what it is of, and each thread."""
    found: Counter[object] = Counter(threading.enumerate())
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists this folder is gone by now
            found[str(each.readlink())] += 1
    return found


def find_children() -> Counter[object]:
    """Each that has not ended, and theirs."""
    found: Counter[object] = Counter()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[child] += child.status() != psutil.STATUS_ZOMBIE
    return found


@contextmanager
def nothing_left(find: Callable[[], Counter[object]], within_s: float = 0.0) -> Iterator[None]:
    """Finds no more afterwards. What was there before may have gone: a test of before let go of it late."""
    before = find()
    yield
    assert await_true(lambda: not find() - before, within_s), find() - before
