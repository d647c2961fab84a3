"""What GET /metrics shows, in Prometheus' text format."""

from __future__ import annotations

import contextlib
import os
import struct
import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

_LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_ATTEMPTS, _PAUSE_S = 50, 0.01


class Metrics:
    """The service's counters, one instance a process; PROMETHEUS_MULTIPROC_DIR joins those of several."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "reference_requests", "Replies by endpoint and status.", ("endpoint", "status"), registry=registry
        )
        self._latency = Histogram(
            "reference_request_seconds",
            "Time from the request's arrival to the reply's last byte.",
            ("endpoint",),
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.in_progress = _gauge("reference_requests_in_progress", "Requests being served.", registry)
        self.pool_size = _gauge("reference_db_pool_size", "Connections that the pool may open.", registry)
        self.pool_in_use = _gauge("reference_db_pool_in_use", "Connections that do a unit of work.", registry)
        self.pool_waiting = _gauge("reference_db_pool_waiting", "Units that wait for a connection.", registry)
        self.pool_waits = Counter("reference_db_pool_waits", "Units that had to wait.", registry=registry)
        self.pool_timeouts = Counter(
            "reference_db_pool_timeouts", "Units that waited in vain.", registry=registry
        )
        self.pool_wait_s = Counter(
            "reference_db_pool_wait_seconds", "Time waited, summed.", registry=registry
        )
        self.statements = Counter("reference_db_statements", "Statements sent.", registry=registry)
        self.throttled = Counter("reference_throttled", "Replies 429.", ("scope",), registry=registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def observe(self, endpoint: str, status: int, duration_s: float) -> None:
        """Count one reply."""
        self._requests.labels(endpoint, str(status)).inc()
        self._latency.labels(endpoint).observe(duration_s)

    def render(self) -> bytes:
        """The text format; with several workers, the sums over all of them."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library has no annotation here
        for _ in range(_ATTEMPTS):
            # A worker that begins makes its file before it has written anything into it.
            with contextlib.suppress(struct.error):
                return generate_latest(shared)
            time.sleep(_PAUSE_S)
        return generate_latest(shared)


def _gauge(name: str, help_text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, help_text, registry=registry, multiprocess_mode="livesum")
