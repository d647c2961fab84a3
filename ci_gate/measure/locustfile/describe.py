"""Loads locustfiles as Locust does and describes their user classes. Runs in a process of its own.

``python -m ci_gate.measure.locustfile`` reads an `Order` from standard input, and forks for each of 0.given,
1.given, ... in its folder, which are GivenSettings. Of the first fork the folder then has what it printed in
0.out, whose last line is a JSON Workload, and 0.err, and its exit status in 0.status.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Literal, NoReturn, TextIO

import msgspec
from locust import User
from locust.argument_parser import parse_locustfile_paths
from locust.main import merge_locustfiles_content
from locust.user import wait_time
from locust.user.task import filter_tasks_by_tags

from ci_gate.evidence.ranges import MAX_NUMBER, MAX_SPAN_S
from ci_gate.evidence.readings import encode_json
from ci_gate.evidence.strict_json import read_json
from ci_gate.evidence.workload import GivenSettings, Task, UserClass, Wait, Workload
from ci_gate.measure.locustfile.order import Order
from ci_gate.measure.locustfile.own_hosts import find_own_host, is_http
from ci_gate.measure.locustfile.printed import print_whatever_comes
from ci_gate.measure.locustfile.shapes import preview_shape
from ci_gate.measure.locustfile.task_calls import count_fewest, find_endpoints, runs_beside
from ci_gate.measure.locustfile.unused import (
    Loaded,
    find_unused,
    find_wrong_arguments,
    list_leaves,
    tags_of,
    take_own_variables,
)

_ARGS_HINT = "; 'args' beside 'locustfile' give it a value"
_DECIMALS = 9  # a wait of less is none: rates are computed by it


def _wait(kind: Literal["pause", "pacing"], mean_s: float) -> Wait:
    return Wait(kind=kind, mean_s=round(mean_s, _DECIMALS))


_CODES: dict[CodeType, Callable[..., Wait]] = {
    wait_time.constant(0).__code__: lambda wait_time: _wait("pause", wait_time),
    wait_time.between(0, 0).__code__: lambda min_wait, max_wait: _wait("pause", (min_wait + max_wait) / 2),
    wait_time.constant_pacing(0).__code__: lambda wait_time: _wait("pacing", wait_time),
}


def describe_locustfile(given: GivenSettings, root: Path, variables: Mapping[str, str]) -> Workload:
    """Load the files of a scenario as Locust does; whatever they raise becomes the Workload's error.

    ``root`` is the repository's folder, and ``variables`` are those of Locust's own that were taken from the
    environment.
    """
    name = ",".join(given.locustfiles)
    paths = [str(root / each) for each in given.locustfiles]
    printed = io.StringIO()
    try:
        os.chdir(root / given.directory)
        with contextlib.redirect_stderr(_Both(sys.stderr, printed)):
            classes, shapes, *_ = merge_locustfiles_content(parse_locustfile_paths(paths))
    except SystemExit as error:
        # It may say itself why it ends, as Locust does before it ends.
        last = printed.getvalue().strip().rpartition("\n")[2]
        why = f"SystemExit: {error}" if isinstance(error.code, str) else last or f"SystemExit: {error}"
        return Workload(locustfile=name, classes=(), error=f"{why}{_find_place(error, root)}")
    except Exception as error:  # noqa: BLE001 - the file may raise anything at all
        message = f"{type(error).__name__}: {error}{_find_place(error, root)}{_find_hint(error, given, root)}"
        return Workload(locustfile=name, classes=(), error=message)
    if wrong := find_wrong_arguments(given.args):
        hint = _ARGS_HINT if "arguments are required" in wrong else ""
        return Workload(locustfile=name, classes=(), error=wrong + hint)
    loaded = Loaded(given=given, root=root, classes=tuple(classes.values()), shapes=tuple(shapes.values()))
    unused = find_unused(variables, loaded)
    described = tuple(_describe_class(user_class, given) for user_class in classes.values())
    return Workload(
        locustfile=name,
        classes=described,
        error=None,
        unused=unused,
        shapes=tuple(shapes),
        shape=preview_shape(shapes[given.shape]) if given.shape in shapes else None,
    )


def _find_hint(error: BaseException, given: GivenSettings, root: Path) -> str:
    """The key that would find a file which is looked for in the wrong folder, if one would."""
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, str):
        return ""
    folders = dict.fromkeys(each.rpartition("/")[0] for each in given.locustfiles)
    looked_for = Path(error.filename)
    if looked_for.is_absolute():
        return ""
    found = [each for each in folders if each and (root / each / looked_for).exists()]
    return f"; 'directory: {found[0]}' beside 'locustfile' would find it" if found else ""


class _Both(io.TextIOBase):
    """Writes to both of two streams."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._streams = first, second

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._streams[0].flush()


def _find_place(error: BaseException, root: Path) -> str:
    """The last line of the repository's own code that was run: a locustfile may fail in what it imports."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = root / frame.filename
        if path.is_relative_to(root) and path.is_file() and "site-packages" not in path.parts:
            return f" ({path.relative_to(root)}:{frame.lineno})"
    return ""


def _describe_class(user_class: type[User], given: GivenSettings) -> UserClass:
    """With the tasks that run: this process does nothing else, and may filter them as Locust does."""
    tags = {tag for task in list_leaves(user_class) for tag in tags_of(task)}
    if given.tags or given.exclude_tags:
        filter_tasks_by_tags(user_class, set(given.tags) or None, set(given.exclude_tags) or None)
    of_http = is_http(user_class)  # what another client makes of a call, and reports, its name does not say
    is_all = of_http and not runs_beside(user_class)
    counts = Counter(user_class.tasks)
    total = sum(counts.values())
    tasks = (
        Task(
            name=getattr(task, "__name__", "task"),
            share=count / total,
            endpoints=find_endpoints(user_class, task, {}) if is_all else None,
            fewest=count_fewest(user_class, task) if of_http else 0,
        )
        for task, count in counts.items()
    )
    return UserClass(
        name=user_class.__name__,
        wait=_describe_wait(user_class),
        tasks=tuple(tasks),
        tags=tuple(sorted(tags)),
        is_http=of_http,
        own_host=None if given.host else find_own_host(user_class),
        weight=_count_of(user_class.weight) or 1,
        fixed_count=_count_of(user_class.fixed_count),
    )


def _count_of(value: object) -> int:
    """0 for what the class made of it that is no whole number above 0."""
    return value if isinstance(value, int) and 0 < value <= MAX_NUMBER else 0


def _describe_wait(user_class: type[User]) -> Wait | None:
    function = inspect.getattr_static(user_class, "wait_time")
    if not inspect.isfunction(function) or function.__code__ not in _CODES:
        return None
    numbers = inspect.getclosurevars(function).nonlocals
    if not all(isinstance(number, int | float) and 0 <= number <= MAX_SPAN_S for number in numbers.values()):
        return None
    return _CODES[function.__code__](**numbers)


def main() -> None:
    """Describe the locustfiles that the order names, side by side; nothing where there is no order."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    order = msgspec.json.decode(line, type=Order)
    folder, count = Path(order.folder), order.count
    os.chdir(order.repository)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    gc.freeze()  # the forks share what is there by now: nothing shall write into it
    gc.enable()
    forks = {}
    for index in range(count):
        fork = os.fork()
        if fork == 0:
            _describe_in_fork(folder / str(index))
        forks[fork] = folder / f"{index}.status"
    for _ in range(count):
        fork, status = os.wait()
        forks[fork].write_text(str(os.waitstatus_to_exitcode(status)))
    _end()


def _describe_in_fork(results: Path) -> NoReturn:
    given = read_json(results.with_suffix(".given"), GivenSettings)
    out, err = (os.open(results.with_suffix(end), os.O_WRONLY | os.O_CREAT) for end in (".out", ".err"))
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.update(given.env)
    variables = take_own_variables(os.environ)
    print_whatever_comes()
    line = encode_json(describe_locustfile(given, Path.cwd(), variables))
    sys.stdout.flush()
    # Not through sys.stdout, which the locustfile may have changed.
    os.write(out, b"\n" + line + b"\n")
    _end()


def _end() -> NoReturn:
    os._exit(0)  # taking everything apart is not worth its time, and a thread may be left
