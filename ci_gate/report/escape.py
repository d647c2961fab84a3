"""Makes text from a run, which a hostile pull request may have written, safe to show on GitHub.

GitHub renders Markdown first and then looks for mentions, issue references, commits and emoji codes in the
text that came out, except inside code. So names go into code, and prose gets characters in between that
nobody sees and no such search crosses.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_NAME_LENGTH: Final = 120
MAX_TEXT_LENGTH: Final = 600
NO_BREAK: Final = "\N{NO-BREAK SPACE}"

_MARKUP: Final = frozenset("\\`*_[]<>&~|$#@!")
_NOT_IN_CODE_SPAN: Final = frozenset("`\\|")
_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# Of other categories, but drawn as nothing: fillers, an empty braille cell, joiners, variation selectors.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x1810))
}
_MARK_CATEGORIES: Final = frozenset({"Mn", "Me"})
_MAX_MARKS: Final = 2
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_BREAK: Final = "\N{ZERO WIDTH SPACE}"
_LINKS: Final = r"(?<=@) | (?<=:)(?=//) | (?<=www)(?=\.)"
_BREAKS_IN_CODE: Final = re.compile(_LINKS, re.VERBOSE | re.IGNORECASE)  # the parser links inside HTML too
_BREAKS: Final = re.compile(
    rf"""{_LINKS}
    | (?<=\#) | (?<=\bgh-)(?=\d)         # issue reference
    | (?<=:)(?=[\w+-]+:)                 # emoji code
    """,
    re.VERBOSE | re.IGNORECASE,
)
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
"""A whole one, as GitHub has them."""
_TOO_MUCH_OF_A_COMMIT: Final = re.compile(r"[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)


def escape_markdown(text: str) -> str:
    """Prose on one line that GitHub shows letter by letter: no markup, HTML, link, reference or emoji code.

    Not for the beginning of a line. White space becomes single spaces; control, bidirectional and invisible
    characters become U+FFFD, so that a name cannot disguise another; beyond MAX_TEXT_LENGTH it is cut.
    """
    broken = _BREAKS.sub(_BREAK, clean(text, MAX_TEXT_LENGTH))
    return _escape(_TOO_MUCH_OF_A_COMMIT.sub(rf"\g<0>{_BREAK}", broken))


def code_span(name: str) -> str:
    """``name`` in backticks or a code element, for Markdown text and cells; cut beyond MAX_NAME_LENGTH."""
    shown = clean(name, MAX_NAME_LENGTH)
    return code_element(name) if _NOT_IN_CODE_SPAN.intersection(shown) else f"`{shown}`"


def code_element(name: str) -> str:
    """``name`` in a code element, for HTML and Markdown alike; cut beyond MAX_NAME_LENGTH."""
    return f"<code>{_escape(_BREAKS_IN_CODE.sub(_BREAK, clean(name, MAX_NAME_LENGTH)))}</code>"


def keep_together(text: str) -> str:
    """``text`` with no-break spaces: no number is torn from its unit at the end of a line."""
    return text.replace(" ", NO_BREAK)


def clean(text: str, longest: int) -> str:
    """``text`` as visible characters on one line, ``longest`` at most; never empty."""
    words = " ".join(text[: 4 * longest].split())
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    shown: list[str] = []
    marks = 0
    for character in cut:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARK_CATEGORIES else 0
        unseen = category in _UNSEEN_CATEGORIES or character in _UNSEEN or marks > _MAX_MARKS
        shown.append(_REPLACEMENT if unseen else character)
    return "".join(shown) or "(empty)"


def _escape(text: str) -> str:
    # To Markdown a numeric reference is text, whatever stands around it.
    return "".join(f"&#{ord(each)};" if each in _MARKUP else each for each in text)
