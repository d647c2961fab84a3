"""Every probe: its name, where it may ask, what it reads and how that is drawn. A new probe is a row here.

A row with ``schemes`` has an address in thresholds.yaml; its ``module`` in `ci_gate.measure.probes` asks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

LineColour = Literal["bad", "blue", "orange", "teal", "purple", "pink", "grey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLine:
    """One value of a probe in a chart; of a counter, what it grew by in a second."""

    value: str
    label: str
    colour: LineColour
    is_dashed: bool = False
    is_filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChart:
    """A group of a timeline's series, drawn as one chart."""

    group: str
    title: str
    y_label: str
    lines: tuple[ProbeLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeKind:
    """One probe. Counters are written as the server counts them: a rate is the difference of two readings."""

    name: str
    gauges: tuple[str, ...]
    counters: tuple[str, ...]
    charts: tuple[ProbeChart, ...]
    schemes: tuple[str, ...] = ()  # of its address; empty: it has none of its own
    module: str = ""  # in ci_gate.measure.probes


PROBE_KINDS: Final = (
    ProbeKind(  # each role that thresholds.yaml names and the page shows, summed over labels
        name="service",
        gauges=("pool_size", "pool_in_use", "pool_waiting", "workers", "workers_busy", "in_progress"),
        counters=("pool_waits", "pool_wait_seconds", "pool_timeouts", "statements", "throttled", "requests"),
        charts=(
            ProbeChart(
                group="pool",
                title="Connection pool",
                y_label="connections; waiting: requests",
                lines=(
                    ProbeLine(value="pool_size", label="size", colour="grey", is_dashed=True),
                    ProbeLine(value="pool_in_use", label="in use", colour="blue", is_filled=True),
                    ProbeLine(value="pool_waiting", label="waiting for one", colour="bad", is_filled=True),
                ),
            ),
            ProbeChart(
                group="workers",
                title="Workers",
                y_label="workers; in progress: requests",
                lines=(
                    ProbeLine(value="workers", label="workers", colour="grey", is_dashed=True),
                    ProbeLine(value="workers_busy", label="busy", colour="blue"),
                    ProbeLine(value="in_progress", label="requests in progress", colour="orange"),
                ),
            ),
        ),
    ),
    ProbeKind(  # the backends of the current database, without the probe's own
        name="postgres",
        schemes=("postgres", "postgresql"),
        module="postgres",
        gauges=(
            "connections_active",
            "connections_idle",
            "connections_idle_in_transaction",
            "connections_total",  # of the whole server
            "max_connections",  # of the whole server
            "reserved_connections",  # of these, for administrators; 0 where the database has sessions of one
            "on_cpu",  # active and waiting for nothing
            "waiting_lock",  # active, by what they wait for
            "waiting_lwlock",
            "waiting_io",
            "waiting_client",
            "waiting_other",
            "blocked",  # that asked for a lock they have not got
            "longest_transaction_s",
            "server_started_s",  # with the next, which database it is
            "database_oid",
        ),
        counters=(
            "commits",
            "rollbacks",
            "deadlocks",
            "blocks_read",
            "blocks_hit",
            "statement_calls",  # of this database, by pg_stat_statements
            "server_cpu_s",  # CPU seconds of all processes of the server, where it runs on this machine
        ),
        charts=(
            ProbeChart(
                group="sessions",
                title="Database sessions",
                y_label="sessions",
                lines=(
                    ProbeLine(
                        value="max_connections", label="most of the server", colour="grey", is_dashed=True
                    ),
                    ProbeLine(value="connections_total", label="all of the server", colour="grey"),
                    ProbeLine(value="connections_active", label="active", colour="blue"),
                    ProbeLine(value="on_cpu", label="on CPU", colour="teal"),
                    ProbeLine(value="waiting_lock", label="waiting for a lock", colour="bad"),
                    ProbeLine(value="waiting_lwlock", label="waiting inside PostgreSQL", colour="purple"),
                    ProbeLine(value="waiting_io", label="waiting for disk", colour="orange"),
                    ProbeLine(
                        value="connections_idle_in_transaction",
                        label="idle in a transaction",
                        colour="grey",
                        is_dashed=True,
                    ),
                    ProbeLine(value="blocked", label="blocked by another", colour="pink", is_dashed=True),
                ),
            ),
        ),
    ),
    ProbeKind(  # the whole server, without the probe's own client
        name="redis",
        schemes=("redis", "rediss", "unix"),
        module="redis_info",
        gauges=("clients", "blocked_clients", "memory_bytes", "maxmemory_bytes"),  # 0: no maximum
        counters=("commands", "cpu_s", "evicted_keys", "hits", "misses"),
        charts=(
            ProbeChart(
                group="redis",
                title="Redis",
                y_label="commands per second; blocked: clients",
                lines=(
                    ProbeLine(value="commands", label="commands", colour="blue"),
                    ProbeLine(value="blocked_clients", label="blocked clients", colour="bad"),
                ),
            ),
        ),
    ),
)

ProbeName = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(kind.name for kind in PROBE_KINDS)})\Z")]
