"""Keeps passwords out of the evidence: an error may quote the connection string that it is about."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from ci_gate.addresses import HIDDEN, hide_credentials

_MAX_LENGTH: Final = 300
# The last @ ends the password of a URL, also where it holds one unquoted.
_IN_URL: Final = re.compile(r"://[^/]*?:(.*)@")
_IN_KEYWORDS: Final = re.compile(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", re.IGNORECASE)
_IN_QUERY: Final = re.compile(r"[?&](?:ssl)?password=([^&\s]+)", re.IGNORECASE)


def redact(text: str, secret: str) -> str:
    """One line of at most 300 characters, without the connection string ``secret`` or its password."""
    text = " ".join(text.split())
    for hidden in sorted(_find_hidden(secret), key=len, reverse=True):
        text = text.replace(hidden, HIDDEN)
    return hide_credentials(text)[:_MAX_LENGTH]


def _find_hidden(secret: str) -> set[str]:
    found = {secret}
    for pattern in (_IN_URL, _IN_KEYWORDS, _IN_QUERY):
        found.update(group for match in pattern.finditer(secret) for group in match.groups() if group)
    return {form for each in found for form in (each, unquote(each)) if form}
