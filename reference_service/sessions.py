"""Bearer tokens and who they belong to: in this process, or in Redis for all processes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis

KEY_PREFIX = "ci-gate:session:"


class Sessions(Protocol):
    """Where sessions are kept."""

    async def open(self, username: str) -> str:
        """A new token for the user."""
        ...

    async def find_user(self, token: str) -> str | None:
        """The token's user; None where the token is unknown or has expired."""
        ...


class MemorySessions:
    """Sessions of this process alone; they end with it."""

    def __init__(self, lifetime_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._sessions: dict[str, tuple[str, float]] = {}

    async def open(self, username: str) -> str:
        self._drop_expired()
        token = secrets.token_urlsafe(32)
        self._sessions[token] = (username, self._clock() + self._lifetime_s)
        return token

    async def find_user(self, token: str) -> str | None:
        username, ends_s = self._sessions.get(token, ("", 0.0))
        return username if username and self._clock() < ends_s else None

    def _drop_expired(self) -> None:
        # All live equally long, so the dict's order of insertion is the order in which they end.
        now_s = self._clock()
        expired = []
        for token, (_, ends_s) in self._sessions.items():
            if ends_s > now_s:
                break
            expired.append(token)
        for token in expired:
            del self._sessions[token]


class RedisSessions:
    """Sessions in Redis, which also ends them."""

    def __init__(self, client: Redis, lifetime_s: float) -> None:
        self._client = client
        self._lifetime_ms = int(lifetime_s * 1000)

    async def open(self, username: str) -> str:
        token = secrets.token_urlsafe(32)
        await self._client.set(KEY_PREFIX + token, username, px=self._lifetime_ms)
        return token

    async def find_user(self, token: str) -> str | None:
        username = await self._client.get(KEY_PREFIX + token)
        return username.decode() if isinstance(username, bytes) else username
