"""What one side's ids and tokens are called on the other, learnt from pairs of JSON replies.

Two replies to the same request are read side by side: where the value at a place differs, the one is taken to
be called the other on the other side, under the name of that place. A later request is then translated: whole
values of its JSON body and query by their names, path segments by the name of the segment before them, and
words of its headers by any name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

Leaf = str | int
OWN_NAMES = ("id", "token")
_MAX_NAMES = 20_000
_NOT_OF_A_WORD = re.compile(r"([^\w.\-]+)")
_MIN_WORD_LENGTH = 8  # of a header: what is shorter is no token


class Translation:
    """Of one user, in one direction."""

    def __init__(self, *, by_position: bool = False) -> None:
        """``by_position`` pairs the items of two lists by place, and not by what they say."""
        self._by_position = by_position
        self._known: dict[tuple[str, Leaf], Leaf] = {}
        self._last_name: dict[Leaf, str] = {}
        self.learnt = 0
        self.contradicted = 0

    def learn(self, ours: object, theirs: object, resource: str) -> None:
        """``resource`` names what the reply as a whole is about: its ``id`` is ``<resource>_id``."""
        for name, our, their in self._pair(ours, theirs, resource, ""):
            if isinstance(our, float) or isinstance(their, float) or type(our) is not type(their):
                continue
            before = self._known.get((name, our))
            if our == their and before is None:
                continue
            self.contradicted += before is not None and before != their
            self.learnt += before is None
            if len(self._known) < _MAX_NAMES or before is not None:
                self._known[name, our] = their
                self._last_name[our] = name

    def _pair(self, ours: Any, theirs: Any, resource: str, key: str) -> Iterator[tuple[str, Any, Any]]:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for name in ours.keys() & theirs.keys():
                yield from self._pair(ours[name], theirs[name], resource, name)
        elif isinstance(ours, list) and isinstance(theirs, list):
            inner = singular(key) if key and key != "items" else resource
            for our, their in self._align(ours, theirs):
                yield from self._pair(our, their, inner, key)
        elif not isinstance(ours, dict | list | None | bool):
            yield (f"{resource}_id" if key == "id" else key), ours, theirs

    def _align(self, ours: list[Any], theirs: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Items that say the same of themselves, in order; others say nothing of each other."""
        if self._by_position:
            yield from zip(ours, theirs, strict=False)
            return
        waiting: dict[bytes, list[Any]] = {}
        for their in reversed(theirs):
            waiting.setdefault(msgspec.json.encode(content_of(their)), []).append(their)
        for our in ours:
            if candidates := waiting.get(msgspec.json.encode(content_of(our))):
                yield our, candidates.pop()

    def value(self, name: str, value: Leaf) -> Leaf:
        """Their name for what we call ``value`` in a place of that name; our own where nothing is known."""
        if (name, value) in self._known:
            return self._known[name, value]
        last = self._last_name.get(value, "")
        if name.endswith("id") and last.endswith("id"):
            return self._known[last, value]
        return value

    def body(self, body: Any, key: str = "") -> Any:
        """A JSON value, translated."""
        if isinstance(body, dict):
            return {name: self.body(value, name) for name, value in body.items()}
        if isinstance(body, list):
            return [self.body(value, key) for value in body]
        return self.value(key, body) if isinstance(body, str | int) and not isinstance(body, bool) else body

    def url(self, url: str) -> str:
        """A URL or path, translated."""
        parts = urlsplit(url)
        segments = parts.path.split("/")
        path = [
            self._text(f"{singular(before)}_id", segment)
            for before, segment in zip(["", *segments], segments, strict=False)
        ]
        query = [(name, self._text(name, value)) for name, value in parse_qsl(parts.query)]
        return urlunsplit(parts._replace(path="/".join(path), query=urlencode(query)))

    def _text(self, name: str, text: str) -> str:
        return str(self.value(name, int(text) if text.isascii() and text.isdigit() else text))

    def header(self, text: str) -> str:
        """A header's value: each long word by whatever it is called on the other side."""
        return "".join(
            str(self._known.get((self._last_name.get(word, ""), word), word))
            if len(word) >= _MIN_WORD_LENGTH
            else word
            for word in _NOT_OF_A_WORD.split(text)
        )

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self.header(value) for name, value in headers.items()}


def content_of(reply: Any) -> Any:
    """What a reply says beside the names that each side gives by itself: ids, tokens, times."""
    if isinstance(reply, dict):
        own = {key for key, value in reply.items() if key.endswith(OWN_NAMES) or isinstance(value, float)}
        return {key: content_of(value) for key, value in reply.items() if key not in own}
    return [content_of(item) for item in reply] if isinstance(reply, list) else reply


def resource_of(url: str) -> str:
    """What a request is about: the last segment of its path that is a word and no number."""
    words = [segment for segment in urlsplit(url).path.split("/") if segment and not segment.isdigit()]
    return singular(words[-1]) if words else ""


def singular(word: str) -> str:
    """``deployment`` of ``deployments``."""
    return word.removesuffix("s")
