"""Loads locustfiles as Locust would and describes their user classes. Runs in a process of its own.

``python -m ci_gate.measure.locustfile.describe FOLDER FILE...`` forks for each FILE. Of the first fork FOLDER
has what it printed in 0.out, whose last line is a JSON Workload, and 0.err, and its exit status in 0.status.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Literal, NoReturn

from locust import User
from locust.user import wait_time
from locust.util.load_locustfile import load_locustfile

from ci_gate.evidence.ranges import MAX_SPAN_S
from ci_gate.evidence.readings import encode_json
from ci_gate.evidence.workload import Task, UserClass, Wait, Workload
from ci_gate.measure.locustfile.own_hosts import find_own_host
from ci_gate.measure.locustfile.printed import print_whatever_comes
from ci_gate.measure.locustfile.task_calls import count_fewest, find_endpoints
from ci_gate.measure.locustfile.unused import find_unused, take_own_variables

_DECIMALS = 9  # a wait of less is none: rates are computed by it


def _wait(kind: Literal["pause", "pacing"], mean_s: float) -> Wait:
    return Wait(kind=kind, mean_s=round(mean_s, _DECIMALS))


_CODES: dict[CodeType, Callable[..., Wait]] = {
    wait_time.constant(0).__code__: lambda wait_time: _wait("pause", wait_time),
    wait_time.between(0, 0).__code__: lambda min_wait, max_wait: _wait("pause", (min_wait + max_wait) / 2),
    wait_time.constant_pacing(0).__code__: lambda wait_time: _wait("pacing", wait_time),
}


def describe_locustfile(path: str, variables: Mapping[str, str] | None = None) -> Workload:
    """Load one locustfile; whatever it raises becomes the Workload's error.

    ``variables`` are those of Locust's own that were taken from the environment.
    """
    try:
        classes, shapes = load_locustfile(path)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file may raise anything at all
        message = f"{type(error).__name__}: {error}{_find_place(error)}"
        return Workload(locustfile=path, classes=(), error=message)
    described = tuple(_describe_class(user_class) for user_class in classes.values())
    unused = find_unused(variables or {}, (Path(), Path(path).parent), classes.values(), shapes)
    return Workload(locustfile=path, classes=described, error=None, unused=unused)


def _find_place(error: BaseException) -> str:
    """The last line of the repository's own code that was run: a locustfile may fail in what it imports."""
    here = Path.cwd()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = here / frame.filename
        if path.is_relative_to(here) and path.is_file() and "site-packages" not in path.parts:
            return f" ({path.relative_to(here)}:{frame.lineno})"
    return ""


def _describe_class(user_class: type[User]) -> UserClass:
    counts = Counter(user_class.tasks)
    total = sum(counts.values())
    tasks = (
        Task(
            name=getattr(task, "__name__", "task"),
            share=count / total,
            endpoints=find_endpoints(user_class, task, {}),
            fewest=count_fewest(user_class, task),
        )
        for task, count in counts.items()
    )
    return UserClass(
        name=user_class.__name__,
        wait=_describe_wait(user_class),
        tasks=tuple(tasks),
        own_host=find_own_host(user_class),
        weight=user_class.weight if isinstance(user_class.weight, int) and user_class.weight > 0 else 1,
    )


def _describe_wait(user_class: type[User]) -> Wait | None:
    function = inspect.getattr_static(user_class, "wait_time")
    if not inspect.isfunction(function) or function.__code__ not in _CODES:
        return None
    numbers = inspect.getclosurevars(function).nonlocals
    if not all(isinstance(number, int | float) and 0 <= number <= MAX_SPAN_S for number in numbers.values()):
        return None
    return _CODES[function.__code__](**numbers)


def main() -> None:
    """Describe the files named on the command line, side by side."""
    folder, files = Path(sys.argv[1]), sys.argv[2:]
    gc.freeze()  # the forks share what is there by now: nothing shall write into it
    forks = {}
    for index, file in enumerate(files):
        fork = os.fork()
        if fork == 0:
            _describe_in_fork(file, folder / str(index))
        forks[fork] = folder / f"{index}.status"
    for _ in files:
        fork, status = os.wait()
        forks[fork].write_text(str(os.waitstatus_to_exitcode(status)))


def _describe_in_fork(file: str, results: Path) -> NoReturn:
    out, err = (os.open(results.with_suffix(end), os.O_WRONLY | os.O_CREAT) for end in (".out", ".err"))
    os.dup2(out, 1)
    os.dup2(err, 2)
    variables = take_own_variables(os.environ)
    print_whatever_comes()
    line = encode_json(describe_locustfile(file, variables))
    sys.stdout.flush()
    # Not through sys.stdout, which the locustfile may have changed.
    os.write(out, b"\n" + line + b"\n")
    os._exit(0)  # taking everything apart is not worth its time, and a thread may be left


if __name__ == "__main__":
    main()
