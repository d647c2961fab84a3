"""The text of a statement as it is compared and shown: without literals, comments and long lists."""

from __future__ import annotations

import re
from typing import Final

_MAX_LENGTH: Final = 2000  # as the probe cuts it
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|$)|--[^\n]*", re.DOTALL)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*(?:'|$)|(?<![\w$.\"])\d+(?:\.\d+)?\b")
_LIST: Final = re.compile(r"(\$\d+|\?)(?:\s*,\s*(?:\$\d+|\?))+")
_ROWS: Final = re.compile(r"(\([^()]*\))(?:\s*,\s*\([^()]*\))+(?=\s*$|\s+(?:ON|RETURNING)\b)", re.IGNORECASE)
_IS_NORMALISED: Final = re.compile(
    r"\(*(?:select|insert|update|delete|with|merge|values|table)\b", re.IGNORECASE
)
_SELECT_LIST: Final = re.compile(r"^(\(*SELECT) .+? (FROM .+)$", re.IGNORECASE)


def fold_query(query: str) -> str:
    """The same for all statements that differ in their parameters, and on both sides of a comparison.

    PostgreSQL puts placeholders into queries, with one for each member of a list, but leaves others as they
    are (SAVEPOINT, COPY, SET): of these nothing is kept from the first literal on, and no number.
    """
    text = " ".join(_COMMENT.sub(" ", query[:_MAX_LENGTH]).split())
    if not _IS_NORMALISED.match(text):
        begin, quote, _rest = text.partition("'")
        return re.sub(r"\d+", "?", begin) + ("?" if quote else "")
    return _ROWS.sub(r"\1, …", _LIST.sub(r"\1, …", _LITERAL.sub("?", text)))


def shorten_query(query: str, max_length: int) -> str:
    """On one line; a query that is too long loses its columns first, for what is asked stands behind them."""
    text = " ".join(query.split())
    if len(text) > max_length:
        text = _SELECT_LIST.sub(r"\1 … \2", text)
    return text if len(text) <= max_length else text[:max_length] + "…"
