"""Checks the shape of thresholds.yaml by thresholds.schema.json; each violation is a Problem.

What is allowed comes from the ``description`` and ``examples`` of the schema that refused the value, so that
a new key needs no code here.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ci_gate.errors import Problem
from ci_gate.thresholds.yaml.nodes import MAX_QUOTED, quote
from ci_gate.thresholds.yaml.source import KeyPath, YamlSource

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

# The path of the wrong value; None where nothing stands that is wrong.
_Found = tuple[KeyPath | None, Problem]


def schema_text() -> str:
    """The JSON Schema (2020-12) of thresholds.yaml, for editors.

    Save it beside thresholds.yaml and name it in the first line, which the YAML language server reads::

        # yaml-language-server: $schema=thresholds.schema.json
    """
    return resources.files(__package__).joinpath("thresholds.schema.json").read_text(encoding="utf-8")


def find_shape_problems(source: YamlSource) -> tuple[set[Problem], set[KeyPath]]:
    """A Problem for each violation of the schema, and the paths of the values that violate it.

    With None at those paths, the rest may lack keys, but no value has a wrong form.
    """
    problems: set[Problem] = set()
    wrong: set[KeyPath] = set()
    for error in _validator().iter_errors(source.data):
        for path, problem in _explain(error, source):
            problems.add(problem)
            wrong |= {path} if path is not None else set()
    return problems, wrong


def has_endpoint_form(name: str) -> bool:
    """Whether the schema allows this name of an endpoint."""
    form = _schema()["$defs"]["endpoint"]
    return len(name) <= form["maxLength"] and not any(_check_pattern(None, form["pattern"], name, None))


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text())
    return schema


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    strict: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": _check_pattern})  # type: ignore[no-untyped-call]
    return strict(_schema())


def _check_pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    # In editors $ is the very end; in Python it is also the place before a last line break.
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        from jsonschema import ValidationError

        yield ValidationError("pattern")


def _explain(error: ValidationError, source: YamlSource) -> Iterator[_Found]:
    path: KeyPath = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        yield _explain_key(error, path, source)
        return
    explain = _EXPLANATIONS.get(str(error.validator))
    if explain is None:
        yield path, _explain_value(error, path, source)
    elif isinstance(error.instance, dict):
        yield from explain(error, path, source)


def _explain_value(error: ValidationError, path: KeyPath, source: YamlSource) -> Problem:
    value, schema = error.instance, _schema_of(error)
    name = quote(next(step for step in reversed(path) if isinstance(step, str))) if path else "the file"
    if value is None or value in ({}, []):
        message = f"{name} is empty"
    elif "x-units" in schema and isinstance(value, int | float) and not isinstance(value, bool):
        message = f"{name} has no unit: {_show(value)}"
    elif path and isinstance(path[-1], int):
        message = f"{_show(value)} cannot stand in {name}"
    else:
        message = f"{name} cannot be {_show(value)}"
    return source.value_problem(path, message, _allowed(schema))


def _explain_key(error: ValidationError, path: KeyPath, source: YamlSource) -> _Found:
    key, schema = str(error.instance), _schema_of(error)
    # A number in a key is never a slip of the pen: p100.5 is no p50.
    words = [example for example in schema.get("examples", ()) if example.isalpha()]
    message = f"{_show(key)} cannot be a key here{_did_you_mean(key, words)}"
    return (*path, key), source.problem((*path, key), message, _allowed(schema))


def _explain_unknown_keys(error: ValidationError, path: KeyPath, source: YamlSource) -> Iterator[_Found]:
    known = list(_schema_of(error)["properties"])
    for key in _mapping_of(error):
        if key not in known:
            message = f"unknown key {_show(key)}{_did_you_mean(key, known)}"
            yield (*path, key), source.problem((*path, key), message, ", ".join(known))


def _explain_missing_keys(error: ValidationError, path: KeyPath, source: YamlSource) -> Iterator[_Found]:
    schema = _schema_of(error)
    for key in schema["required"]:
        if key not in _mapping_of(error):
            inside = f" in {_show(path[-1])}" if path else ""
            allowed = _allowed(_resolve(schema["properties"][key]))
            yield None, source.problem(path, f"key {key!r} is missing{inside}", allowed)


def _explain_choice(error: ValidationError, path: KeyPath, source: YamlSource) -> Iterator[_Found]:
    choices = [branch["required"][0] for branch in _schema_of(error)["oneOf"]]
    chosen = [key for key in _mapping_of(error) if key in choices]
    allowed = f"exactly one of {', '.join(choices)}"
    if chosen:
        last = (*path, chosen[-1])
        message = f"{chosen[-1]!r} stands beside {chosen[0]!r} in {path[-1]!r}"
        yield None, source.problem(last, message, allowed)
    else:
        message = f"{path[-1]!r} does not say what to start"
        yield None, source.problem(path, message, allowed)


_EXPLANATIONS: dict[str, Callable[[ValidationError, KeyPath, YamlSource], Iterator[_Found]]] = {
    "additionalProperties": _explain_unknown_keys,
    "required": _explain_missing_keys,
    "oneOf": _explain_choice,
}


def _mapping_of(error: ValidationError) -> dict[str, Any]:
    return error.instance if isinstance(error.instance, dict) else {}


def _schema_of(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """With what its ``$ref`` says; its own words win, as they are the nearer ones."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**_schema()["$defs"][reference.rpartition("/")[2]], **schema}


def _allowed(schema: dict[str, Any]) -> str:
    description = str(schema.get("description", ""))
    examples = " or ".join(str(example) for example in schema.get("examples", ())[:2])
    return f"{description}, such as {examples}" if examples else description


def _did_you_mean(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1) if len(key) <= MAX_QUOTED else []
    return f", did you mean {close[0]!r}?" if close else ""


def _show(value: Any) -> str:  # noqa: ANN401  plain data of any kind
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return quote(value)
    return json.dumps(value)
