"""Makes text from a run, which a hostile pull request may have written, safe to show."""

from __future__ import annotations

import unicodedata

_MARKUP = frozenset("\\`*_[]()#+!|<>~@:&$\"'")
_REFERENCES = frozenset("@#")
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_ZERO_WIDTH_SPACE = "&#8203;"
_LONGEST = 300


def escape_markdown(text: str) -> str:
    """Text that GitHub shows letter by letter: no markup, HTML, link, mention, issue reference or emoji code.

    Control, bidirectional and invisible characters become U+FFFD, so that a name cannot disguise another;
    anything beyond 300 characters is cut.
    """
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(map(_escape_character, cut))


def _escape_character(character: str) -> str:
    if character in _MARKUP:
        # To Markdown a numeric reference is text whatever stands around it. GitHub looks for mentions and
        # issue references later, in the rendered text: only a character in between stops it there.
        return f"&#{ord(character)};" + (_ZERO_WIDTH_SPACE if character in _REFERENCES else "")
    if unicodedata.category(character) in _UNSEEN:
        return "\N{REPLACEMENT CHARACTER}"
    return character
