"""The reference service with more memory, or with more statements for each unit of work: a head that differs.

python -m benchmarks.changed_service MEMORY_MIB STATEMENTS --port 8000
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, text

from reference_service import app, service
from reference_service.database import Database

Result = TypeVar("Result")
_MIB = 1024**2


class ChattyDatabase(Database):
    """Sends ``more`` statements before each unit of work."""

    more = 0

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        return await super().read(lambda connection: self._chat(connection, work))

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        return await super().write(lambda connection: self._chat(connection, work))

    def _chat(self, connection: Connection, work: Callable[[Connection], Result]) -> Result:
        for _ in range(self.more):
            connection.execute(text("SELECT 1"))
        return work(connection)


def main() -> int:
    """The exit code of the service."""
    memory_mib, ChattyDatabase.more = map(int, sys.argv[1:3])
    app.Database = ChattyDatabase  # type: ignore[misc]
    # Beside Python's own memory: a large piece of that would change what else it gives back to the system.
    own = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, memory_mib * _MIB + mmap.PAGESIZE, flags=own) as held:
        for place in range(0, memory_mib * _MIB, mmap.PAGESIZE):
            held[place] = 1
        return service.run(sys.argv[3:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
