"""How long to wait before asking GitHub again. Pure: headers and words in, seconds out.

The rules are GitHub's: docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

MAX_ATTEMPTS: Final = 6
_MAX_BACKOFF_S: Final = 30.0
_SECONDARY_LIMIT_S: Final = 60.0
_RATE_LIMIT_STATUSES: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_REQUEST_TIMEOUT: Final = 408
_FIRST_SERVER_ERROR: Final = 500


def backoff_s(attempt: int, jitter: float) -> float:
    """Half of 2**attempt to all of it; ``attempt`` counts from 0, ``jitter`` is from 0 to 1."""
    return float(min(_MAX_BACKOFF_S, 2**attempt)) * (0.5 + jitter / 2)


def wait_before_retry(
    status: int, headers: Mapping[str, str], message: str, *, attempt: int, now_s: float, jitter: float
) -> float | None:
    """Seconds to wait after a reply of 400 and above, None where asking again is of no use.

    ``headers`` are looked up in lower case; ``now_s`` is Unix time.
    """
    if status in _RATE_LIMIT_STATUSES:
        return _wait_for_rate_limit(status, headers, message, attempt=attempt, now_s=now_s)
    if status >= _FIRST_SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return max(_read_seconds(headers, "retry-after") or 0.0, backoff_s(attempt, jitter))
    return None


def _wait_for_rate_limit(
    status: int, headers: Mapping[str, str], message: str, *, attempt: int, now_s: float
) -> float | None:
    retry_after_s = _read_seconds(headers, "retry-after")
    if retry_after_s is not None:
        return max(retry_after_s, 1.0)
    reset_s = _read_seconds(headers, "x-ratelimit-reset")
    if headers.get("x-ratelimit-remaining") == "0" and reset_s is not None:
        return max(reset_s - now_s, 0.0) + 1.0
    if status == HTTPStatus.TOO_MANY_REQUESTS or "secondary rate limit" in message.lower():
        return float(_SECONDARY_LIMIT_S * 2**attempt)
    return None


def _read_seconds(headers: Mapping[str, str], name: str) -> float | None:
    try:
        seconds = float(headers.get(name, ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
