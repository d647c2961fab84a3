"""What Redis says of itself: one INFO a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT_S: Final = 2.0
_OWN_CLIENTS: Final = 1
_FIELDS: Final = {
    "blocked_clients": "blocked_clients",
    "memory_bytes": "used_memory",
    "maxmemory_bytes": "maxmemory",
    "commands": "total_commands_processed",
    "evicted_keys": "evicted_keys",
    "hits": "keyspace_hits",
    "misses": "keyspace_misses",
}


def open_probe(address: str, _folder: Path, _note: Callable[[str], None]) -> RedisProbe:
    """The probe of the Redis at the URL ``address``."""
    return RedisProbe(address)


class RedisProbe:
    """Asks with one connection; a reply that takes longer than two seconds is an error."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None

    def read(self) -> dict[str, float]:
        if self._client is None:
            self._client = redis.Redis.from_url(
                self._url,
                socket_connect_timeout=_TIMEOUT_S,
                socket_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=True,
            )
        info: dict[str, Any] = self._client.info()
        return {
            "clients": float(info["connected_clients"]) - _OWN_CLIENTS,
            "cpu_s": float(info["used_cpu_sys"]) + float(info["used_cpu_user"]),
            **{name: float(info[field]) for name, field in _FIELDS.items()},
        }

    def disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def finish(self) -> None:
        self.disconnect()
