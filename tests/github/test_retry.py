from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.github.api.retry import backoff_s, wait_before_retry

NOW_S = 1_800_000_000.0


def wait(status, headers=None, message="", attempt=0):
    return wait_before_retry(status, headers or {}, message, attempt=attempt, now_s=NOW_S, jitter=0.0)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 410, 422, 451])
def test_refusal__is_not_asked_again(status):
    assert wait(status) is None


@pytest.mark.parametrize("status", [403, 404])
def test_missing_permission__is_not_a_rate_limit(status):
    headers = {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": str(int(NOW_S) + 60)}
    assert wait(status, headers, "Resource not accessible by integration") is None


@pytest.mark.parametrize(
    ("status", "headers", "message", "attempt", "expected_s"),
    [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW_S) + 40)}, "", 0, 41.0),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW_S) - 40)}, "", 0, 1.0),
        (403, {"retry-after": "17"}, "", 0, 17.0),
        (429, {"retry-after": "0"}, "", 0, 1.0),
        (429, {"retry-after": "2", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "", 0, 2.0),
        (403, {}, "You have exceeded a secondary rate limit.", 0, 60.0),
        (403, {}, "You have exceeded a secondary rate limit.", 2, 240.0),
        (429, {}, "", 1, 120.0),
        (502, {"retry-after": "9"}, "", 0, 9.0),
        (500, {}, "", 3, 4.0),
        (408, {}, "", 1, 1.0),
    ],
)
def test_wait__is_what_github_asks_for(status, headers, message, attempt, expected_s):
    assert wait(status, headers, message, attempt) == expected_s


@pytest.mark.parametrize("value", ["", "soon", "-5", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_unreadable_header__is_ignored(value):
    assert wait(500, {"retry-after": value}) == 0.5
    assert wait(403, {"retry-after": value}) is None


@given(st.integers(0, 50), st.floats(0, 1))
def test_backoff__grows_to_a_bound(attempt, jitter):
    assert 0.5 <= backoff_s(attempt, jitter) <= 30
    assert backoff_s(attempt, jitter) <= backoff_s(attempt + 1, 1.0)
