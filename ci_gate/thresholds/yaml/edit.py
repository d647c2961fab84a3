"""Edits YAML text in place: values are replaced and added, and all else stays as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from ci_gate.thresholds.yaml.source import KeyPath
from ci_gate.thresholds.yaml.text import write_comment, write_scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A comment that begins with ``head``. One with the same head that stands in its place makes way for it.

    Without ``text`` nothing is written: what stands there is taken away.
    """

    head: str
    text: str

    def __str__(self) -> str:
        return write_comment(f"{self.head} {self.text}")


Notes = Mapping[KeyPath, Sequence[Note]]
"""Comments by the path of the value that they are about; those of a mapping stand at its end."""

_Flow = tuple[int, int]
"""Where the line of the outermost flow collection begins, and how long the path to that is."""


_OF_NODES: Final = (yaml.NodeEvent, yaml.CollectionEndEvent)
_WORD: Final = re.compile(r"\S+")
_PLAIN_IN_FLOW: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*[A-Za-z0-9_/]|[A-Za-z0-9][A-Za-z0-9.%/]*")
_BLOCK_SCALAR: Final = frozenset("|>")


def edit_yaml(text: str, before: Any, after: Any, notes: Notes | None = None) -> str:  # noqa: ANN401  plain data
    """``text``, whose plain data is ``before``, as one whose data is ``after``.

    Each scalar that differs is replaced, and each key that a mapping lacks is added at its end; lists keep
    their length, and nothing is taken away. An alias is written out where its value differs, or where that
    of its anchor does. A note stands behind the value where it has a line of its own, else above its line.
    """
    if before == after and not notes:
        return text
    walk = _Walk(text, notes or {})
    walk.visit(before, after)
    parts, at = [], 0
    for begin, end, new in sorted(walk.edits, key=lambda edit: edit[:2]):
        parts += [text[at:begin], new]
        at = end
    return "".join(parts) + text[at:]


class _Walk:
    """One walk over the text's events, which gathers edits: where the old text is, and the new one."""

    def __init__(self, text: str, notes: Notes) -> None:
        self.edits: list[tuple[int, int, str]] = []
        self._text = text
        self._notes = notes
        self._events: Iterator[Any] = (
            event for event in yaml.parse(text, yaml.SafeLoader) if isinstance(event, _OF_NODES)
        )
        self._names: dict[Any, str] = {}  # of scalars with an anchor, for an alias may be a key
        self._closed_at = 0  # where the collection ended that was walked last
        self._changed: set[Any] = set()  # anchors whose value differs

    def visit(self, before: Any, after: Any) -> None:  # noqa: ANN401  plain data
        """The whole document."""
        self._visit(next(self._events), (before, after), (), None, 0)

    def _visit(
        self,
        event: Any,  # noqa: ANN401  of PyYAML, whose types say that it may have no place
        sides: tuple[Any, Any],
        path: KeyPath,
        flow: _Flow | None,
        key_at: int,
    ) -> int:
        """Where the value ends; ``key_at`` is where its key begins."""
        before, after = sides
        begin, end = int(event.start_mark.index), int(event.end_mark.index)
        if isinstance(event, yaml.AliasEvent):
            if before != after or event.anchor in self._changed:
                new = json.dumps(after, ensure_ascii=False)
                self.edits.append((begin, end, new))
                self._note_above(self._below(path), flow or (self._line_at(key_at), len(path)))
            return end
        if before != after:
            self._changed.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            self._names[event.anchor] = event.value
            if before != after:
                self._replace(event, after, path, flow, key_at)
            return end
        if event.flow_style and flow is None:
            flow = self._line_at(begin), len(path)
        if isinstance(event, yaml.SequenceStartEvent):
            for index, item in enumerate(self._until_end()):
                each = (before[index], after[index])
                end = self._visit(item, each, (*path, index), flow, item.start_mark.index)
            return self._closed_at if event.flow_style else end
        return self._visit_mapping(event, sides, path, flow)

    def _visit_mapping(
        self,
        event: Any,  # noqa: ANN401  of PyYAML
        sides: tuple[Any, Any],
        path: KeyPath,
        flow: _Flow | None,
    ) -> int:
        """Where it ends. A block ends with its last value: what its own end says is where the next begins."""
        before, after = sides
        end, column = int(event.end_mark.index), 0
        for key in self._until_end():
            name = self._names[key.anchor] if isinstance(key, yaml.AliasEvent) else key.value
            begin, column = key.start_mark.index, key.start_mark.column
            self._visit(key, (name, name), path, flow, begin)
            value = next(self._events)
            end = self._visit(value, (before[name], after[name]), (*path, name), flow, begin)
        new = {name: value for name, value in after.items() if name not in before}
        own = {path: self._notes.get(path, ())}
        if flow:
            inside = ", ".join(f"{_in_flow(name)}: {_in_flow(value)}" for name, value in new.items())
            self.edits += [(end, end, f"{', ' if before else ''}{inside}")] if new else []
            for name in new:
                self._note_above(self._below((*path, name)), flow)
            self._note_above(own, flow)
        else:
            lines = [line for name, value in new.items() for line in self._block((*path, name), value)]
            self._add_lines(lines, own[path], end, " " * column)
        return self._closed_at if event.flow_style else end

    def _until_end(self) -> Iterator[Any]:
        """Yields events up to the end of a collection. The caller consumes all that is below each event."""
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                self._closed_at = int(event.end_mark.index)  # type: ignore[union-attr]
                return
            yield event

    def _replace(
        self,
        event: Any,  # noqa: ANN401  of PyYAML
        after: Any,  # noqa: ANN401  plain data
        path: KeyPath,
        flow: _Flow | None,
        key_at: int,
    ) -> None:
        """Put ``after`` where a scalar's last word is: an anchor or an indicator may come before it."""
        word = list(_WORD.finditer(self._text, event.start_mark.index, event.end_mark.index))[-1]
        self.edits.append((word.start(), word.end(), str(after)))
        notes = self._notes.get(path, ())
        line_end = self._line_end(word.end())
        rest = self._text[word.end() : line_end].strip()
        is_free = not rest or any(rest.startswith(f"# {note.head}") for note in notes)
        if flow or not is_free or event.style in _BLOCK_SCALAR:
            self._note_above({path: notes}, flow or (self._line_at(key_at), len(path)))
        else:
            new = "".join(f"  # {note}" for note in notes if note.text)
            self.edits += [(word.end(), line_end, new)] if notes else []

    def _block(self, path: KeyPath, value: Any) -> Iterator[str]:  # noqa: ANN401  plain data
        """The lines of a new entry of a block mapping."""
        name = write_scalar(str(path[-1]))
        notes = [str(note) for note in self._notes.get(path, ()) if note.text]
        if isinstance(value, dict):
            yield f"{name}:"
            for key, inner in value.items():
                yield from (f"  {line}" for line in self._block((*path, key), inner))
            yield from (f"  # {note}" for note in notes)
        else:
            yield f"{name}: {value}" + "".join(f"  # {note}" for note in notes)

    def _add_lines(self, lines: Sequence[str], notes: Sequence[Note], end: int, indent: str) -> None:
        """Put lines, and notes after them, below the line on which a value ends."""
        at = end if self._text[end - 1 : end] == "\n" else min(self._line_end(end) + 1, len(self._text))
        missing = "\n" if at and self._text[at - 1] != "\n" else ""
        new = "".join(f"{indent}{line}\n" for line in [*lines, *(f"# {note}" for note in notes if note.text)])
        self.edits += [(at, at, missing + new)] if new else []
        self._drop({note.head for note in notes}, self._comments(at, 1))

    def _note_above(self, notes: Notes, flow: _Flow) -> None:
        """Above a line; in braces, where a line has many values, with the keys that lead to each."""
        line_at, depth = flow
        indent = re.match(r" *", self._text[line_at:])
        margin = indent[0] if indent else ""
        for path, each in notes.items():
            keys = " ".join(map(str, path[depth:]))
            named = [replace(note, head=f"{keys}: {note.head}") for note in each] if keys else each
            self._drop({note.head for note in named}, self._comments(line_at, -1))
            self.edits += [(line_at, line_at, f"{margin}# {note}\n") for note in named if note.text]

    def _comments(self, at: int, direction: int) -> Iterator[tuple[int, int]]:
        """Begin and end of the lines that are comments, from a line's beginning downwards (1) or up (-1)."""
        while True:
            begin = at if direction > 0 else self._line_at(at - 1)
            end = min(self._line_end(begin) + 1, len(self._text))
            if not self._text[begin:end].lstrip().startswith("#") or (direction < 0 and not at):
                return
            yield begin, end
            at = end if direction > 0 else begin

    def _drop(self, heads: set[str], comments: Iterator[tuple[int, int]]) -> None:
        """Take away those comments that begin with one of the heads."""
        for begin, end in comments:
            comment = self._text[begin:end].strip().removeprefix("# ")
            if any(comment.startswith(f"{head} ") for head in heads):
                self.edits.append((begin, end, ""))

    def _below(self, path: KeyPath) -> Notes:
        """The notes on a value and on all that is in it."""
        return {at: notes for at, notes in self._notes.items() if at[: len(path)] == path}

    def _line_at(self, index: int) -> int:
        """Where the line begins that has this character."""
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found


def _in_flow(value: Any) -> str:  # noqa: ANN401  plain data
    """A key or a value as it can stand inside braces."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_in_flow(key)}: {_in_flow(inner)}" for key, inner in value.items()) + "}"
    text = str(value)
    return text if _PLAIN_IN_FLOW.fullmatch(text) else json.dumps(text, ensure_ascii=False)
