"""Password hashes: argon2id, computed off the event loop."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# About 4 ms of one core. OWASP's smallest parameters cost five times that: 1000 users who sign in at
# 100/s would then need two cores for their passwords alone, and the ramp would measure nothing else.
_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """An argon2id hash with a salt of its own, parameters included."""
    return _HASHER.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """True when the password made this hash; the hash's own parameters count, not today's."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


class PasswordChecker:
    """Verifies in its own threads, so that sign-ins cannot starve the database's threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="password")
        # Verified when the user is unknown, so that the time of the reply does not tell who has an account.
        self._nobody = hash_password("nobody has this password")

    async def check(self, password_hash: str | None, password: str) -> bool:
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(
            self._threads, verify_password, password_hash or self._nobody, password
        )
        return matches and password_hash is not None

    def close(self) -> None:
        self._threads.shutdown()
