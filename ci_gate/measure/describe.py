"""Loads locustfiles as Locust would and describes their user classes. Runs in a process of its own.

``python -m ci_gate.measure.describe FILE`` prints a JSON Workload as its last line.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import msgspec
from locust import User
from locust.user import wait_time
from locust.util.load_locustfile import load_locustfile

from ci_gate.workload import Task, UserClass, Wait, Workload

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_GENERIC_METHODS = frozenset({"request", "rest", "rest_"})
_DEEPEST_CALL = 3
_CODES: dict[CodeType, Callable[..., Wait]] = {
    wait_time.constant(0).__code__: lambda wait_time: Wait(kind="pause", mean_s=wait_time),
    wait_time.between(0, 0).__code__: lambda min_wait, max_wait: Wait(
        kind="pause", mean_s=(min_wait + max_wait) / 2
    ),
    wait_time.constant_pacing(0).__code__: lambda wait_time: Wait(kind="pacing", mean_s=wait_time),
}


def describe_locustfile(path: str) -> Workload:
    """Load one locustfile; whatever it raises becomes the Workload's error."""
    try:
        classes, _shapes = load_locustfile(path)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file may raise anything at all
        return Workload(locustfile=path, classes=(), error=f"{type(error).__name__}: {error}")
    described = tuple(_describe_class(user_class) for user_class in classes.values())
    return Workload(locustfile=path, classes=described, error=None)


def _describe_class(user_class: type[User]) -> UserClass:
    counts = Counter(user_class.tasks)
    total = sum(counts.values())
    tasks = (
        Task(
            name=getattr(task, "__name__", "task"),
            share=count / total,
            endpoints=_find_endpoints(user_class, task, {}),
        )
        for task, count in counts.items()
    )
    return UserClass(name=user_class.__name__, wait=_describe_wait(user_class), tasks=tuple(tasks))


def _describe_wait(user_class: type[User]) -> Wait | None:
    function = inspect.getattr_static(user_class, "wait_time")
    if not inspect.isfunction(function) or function.__code__ not in _CODES:
        return None
    return _CODES[function.__code__](**inspect.getclosurevars(function).nonlocals)


def _find_endpoints(
    user_class: type[User], function: Any, bound: dict[str, Any], *, depth: int = 0
) -> tuple[str, ...] | None:
    """The endpoints that a task calls, itself or through methods of its class; None if one cannot be told.

    ``bound`` holds the arguments that are known. Both branches of a condition count: this is at most.
    """
    if not inspect.isfunction(function) or depth > _DEEPEST_CALL:
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return None
    names = {**function.__globals__, **bound}
    names |= {name: value for name, value in _find_constants(tree, names) if value is not None}
    endpoints: list[str] = []
    for call in _find_calls(tree):
        found = _name_endpoint(call, names) if _is_request(call) else _follow(user_class, call, names, depth)
        if found is None:
            return None
        endpoints += found
    return tuple(endpoints)


def _find_constants(tree: ast.AST, names: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Local names such as ``name = f"{API}/{{id}}"``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, _evaluate(node.value, names)


def _find_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call of a method of ``self`` or of its client, in any order."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner == "self" or owner.endswith("client"):
                yield node


def _is_request(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS | _GENERIC_METHODS


def _follow(
    user_class: type[User], call: ast.Call, names: dict[str, Any], depth: int
) -> tuple[str, ...] | None:
    assert isinstance(call.func, ast.Attribute)  # noqa: S101 - only such calls are found
    method = getattr(user_class, call.func.attr, None)
    if not inspect.isfunction(method) or hasattr(User, call.func.attr):
        return ()  # Locust's own, such as self.wait()
    values = {name: value for name, value in _bind(method, call, names) if value is not None}
    return _find_endpoints(user_class, method, values, depth=depth + 1)


def _bind(method: Any, call: ast.Call, names: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    parameters = list(inspect.signature(method).parameters)[1:]
    yield from ((name, _evaluate(node, names)) for name, node in zip(parameters, call.args, strict=False))
    yield from ((word.arg, _evaluate(word.value, names)) for word in call.keywords if word.arg)


def _name_endpoint(call: ast.Call, names: dict[str, Any]) -> tuple[str, ...] | None:
    assert isinstance(call.func, ast.Attribute)  # noqa: S101 - only such calls are found
    method: str | None = call.func.attr.upper()
    arguments = list(call.args)
    if call.func.attr in _GENERIC_METHODS:
        method = _evaluate(arguments.pop(0), names) if arguments else None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    named = keywords.get("name") or (arguments[0] if arguments else keywords.get("url"))
    name = _evaluate(named, names) if named else None
    return (f"{method} {name}",) if method and name else None


def _evaluate(node: ast.expr, names: dict[str, Any]) -> str | None:
    """A text made of the file's own constants; the file has run here already, so this adds no risk."""
    try:
        value = eval(compile(ast.Expression(node), "<locustfile>", "eval"), dict(names))  # noqa: S307 - see above
    except Exception:  # noqa: BLE001 - a name that only exists while the task runs, or anything it does
        return None
    return value if isinstance(value, str) else None


def main() -> None:
    """Describe the file named on the command line."""
    line = msgspec.json.encode(describe_locustfile(sys.argv[1])).decode()
    print(f"\n{line}", flush=True)  # noqa: T201 - the answer to the process that asked


if __name__ == "__main__":
    main()
