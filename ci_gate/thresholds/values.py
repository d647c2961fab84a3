"""The frozen values that thresholds.yaml is parsed into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from ci_gate.thresholds.locust_settings import LocustSettings
from ci_gate.thresholds.metrics import DEFAULT_CPU_OF, FAILURES, SUCCESSES, Metric
from ci_gate.thresholds.service import Probes, Service
from ci_gate.thresholds.yaml.source import Position

DEFAULT_FILE = "thresholds.yaml"
"""Where a repository has its thresholds, unless an option names another file."""

ALL_ENDPOINTS = "all"
"""The pseudo-endpoint whose limits are judged on all requests of a scenario together."""

WORST, OVER = "worst", "over"
"""The keys of limits on the worst window of the steady phase, and of how long such a window is."""

DEFAULT_FAILURES = "1%"
"""The limit on ``all`` of a scenario that has none on failures; ``failures: 100%`` removes it."""

DEFAULT_COMPARE_LOAD = "50%"
"""The share of the load that base and head each get: together, the load of one run."""

DEFAULT_LOOSENING_LABEL = "thresholds-approved"
"""The label that approves loosened thresholds where base's thresholds.yaml names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An absolute ceiling or floor on head; ``at`` is None for a default that stands in no file.

    ``bound`` is in ms, a share from 0 to 1, or per second; ``text`` is as the user wrote it (``200ms``).
    """

    endpoint: str
    metric: Metric
    bound: float
    text: str
    at: Position | None

    @property
    def exact_bound(self) -> Fraction:
        """The bound as the exact decimal of the file; its 15 digits or fewer survive in a float."""
        return Fraction(repr(self.bound))

    @property
    def max_failures(self) -> Fraction | None:
        """The share of requests that may fail: ``successes: 99%`` is another way to write ``failures: 1%``.

        None for a limit on something else.
        """
        if self.metric == SUCCESSES:
            return 1 - self.exact_bound
        return self.exact_bound if self.metric == FAILURES else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse head may be than base: 0.1 is 10 %."""

    metric: Metric
    ratio: float
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Error statuses that count as success for one endpoint."""

    endpoint: str
    statuses: tuple[int, ...]
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """A validity rule whose findings have the severity info in this scenario."""

    code: str
    reason: str
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCount:
    """How many users of one class run. Classes that are not named do not run."""

    user_class: str
    count: int
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One workload and the limits it must keep."""

    name: str
    locust: LocustSettings
    users: tuple[UserCount, ...]  # none where a shape says how many
    spawn_rate: float  # users per second; 1 where a shape says it
    arrivals_per_s: float | None  # tasks begun per second; None: a closed workload, users wait by themselves
    ramp_s: float  # how long arrivals take to rise to their rate
    accept: tuple[Accepted, ...]
    expected: tuple[str, ...]  # endpoints that must be called and succeed, beside those in limits and accept
    relax: tuple[Relaxed, ...]
    limits: tuple[Limit, ...]
    regression: tuple[Tolerance, ...]
    compare_load: float  # share of the load that base and head each bear while they are compared
    at: Position
    cpu_of: tuple[str, ...] = DEFAULT_CPU_OF  # the file's: whose CPU counts for each success
    trace: bool = False  # each request carries a trace id
    trace_link: str | None = None  # the file's, with {trace_id} in it
    peak_users: int | None = None  # of a shape, where an option of the run scales it; None: as it asks itself

    @property
    def locustfile(self) -> str:
        """All its files and folders in one text."""
        return self.locust.name

    @property
    def user_count(self) -> int:
        """Users of all classes together."""
        return sum(user.count for user in self.users)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that the scenario names, each once, in order of appearance, without ``all``."""
        named = [*(x.endpoint for x in self.limits), *(x.endpoint for x in self.accept), *self.expected]
        return tuple(dict.fromkeys(name for name in named if name != ALL_ENDPOINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How long a scenario runs: its steady phase, and the warm-up after the last user has started."""

    name: str
    duration_s: float
    warmup_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """How head is compared: the longest steady phase, the share of false alarms, whether a red is confirmed.

    ``confirm``: what would block is compared again, from fresh starts. ``scatter``, by metric: the standard
    deviation of the ratio of two starts of one version; else that of `ci_gate.judge.compare.scatter`.
    """

    max_duration_s: float
    alpha: float
    confirm: bool = True
    scatter: tuple[tuple[Metric, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A whole thresholds.yaml. ``sha256`` is of its text, and names the file in the evidence."""

    file: str
    text: str
    sha256: str
    service: Service
    probes: Probes
    profiles: tuple[Profile, ...]
    scenarios: tuple[Scenario, ...]
    on_inconclusive: Literal["warn", "block"]
    compare: Compare  # alpha is of a whole run
    processes: int | None  # of Locust that share the users; None: as many as the machine has CPUs for
    loosening_label: str  # of a pull request; counts as it stands in base

    def profile(self, name: str) -> Profile | None:
        """The profile of this name, None where there is none."""
        return next((profile for profile in self.profiles if profile.name == name), None)

    @property
    def compare_scenario(self) -> Compare:
        """The budget of one scenario: alpha is shared evenly among those that are compared."""
        compared = sum(1 for scenario in self.scenarios if scenario.regression)
        return replace(self.compare, alpha=self.compare.alpha / max(compared, 1))

    def scenario(self, name: str) -> Scenario | None:
        """The scenario of this name, None where there is none."""
        return next((scenario for scenario in self.scenarios if scenario.name == name), None)
