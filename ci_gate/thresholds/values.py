"""The frozen values that thresholds.yaml is parsed into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal, get_args

from ci_gate.thresholds.locust_settings import LocustSettings
from ci_gate.thresholds.metrics import DEFAULT_CPU_OF, Metric
from ci_gate.thresholds.yaml.source import Position

DEFAULT_FILE = "thresholds.yaml"
"""Where a repository has its thresholds, unless an option names another file."""

ALL_ENDPOINTS = "all"
"""The pseudo-endpoint whose limits are judged on all requests of a scenario together."""

WORST, OVER = "worst", "over"
"""The keys of limits on the worst window of the steady phase, and of how long such a window is."""

DEFAULT_FAILURES = "1%"
"""The limit on ``all`` of a scenario that has none on failures; ``failures: 100%`` removes it."""

DEFAULT_PORT = 8080
"""The port of a service in its container where the file names none."""

DEFAULT_COMMAND_TIMEOUT = "2m"
"""How long before_start and before_each may each take."""

DEFAULT_COMPARE_LOAD = "50%"
"""The share of the load that base and head each get: together, the load of one run."""

DEFAULT_LOOSENING_LABEL = "thresholds-approved"
"""The label that approves loosened thresholds where base's thresholds.yaml names none."""

PLACEHOLDERS = (
    "port",  # the free port that the service must listen on
    "url",  # the address at which the service is called
    "state",  # a fresh private directory, one per scenario and side
    "side",  # base or head
    "side_index",  # 0 for base, 1 for head: a Redis database of its own for each
)
"""What may stand in braces: in commands, probes, env, and a scenario's env, args and host; not ``${VAR}``."""


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


ServiceKind = Literal["command", "image", "dockerfile", "url"]
"""The keys of ``service`` that say how it is started; each has its row in `ci_gate.service.start`."""

SERVICE_KINDS: Final[tuple[ServiceKind, ...]] = get_args(ServiceKind)
_CONTAINERS: Final = frozenset({"image", "dockerfile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """When a service can serve: ``path`` answers, or ``command`` ends well, or else its port is open.

    A path answers well below 400 and with one of ``statuses``.
    """

    path: str | None = None
    statuses: tuple[int, ...] = ()
    command: str | None = None

    def __str__(self) -> str:
        """As reports name it: ``/healthz (401 too)``, ``tcp``, ``command: ./ready``."""
        if self.command is not None:
            return f"command: {self.command}"
        if self.path is None:
            return "tcp"
        return self.path + (f" ({', '.join(map(str, self.statuses))} too)" if self.statuses else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What compose starts around the service: some services of a file, once, or once for each side."""

    compose: str
    services: tuple[str, ...]
    per_side: bool
    timeout_s: float  # until all of them are healthy


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the service under test is started, and when it is ready.

    ``kind`` says what ``target`` is: a command line with ``{port}``, an image reference, the path of a
    Dockerfile, or the URL of a service that already runs and is not stopped.
    """

    kind: ServiceKind
    target: str
    ready: Ready
    ready_timeout_s: float
    port: int | None  # inside its container; of a command see `fixed_port`
    env: tuple[tuple[str, str], ...]  # unexpanded: ${VAR} and ${VAR:-default} are resolved when it starts
    needs: Needs | None
    before_start: str | None  # command that makes what the service needs before it can start
    before_start_timeout_s: float
    before_each: str | None  # command that resets state before each scenario
    before_each_timeout_s: float
    processes: tuple[tuple[str, str], ...]  # names and commands of what runs beside the service's own command
    ca: str | None  # path of the certificates that the service's own is signed by; then it speaks https
    cpus: float | None  # container CPU limit
    memory_bytes: int | None  # container memory limit
    at: Position

    @property
    def is_container(self) -> bool:
        """Whether it runs in a container of ours."""
        return self.kind in _CONTAINERS

    @property
    def fixed_port(self) -> int | None:
        """The one port of this machine that it can listen on: two versions cannot run beside each other.

        None also for a command that is told where to listen: its ``port`` is then of the image that
        `ci-gate run --image` starts in its place.
        """
        texts = (self.target, *(value for _, value in self.env))
        is_told = any(placeholder in text for text in texts for placeholder in ("{port}", "{url}"))
        return self.port if self.kind == "command" and not is_told else None

    @property
    def commands(self) -> tuple[tuple[str, str], ...]:
        """Every command line that is run without a shell, by its key."""
        known = (
            ("command", self.target if self.kind == "command" else None),
            ("before_start", self.before_start),
            ("before_each", self.before_each),
            ("ready.command", self.ready.command),
            *((f"processes.{name}", text) for name, text in self.processes),
        )
        return tuple((key, text) for key, text in known if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage:
    """Which metrics of a page in Prometheus' text format are read, by the role that each has."""

    path: str
    metrics: tuple[tuple[str, str], ...]  # role such as "pool_in_use", then the name on the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What is read once a second during the load. Variables are not resolved yet, as in ``Service.env``."""

    addresses: tuple[tuple[str, str], ...]  # probe, then its connection string or URL; empty: off
    metrics: MetricsPage | None
    at: Position | None  # None: the file has no probes


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
