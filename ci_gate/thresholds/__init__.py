"""thresholds.yaml as frozen values; a file with mistakes is refused with all of its Problems at once."""

from ci_gate.thresholds.metrics import FAILURES, RATE, SUCCESSES, Metric, metric_of
from ci_gate.thresholds.parse import parse_thresholds
from ci_gate.thresholds.shape import schema_text
from ci_gate.thresholds.values import (
    ALL_ENDPOINTS,
    DEFAULT_FAILURES,
    DEFAULT_FILE,
    DEFAULT_PORT,
    PLACEHOLDERS,
    SERVICE_KINDS,
    Accepted,
    Compare,
    Limit,
    MetricsPage,
    Probes,
    Profile,
    Relaxed,
    Scenario,
    Service,
    ServiceKind,
    Thresholds,
    Tolerance,
    UserCount,
)
from ci_gate.thresholds.yaml.source import Position

__all__ = [
    "ALL_ENDPOINTS",
    "DEFAULT_FAILURES",
    "DEFAULT_FILE",
    "DEFAULT_PORT",
    "FAILURES",
    "PLACEHOLDERS",
    "RATE",
    "SERVICE_KINDS",
    "SUCCESSES",
    "Accepted",
    "Compare",
    "Limit",
    "Metric",
    "MetricsPage",
    "Position",
    "Probes",
    "Profile",
    "Relaxed",
    "Scenario",
    "Service",
    "ServiceKind",
    "Thresholds",
    "Tolerance",
    "UserCount",
    "metric_of",
    "parse_thresholds",
    "schema_text",
]
