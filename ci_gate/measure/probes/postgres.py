"""What PostgreSQL says of itself: one statement a second, and every five what each statement took."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from ci_gate.evidence.readings import StatementReading
from ci_gate.evidence.recording import LineWriter
from ci_gate.measure.probes.notes import NotesOnce
from ci_gate.measure.probes.server_cpu import ServerCpu
from ci_gate.measure.probes.statement_counts import StatementCounts

_APPLICATION: Final = "ci-gate probe"
_CONNECT_TIMEOUT_S: Final = 2
_STATEMENT_TIMEOUT_S: Final = 1
_REPLY_TIMEOUT_S: Final = 2.0
_STATEMENTS_EVERY_S: Final = 5.0

# The comment tells our statements in pg_stat_statements. `state` is null for the backends of other users,
# unless ours may read all statistics.
_ACTIVITY: Final = """
SELECT /* ci-gate probe */
  count(*) FILTER (WHERE ours AND state = 'active' AND is_client) AS connections_active,
  count(*) FILTER (WHERE ours AND state = 'idle' AND is_client) AS connections_idle,
  count(*) FILTER (WHERE ours AND state LIKE 'idle in transaction%' AND is_client)
    AS connections_idle_in_transaction,
  count(*) FILTER (WHERE is_client) AS connections_total,
  current_setting('max_connections')::float AS max_connections,
  CASE WHEN coalesce(bool_or(ours AND is_client AND is_superuser), false) THEN 0
    ELSE current_setting('superuser_reserved_connections')::float
      + coalesce(current_setting('reserved_connections', true)::float, 0) END AS reserved_connections,
  count(*) FILTER (WHERE ours AND state = 'active' AND wait_event_type IS NULL) AS on_cpu,
  count(*) FILTER (WHERE ours AND state = 'active' AND wait_event_type = 'Lock') AS waiting_lock,
  count(*) FILTER (WHERE ours AND state = 'active' AND wait_event_type = 'LWLock') AS waiting_lwlock,
  count(*) FILTER (WHERE ours AND state = 'active' AND wait_event_type = 'IO') AS waiting_io,
  count(*) FILTER (WHERE ours AND state = 'active' AND wait_event_type = 'Client') AS waiting_client,
  count(*) FILTER (WHERE ours AND state = 'active'
    AND wait_event_type NOT IN ('Lock', 'LWLock', 'IO', 'Client')) AS waiting_other,
  count(*) FILTER (WHERE ours AND pid IN (SELECT pid FROM pg_locks WHERE NOT granted)) AS blocked,
  coalesce(extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (WHERE ours)), 0)::float
    AS longest_transaction_s,
  count(*) FILTER (WHERE ours AND is_client AND state IS NULL) AS hidden,
  max(xact_commit) AS commits,
  max(xact_rollback) AS rollbacks,
  max(deadlocks) AS deadlocks,
  max(blks_read) AS blocks_read,
  max(blks_hit) AS blocks_hit,
  max(counted.oid)::float AS database_oid,
  extract(epoch FROM pg_postmaster_start_time())::float AS server_started_s
FROM (SELECT xact_commit, xact_rollback, deadlocks, blks_read, blks_hit, datid::bigint AS oid
        FROM pg_stat_database WHERE datname = current_database()) AS counted
LEFT JOIN (SELECT *,
               datname = current_database() AS ours,
               usesysid IN (SELECT oid FROM pg_roles WHERE rolsuper) AS is_superuser,
               coalesce(backend_type, 'client backend') = 'client backend' AS is_client
          FROM pg_stat_activity
         WHERE datname IS NOT NULL
           AND coalesce(backend_type, 'client backend') IN ('client backend', 'parallel worker')
           AND application_name IS DISTINCT FROM 'ci-gate probe') AS activity ON true
"""
_BACKEND: Final = "SELECT /* ci-gate probe */ pg_backend_pid() AS pid, inet_client_port() AS port"
_EXTENSION: Final = """
SELECT /* ci-gate probe */ quote_ident(nspname) AS schema,
       current_setting('server_version_num')::int AS version
  FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
 WHERE extname = 'pg_stat_statements'
"""
# Without the texts of all statements, which PostgreSQL reads from a file.
_STATEMENTS: Final = """
SELECT /* ci-gate probe */ queryid AS id, sum(calls)::bigint AS calls, sum({time})::float AS total_ms
  FROM {schema}.pg_stat_statements(false)
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL
 GROUP BY 1
"""
# A statement such as ALTER ROLE stands there with its literals.
_TEXTS: Final = """
SELECT /* ci-gate probe */ queryid AS id, left(min(query), 2000) AS query
  FROM {schema}.pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid = ANY(%s)
   AND query NOT LIKE '%%/* ci-gate probe */%%' AND query !~* 'password\\s+'''
   AND query <> '<insufficient privilege>'
 GROUP BY 1
"""
_CALLS: Final = """
SELECT /* ci-gate probe */ coalesce(sum(calls), 0)::float AS statement_calls
  FROM {schema}.pg_stat_statements(false)
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND NOT queryid = ANY(%s)
"""
_OWN_STATEMENTS: Final = """
SELECT /* ci-gate probe */ DISTINCT queryid FROM {schema}.pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND query LIKE '%/* ci-gate probe */%' AND queryid IS NOT NULL
"""
_OWN_COUNT: Final = 7  # statements of ours
_TIME_RENAMED_IN: Final = 130000


def open_probe(address: str, folder: Path, note: Callable[[str], None]) -> PostgresProbe:
    """The probe of the PostgreSQL at the connection string ``address``; it also writes statements.jsonl."""
    return PostgresProbe(address, LineWriter(folder / "statements.jsonl"), note)


class PostgresProbe:
    """Asks with one connection; a reply that takes longer than two seconds is an error."""

    def __init__(self, conninfo: str, statements: LineWriter, note: Callable[[str], None]) -> None:
        self._conninfo = conninfo
        self._lines = statements
        self._note = NotesOnce("postgres", note)
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._statements_sql = self._texts_sql = self._calls_sql = self._own_sql = ""
        self._own_ids: list[int] = []
        self._statements = StatementCounts()
        self._statements_due_s = 0.0
        self._server_cpu: ServerCpu | None = None

    def read(self) -> dict[str, float]:
        connection = self._connection = self._connection or self._connect()
        with _ending(connection, _REPLY_TIMEOUT_S):
            row = connection.execute(_ACTIVITY).fetchone() or {}
        values = {name: float(value) for name, value in row.items()}
        hidden = values.pop("hidden")
        if hidden:
            self._note(f"the states of {hidden:.0f} connections of other users are hidden: grant pg_monitor")
        if time.monotonic() >= self._statements_due_s:
            self._statements_due_s = time.monotonic() + _STATEMENTS_EVERY_S
            self._write_statements(connection)
        server_cpu_s = self._server_cpu.read() if self._server_cpu else None
        of_server = {} if server_cpu_s is None else {"server_cpu_s": server_cpu_s}
        return values | of_server | self._count_calls(connection)

    def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def finish(self) -> None:
        with self._lines:
            try:
                if self._connection is not None:
                    self._write_statements(self._connection)
            finally:
                self.disconnect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=_APPLICATION,
            row_factory=dict_row,
            prepare_threshold=None,  # a pooler between may give each statement another connection
        )
        with _ending(connection, _REPLY_TIMEOUT_S):
            connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT_S}s'")
            found = connection.execute(_EXTENSION).fetchone()
            backend = connection.execute(_BACKEND).fetchone() or {}
        self._server_cpu = ServerCpu(backend["pid"], backend["port"])
        if found is None:
            self._note("pg_stat_statements is not installed in this database: no slowest statements")
            self._statements_sql = self._calls_sql = ""
        else:
            column = "total_exec_time" if found["version"] >= _TIME_RENAMED_IN else "total_time"
            self._statements_sql = _STATEMENTS.format(schema=found["schema"], time=column)
            self._texts_sql = _TEXTS.format(schema=found["schema"])
            self._calls_sql = _CALLS.format(schema=found["schema"])
            self._own_sql = _OWN_STATEMENTS.format(schema=found["schema"])
        return connection

    def _count_calls(self, connection: psycopg.Connection[dict[str, Any]]) -> dict[str, float]:
        if not self._calls_sql:
            return {}
        with self._reading_statements(connection):
            if len(self._own_ids) < _OWN_COUNT:  # one is known only after it has been asked
                self._own_ids = [row["queryid"] for row in connection.execute(self._own_sql).fetchall()]
            row = connection.execute(self._calls_sql, [self._own_ids]).fetchone()
            return row or {}
        return {}

    def _write_statements(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        if not self._statements_sql:
            return
        with self._reading_statements(connection):
            rows = connection.execute(self._statements_sql).fetchall()
            read_s = time.time()
            self._statements.update({row["id"]: (row["calls"], row["total_ms"]) for row in rows})
            unknown = self._statements.list_unnamed()
            if unknown or not self._own_ids:  # the first time, it says whether texts may be read at all
                found = connection.execute(self._texts_sql, [unknown]).fetchall()
                self._statements.name(unknown, {row["id"]: row["query"] for row in found})
                self._own_ids.clear()  # this one is ours, too
            self._lines.write(StatementReading(wall_s=read_s, statements=self._statements.list_totals()))

    @contextlib.contextmanager
    def _reading_statements(self, connection: psycopg.Connection[dict[str, Any]]) -> Iterator[None]:
        """What may not be read of the extension is not asked for again, and stops nothing else."""
        try:
            with _ending(connection, _REPLY_TIMEOUT_S):
                yield
        except psycopg.Error as error:
            if connection.closed:
                raise
            self._note(f"pg_stat_statements cannot be read: {error}")
            self._statements_sql = self._calls_sql = ""


@contextlib.contextmanager
def _ending(connection: psycopg.Connection[Any], timeout_s: float) -> Iterator[None]:
    """Cut the connection after ``timeout_s``: libpq would wait for a server that hangs without end."""
    with socket.socket(fileno=socket.dup(connection.fileno())) as sock:
        timer = threading.Timer(timeout_s, sock.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
