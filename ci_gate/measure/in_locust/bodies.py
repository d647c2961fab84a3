"""What a sample keeps of a reply's body and headers. Runs inside Locust, for every request."""

from __future__ import annotations

import zlib
from typing import Any

from ci_gate.evidence.samples import BODY_PREFIX, FLAG_HTML, FLAG_RETRY_AFTER, THROTTLING_STATUSES

_HTML_STARTS = (b"<!doctype html", b"<html")
_REMEMBERED = 4096


class Bodies:
    """Looks at replies, and remembers the bodies it has met."""

    def __init__(self) -> None:
        self._flags: dict[int, int] = {}

    def look_at(self, response: Any, status: int) -> tuple[int, int]:
        """The CRC of a reply's body and its FLAG_* bits. Raises what a reply of the scenario's own raises."""
        body = getattr(response, "_cached_content", None) or getattr(response, "_content", None)
        crc = flags = 0
        if body and type(body) is bytes:
            crc = zlib.crc32(body if len(body) <= BODY_PREFIX else body[:BODY_PREFIX])
            flags = self._flags[crc] if crc in self._flags else self._flag_body(crc, body)
        return crc, flags | (_flag_throttling(response) if status in THROTTLING_STATUSES else 0)

    def _flag_body(self, crc: int, body: bytes) -> int:
        flags = FLAG_HTML if body[:BODY_PREFIX].lstrip().lower().startswith(_HTML_STARTS) else 0
        if len(self._flags) < _REMEMBERED:
            self._flags[crc] = flags
        return flags


def _flag_throttling(response: Any) -> int:
    return FLAG_RETRY_AFTER if "retry-after" in (getattr(response, "headers", None) or ()) else 0
