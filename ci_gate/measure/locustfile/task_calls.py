"""What a task's source says of the requests it makes: which at most, and how many at least."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import math
import random
import re
import textwrap
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from locust import User

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_GENERIC_METHODS = frozenset({"request", "rest", "rest_"})
_OF_CLIENT = _METHODS | _GENERIC_METHODS | {"close", "mount"}
_LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_PERHAPS = (*_LOOPS, ast.IfExp, ast.BoolOp, ast.Lambda)
_OF_TEXTS = frozenset(dir(str))
_PAUSES = frozenset({"sleep", "wait"})
# Methods of plain data that a user keeps (self.known_ids.append): they make no request.
_HARMLESS = frozenset(name for kind in (list, dict, set, deque, str, random.Random) for name in dir(kind)) - (
    _METHODS | _GENERIC_METHODS
)
# Built-ins that are given a user and make no request. Not getattr and vars, which may hand out its client.
_ONLY_LOOK = frozenset(
    {"callable", "delattr", "hasattr", "hash", "id", "isinstance", "print", "repr", "setattr", "str", "type"}
)
# What lets code run beside the task that calls it, for longer than that.
_STARTERS = frozenset(
    {"apply_async", "create_task", "imap", "imap_unordered", "map_async", "run_coroutine_threadsafe"}
    | {"spawn", "spawn_later", "spawn_raw", "start_later", "start_new_thread", "submit"}
    | {"Greenlet", "Process", "Thread", "Timer"}
)
_REPORTS = re.compile(r"\.(?:fire|measure)\(|client\.")
_DOTTED = re.compile(r"\w+(?:\.\w+)*")
_DEEPEST_CALL = 3

_Paths = tuple[float, float]
"""The fewest requests on a way through some statements, and on one that leaves the task early."""


def find_endpoints(
    user_class: type[User], function: Any, bound: dict[str, Any], *, depth: int = 0
) -> tuple[str, ...] | None:
    """The endpoints that a task calls, itself or through methods of its class; None if one is not known.

    ``bound`` holds the arguments that are known. Both branches of a condition count: this is at most.
    """
    tree = _parse(function) if depth <= _DEEPEST_CALL else None
    if tree is None or _could_hide_requests(tree) or _reads_property(user_class, tree):
        return None
    if _reports_elsewhere(tree, function.__globals__):
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


def runs_beside(user_class: type[User]) -> bool:
    """Whether something of the class may go on beside its tasks, such as a poller that on_start begins.

    Its requests are then more than those of its tasks.
    """
    own = [each for each in user_class.__mro__ if not each.__module__.startswith("locust.")]
    trees = [_parse(function) for each in own for function in vars(each).values()]
    calls = [node for tree in trees if tree for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [ast.unparse(call.func).rpartition(".") for call in calls]
    return any(name in _STARTERS or (owner and name == "map") for owner, _, name in names)  # of a pool


def _parse(function: Any) -> ast.Module | None:
    """Its source, with the user called ``self`` whatever its name there; None where that may not be all."""
    if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return None
    first = next(iter([*definition.args.posonlyargs, *definition.args.args]), None)
    for node in ast.walk(tree):
        if first and isinstance(node, ast.Name) and node.id == first.arg:
            node.id = "self"
    return tree


def _reads_property(user_class: type[User], tree: ast.AST) -> bool:
    """Whether it reads a property of the author's, which may make requests."""
    own = {
        name
        for each in user_class.__mro__
        if not each.__module__.startswith("locust.")
        for name, value in vars(each).items()
        if isinstance(value, property | functools.cached_property)
    }
    return any(isinstance(node, ast.Attribute) and node.attr in own for node in ast.walk(tree))


def _reports_elsewhere(tree: ast.AST, names: dict[str, Any]) -> bool:
    """Whether it calls a function or a class of the file, or of a module, that reports requests itself."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return any(_REPORTS.search(_source_of(name, names)) for name in calls if _DOTTED.fullmatch(name))


def _source_of(dotted: str, names: dict[str, Any]) -> str:
    """Of what a name such as ``metrics.report`` stands for in the file; empty where that is not known."""
    first, *others = dotted.split(".")
    with contextlib.suppress(Exception):  # a module may make its attributes when it is asked for them
        return inspect.getsource(functools.reduce(getattr, others, names[first]))
    return ""


def _could_hide_requests(tree: ast.AST) -> bool:
    """Whether more requests may be made than the calls that can be seen: in loops, by helpers, by parents."""
    calls = set(_find_calls(tree))
    looped = any(calls & set(ast.walk(loop)) for loop in ast.walk(tree) if isinstance(loop, _LOOPS))
    return looped or _hands_on_client(tree) or any(_is_foreign(call) for call in ast.walk(tree))


def _hands_on_client(tree: ast.AST) -> bool:
    """Whether ``self`` or its client goes anywhere but in front of a dot, out of our sight."""
    harmless = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.FormattedValue)
    }
    harmless |= {
        id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and _only_looks(node)
    }
    return any(
        id(node) not in harmless
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "self")
        or (isinstance(node, ast.Attribute) and node.attr.endswith("client"))
    )


def _only_looks(call: ast.Call) -> bool:
    """A built-in that makes no request of its first argument, such as ``hasattr(self, "seen")``."""
    return isinstance(call.func, ast.Name) and call.func.id in _ONLY_LOOK and bool(call.args)


def _is_foreign(call: ast.AST) -> bool:
    """A method of an object that the user keeps, or of its parent class: it may make requests of its own.

    So may a method that the author added to the client.
    """
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return False
    owner = ast.unparse(call.func.value)
    known = _OF_CLIENT if owner.endswith("client") else _HARMLESS
    return (owner.startswith("self.") and call.func.attr not in known) or owner.startswith("super(")


def count_fewest(user_class: type[User], function: Any, *, depth: int = 0) -> int:
    """The fewest requests that a run of the task makes if no exception ends it; 0 where that is not known.

    0 also for a task that pauses by itself: how long it takes is then not known.
    """
    tree = _parse(function) if depth <= _DEEPEST_CALL else None
    if tree is None or any(_is_pause(node) for node in ast.walk(tree)):
        return 0
    definition = tree.body[0]
    body = definition.body if isinstance(definition, ast.FunctionDef) else []
    return int(min(_walk(user_class, body, depth)))


def _walk(user_class: type[User], statements: Iterable[ast.stmt], depth: int) -> _Paths:
    through, leaving = 0.0, math.inf
    for statement in statements:
        on, out = _step(user_class, statement, depth)
        leaving = min(leaving, through + out)
        through += on
    return through, leaving


def _step(user_class: type[User], statement: ast.stmt, depth: int) -> _Paths:
    match statement:
        case ast.Return() | ast.Raise():
            return math.inf, _count_calls(user_class, statement, depth)
        case ast.With(items=items, body=body):
            entered = sum(_count_calls(user_class, item, depth) for item in items)
            through, leaving = _walk(user_class, body, depth)
            return entered + through, entered + leaving
        case ast.If(body=body, orelse=orelse):
            chosen, other = _walk(user_class, body, depth), _walk(user_class, orelse, depth)
            return min(chosen[0], other[0]), min(chosen[1], other[1])
        case ast.FunctionDef() | ast.ClassDef():
            return 0.0, math.inf
        case ast.For() | ast.While() | ast.Try() | ast.Match():
            leaves = any(isinstance(node, ast.Return | ast.Raise) for node in ast.walk(statement))
            return 0.0, 0.0 if leaves else math.inf
    return _count_calls(user_class, statement, depth), math.inf


def _count_calls(user_class: type[User], tree: ast.AST, depth: int) -> int:
    perhaps = {call for node in ast.walk(tree) if isinstance(node, _PERHAPS) for call in _find_calls(node)}
    sure = [call for call in _find_calls(tree) if call not in perhaps]
    methods = [_find_method(user_class, call) for call in sure if not _is_request(call)]
    followed = sum(count_fewest(user_class, method, depth=depth + 1) for method in methods if method)
    return sum(_is_request(call) for call in sure) + followed


def _is_pause(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func).rpartition(".")[2] in _PAUSES


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
    method = _find_method(user_class, call)
    if method is None:
        return ()
    values = {name: value for name, value in _bind(method, call, names) if value is not None}
    return find_endpoints(user_class, method, values, depth=depth + 1)


def _find_method(user_class: type[User], call: ast.Call) -> Any:
    """The method of the user's own class that is called; None for Locust's own, such as self.wait()."""
    assert isinstance(call.func, ast.Attribute)  # noqa: S101 - only such calls are found
    method = getattr(user_class, call.func.attr, None)
    return method if inspect.isfunction(method) and not hasattr(User, call.func.attr) else None


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
    if any(isinstance(each, ast.Call) and not _is_same_each_time(each) for each in ast.walk(node)):
        return None
    try:
        value = eval(compile(ast.Expression(node), "<locustfile>", "eval"), dict(names))  # noqa: S307 - see above
    except Exception:  # noqa: BLE001 - a name that only exists while the task runs, or anything it does
        return None
    return value if isinstance(value, str) else None


def _is_same_each_time(call: ast.Call) -> bool:
    """A method of texts, or ``str`` itself; what else is called may draw, count or read a clock."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in _OF_TEXTS
    return isinstance(call.func, ast.Name) and call.func.id == "str"
