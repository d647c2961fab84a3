"""What is wrong in each case, which cause must be named first, and what else is true there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.diagnoses.documents import Write, leaking, reference, reference_image, small

DEPLOYMENTS: Final = "concurrent-deployments"
APPROVALS: Final = "cab-approvals"
CONNECTORS: Final = "connector-scaling"
BURST: Final = "burst-load"
GUNICORN: Final = "{tools}/gunicorn --workers 2 --log-level warning --bind 127.0.0.1:{port} items_wsgi:app"
UVICORN: Final = "{tools}/uvicorn --log-level warning --no-access-log --port {port} items_asgi:app"
DROP_INDEX: Final = "DROP INDEX items_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``first``: the causes of which one must be named first, none where nothing is wrong.

    Any other cause that is named is an invention, but for ``also``, which is true, too.
    """

    name: str
    about: str
    head: Write
    first: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    base: Write | None = None  # compared with it; else head is alone
    head_statement: str = ""  # executed in head's database before the run
    max_connections: int | None = None  # of a PostgreSQL of its own
    strangers: int = 0  # programs that take what they get of the machine
    needs_engine: bool = False


CASES: Final = (
    Case(
        name="pool",
        about="a pool of one connection, held 25 ms after its last statement",
        head=reference(DEPLOYMENTS, "tiny_pool"),
        first=("connection-pool",),
    ),
    Case(
        name="n-plus-one",
        about="40 statements for each row, which only the database counts",
        head=reference(APPROVALS, "n_plus_one", has_metrics=False),
        base=reference(APPROVALS, has_metrics=False),
        first=("n-plus-one",),
        also=("service-cpu",),
    ),
    Case(
        name="connections",
        about="a PostgreSQL of 20 connections for a pool of 100",
        head=reference(DEPLOYMENTS, "open_transaction"),
        max_connections=20,
        first=("database-connections",),
        also=("open-transaction",),
    ),
    Case(
        name="listen-queue",
        about="gunicorn's two sync workers, 50 ms a request, 1,000 users",
        head=small(GUNICORN, "PatientUser", 1000, env={"WAIT_S": "0.05"}),
        first=("listen-queue",),
    ),
    Case(
        name="open-transaction",
        about="transactions stay open for 600 ms",
        head=reference(DEPLOYMENTS, "open_transaction"),
        first=("open-transaction",),
    ),
    Case(
        name="cpu",
        about="5 ms more CPU a request on the one event loop",
        head=reference(BURST, "extra_cpu"),
        first=("service-cpu",),
    ),
    Case(
        name="lock",
        about="every writer locks the same row for 25 ms",
        head=reference(CONNECTORS, "lock_contention"),
        first=("lock-contention",),
        also=("connection-pool",),  # who has the lock idles in its transaction: one of five connections
    ),
    Case(
        name="dependency",
        about="each POST waits 600 ms without a connection and without CPU",
        head=reference(DEPLOYMENTS, "slow_dependency"),
        first=("slow-dependency",),
    ),
    Case(
        name="quota",
        about="a container with a fifth of a core",
        head=reference_image(CONNECTORS, cpus=0.2),
        first=("cpu-quota",),
        needs_engine=True,
    ),
    Case(
        name="memory",
        about="a container of 64 MiB that keeps 100 kB of each request, until the kernel ends it",
        head=leaking(100_000, "64MiB", 20),
        first=("memory",),
        also=("service-ended",),
        needs_engine=True,
    ),
    Case(
        name="generator",
        about="users that compute 8 ms in Locust for each reply of a quick service",
        head=small(UVICORN, "BurningUser", 40, limits={"all": {"p50": "50ms"}}),
        first=("generator",),
    ),
    Case(
        name="foreign",
        about="eight programs of somebody else on the machine, beside a healthy service",
        head=reference(CONNECTORS, limits={"all": {"p50": "5ms"}}),
        strangers=8,
        first=("host-cpu",),
        also=("generator",),
    ),
    Case(
        name="stall",
        about="a blocking call of 1.5 s in the event loop, after every 2.5 s",
        head=small(UVICORN, "ItemUser", 20, env={"STALL_S": "1.5"}, limits={"all": {"p95": "200ms"}}),
        first=("stall",),
    ),
    Case(
        name="slow-endpoint",
        about="one endpoint of two waits 400 ms",
        head=small(
            UVICORN, "ReportUser", 10, env={"REPORT_S": "0.4"}, limits={"GET /report": {"p50": "100ms"}}
        ),
        first=("slow-endpoint",),
    ),
    Case(
        name="statement-growth",
        about="head's database has lost an index of 60,000 rows",
        head=small(GUNICORN, "ItemUser", 10),
        base=small(GUNICORN, "ItemUser", 10),
        head_statement=DROP_INDEX,
        first=("statement-growth",),
        also=("database-cpu",),  # it reads all rows for each
    ),
    Case(
        name="healthy gunicorn",
        about="two sync workers, 100 requests/s",
        head=small(GUNICORN, "ItemUser", 20),
    ),
    Case(name="healthy uvicorn", about="one event loop, 100 requests/s", head=small(UVICORN, "ItemUser", 20)),
    Case(
        name="healthy node",
        about="Node without a database, 100 requests/s",
        head=small("node items.js {port}", "ItemUser", 20, has_database=False),
    ),
    Case(name="healthy deployments", about=DEPLOYMENTS, head=reference(DEPLOYMENTS)),
    Case(name="healthy approvals", about=APPROVALS, head=reference(APPROVALS)),
    Case(name="healthy connectors", about=CONNECTORS, head=reference(CONNECTORS)),
    Case(
        name="full burst",
        about="1,000 users of the healthy service, who offer twice what its one process can serve",
        head=reference(BURST),
        first=("service-cpu",),
    ),
    Case(
        name="pool unseen",
        about="the pool of one connection, where nothing shows that there is a pool",
        head=reference(DEPLOYMENTS, "tiny_pool", has_metrics=False),
        first=("unknown", "open-transaction"),
    ),
    Case(
        name="open-transaction unseen",
        about="transactions stay open, the service's own page is not probed",
        head=reference(DEPLOYMENTS, "open_transaction", has_metrics=False),
        first=("open-transaction",),
    ),
    Case(
        name="n-plus-one by its metric",
        about="40 statements for each row, which the service counts, too",
        head=reference(APPROVALS, "n_plus_one"),
        base=reference(APPROVALS),
        first=("n-plus-one",),
        also=("service-cpu", "connection-pool"),
    ),
    Case(
        name="throttle",
        about="10 requests/s of one address",
        head=reference(DEPLOYMENTS, "throttle"),
        first=("throttle",),
    ),
    Case(
        name="login",
        about="every login is refused",
        head=reference(APPROVALS, "login_broken"),
        first=("failing-replies",),
    ),
    Case(
        name="routes",
        about="every route but login is missing",
        head=reference(CONNECTORS, "routes_missing"),
        first=("failing-replies",),
    ),
    Case(
        name="slow start",
        about="not ready within ready_timeout",
        head=reference(APPROVALS, "slow_start", service={"ready_timeout": "4s"}),
        first=("not-started",),
    ),
    Case(
        name="crash",
        about="the process ends at its 501st request",
        head=reference(DEPLOYMENTS, "crash_after"),
        first=("service-ended",),
    ),
    Case(
        name="error pages",
        about="5 % of the replies are 500",
        head=reference(DEPLOYMENTS, "debug_error_pages"),
        first=("failing-replies",),
    ),
)
