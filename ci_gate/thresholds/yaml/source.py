"""YAML text as plain data that remembers where each key and value stands.

The rules, chosen so that a reviewer, an editor and this reader see the same thing:

- Plain scalars mean what YAML 1.2 (core schema) says: ``yes``, ``on``, ``1:30`` and ``2024-01-01`` are text.
- Keys are always text. Tags, merge keys (``<<``), non-finite and over-long numbers are Problems.
- Aliases may be used; what they expand to counts against the same caps as if it were written out.
- Control characters, those that reorder text (bidi) and line breaks that editors do not count are Problems.
- One document of at most 256 KiB, 50 levels and 20,000 values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ci_gate.errors import BadInputError, Problem
from ci_gate.thresholds.yaml.nodes import (
    BAD_CHARACTER,
    MAX_DEPTH,
    MAX_NODES,
    MAX_NUMBER_LENGTH,
    MAX_TEXT_BYTES,
    check_cap,
    compose,
    problem_at,
    quote,
    resolve_plain,
)

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root to a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where something stands in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlSource:
    """A YAML document: plain data, positions by path, and the Problems that did not stop the reading.

    ``key_at`` holds each mapping key, ``value_at`` each value (the root is the empty path).
    What came through an alias stands where its anchor stands.
    """

    file: str
    data: Any
    key_at: Mapping[KeyPath, Position]
    value_at: Mapping[KeyPath, Position]
    problems: tuple[Problem, ...]

    def position(self, path: KeyPath) -> Position:
        """Where the key at the end of ``path`` stands; of a list item, its value."""
        return self.key_at.get(path) or self.value_at[path]

    def problem(self, path: KeyPath, message: str, allowed: str = "") -> Problem:
        """A Problem that points at the key (or list item) of ``path``."""
        return self._problem_at(self.position(path), message, allowed)

    def value_problem(self, path: KeyPath, message: str, allowed: str = "") -> Problem:
        """A Problem that points at the value of ``path``."""
        return self._problem_at(self.value_at[path], message, allowed)

    def _problem_at(self, at: Position, message: str, allowed: str) -> Problem:
        return Problem(file=self.file, line=at.line, column=at.column, message=message, allowed=allowed)

    def root(self) -> Section:
        """The whole document as a section."""
        return Section(source=self, path=())

    def without(self, paths: set[KeyPath]) -> YamlSource:
        """The same source with None for the values at ``paths``."""
        return replace(self, data=_blank(self.data, (), paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One mapping of a source. A path that leads to no mapping is an empty section."""

    source: YamlSource
    path: KeyPath

    @property
    def at(self) -> Position:
        """Where its key stands."""
        return self.source.position(self.path)

    @property
    def name(self) -> str:
        """Its key."""
        return str(self.path[-1])

    @property
    def data(self) -> dict[str, Any]:
        """Its keys and values as plain data."""
        value = self.source.data
        for step in self.path:
            value = value.get(step) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401  plain data of any kind
        """The value at ``key``; the default also where None stands."""
        value = self.data.get(key)
        return default if value is None else value

    def section(self, key: str) -> Section:
        """The mapping at ``key``, empty where there is none."""
        return Section(source=self.source, path=(*self.path, key))

    def sections(self, key: str) -> Iterator[Section]:
        """The mappings inside the mapping at ``key``, in order of appearance."""
        inner = self.section(key)
        return (inner.section(name) for name in inner.data)

    def problem(self, key: str, message: str, allowed: str = "") -> Problem:
        """A Problem that points at ``key``."""
        return self.source.problem((*self.path, key), message, allowed)

    def value_problem(self, key: str, message: str, allowed: str = "") -> Problem:
        """A Problem that points at the value of ``key``."""
        return self.source.value_problem((*self.path, key), message, allowed)

    def items(self, key: str) -> Iterator[tuple[str, Any, Position]]:
        """Name, value and position of the name, for each entry of the mapping at ``key``."""
        inner = self.section(key)
        return ((name, value, inner.section(name).at) for name, value in inner.data.items())


def read_yaml(text: str, file: str) -> YamlSource:
    """The YAML document that ``text`` holds. ``file`` is the name that Problems carry.

    Raises BadInputError where the text cannot be read at all: too large, bad characters, bad syntax, caps.
    """
    root, problems = compose(text, file)
    conversion = _Conversion(file)
    data = conversion.convert(root, ()) if root is not None else None
    conversion.value_at.setdefault((), Position(line=1, column=1))
    return YamlSource(
        file=file,
        data=data,
        key_at=conversion.key_at,
        value_at=conversion.value_at,
        problems=(*problems, *conversion.problems),
    )


class _Conversion:
    """Nodes -> plain data, with every alias written out, and what is gathered on the way."""

    def __init__(self, file: str) -> None:
        self.key_at: dict[KeyPath, Position] = {}
        self.value_at: dict[KeyPath, Position] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._nodes = 0
        self._characters = 0
        self._open: set[int] = set()

    def convert(self, node: yaml.Node, path: KeyPath) -> Any:  # noqa: ANN401  plain data of any kind
        self.value_at[path] = _position(node)
        self._nodes += 1
        self._check_cap(
            node, self._nodes, MAX_NODES, "the file holds too many values once aliases are expanded"
        )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise BadInputError(
                problem_at(self._file, node.start_mark, "an alias in this value refers to the value itself")
            )
        self._check_cap(node, len(path), MAX_DEPTH, "values are nested too deep once aliases are expanded")
        self._open.add(id(node))
        data = (
            self._sequence(node, path) if isinstance(node, yaml.SequenceNode) else self._mapping(node, path)
        )
        self._open.remove(id(node))
        return data

    def _sequence(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            key_path = (*path, key)
            if key in data:
                first = self.key_at[key_path]
                where = f"first at line {first.line}, column {first.column}"
                self._refuse(key_node, f"key {quote(key)} stands twice; {where}", "each key once")
                continue
            self.key_at[key_path] = _position(key_node)
            data[key] = self.convert(value_node, key_path)
        return data

    def _key(self, node: yaml.Node) -> str | None:
        """None for what cannot be a key; its Problem is kept."""
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, "a key cannot be a list or a mapping", "text")
            return None
        self._count_characters(node)
        text = str(node.value)
        if text == "<<" and node.style is None:
            self._refuse(node, "merge keys (<<) are not supported", "an alias for the whole value")
            return None
        if any(character in text for character in "\r\n\t") or BAD_CHARACTER.search(text):
            self._refuse(node, "a key cannot hold control characters", "visible characters on one line")
            return None
        return text

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        """None also for what no scalar can be; its Problem is kept."""
        self._count_characters(node)
        text = str(node.value)
        if BAD_CHARACTER.search(text):
            self._refuse(node, "text cannot hold control characters", "visible characters")
            return None
        if node.style is not None:
            return text
        try:
            return resolve_plain(text)
        except ValueError as error:
            self._refuse(node, str(error), f"a finite number of {MAX_NUMBER_LENGTH} characters at most")
            return None

    def _count_characters(self, node: yaml.ScalarNode) -> None:
        # An alias to a long text costs nothing here, but would where a message or a report shows each copy.
        self._characters += len(node.value)
        too_large = "the file is too large once aliases are expanded"
        self._check_cap(node, self._characters, MAX_TEXT_BYTES, too_large)

    def _refuse(self, node: yaml.Node, message: str, allowed: str) -> None:
        self.problems.append(problem_at(self._file, node.start_mark, message, allowed))

    def _check_cap(self, node: yaml.Node, count: int, cap: int, message: str) -> None:
        check_cap(self._file, node.start_mark, count, cap, message)


def _position(node: yaml.Node) -> Position:
    return Position(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _blank(value: Any, path: KeyPath, paths: set[KeyPath]) -> Any:  # noqa: ANN401  plain data of any kind
    if path in paths:
        return None
    if isinstance(value, dict):
        return {key: _blank(inner, (*path, key), paths) for key, inner in value.items()}
    if isinstance(value, list):
        return [_blank(inner, (*path, index), paths) for index, inner in enumerate(value)]
    return value
