"""How thresholds.yaml says a service is started and watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from ci_gate.thresholds.yaml.source import Position

DEFAULT_PORT = 8080
"""The port of a service in its container where the file names none."""

DEFAULT_COMMAND_TIMEOUT = "2m"
"""How long before_start and before_each may each take."""

PLACEHOLDERS = (
    "port",  # the free port that the service must listen on
    "url",  # the address at which the service is called
    "state",  # a fresh private directory, one per scenario and side
    "side",  # base or head
    "side_index",  # 0 for base, 1 for head: a Redis database of its own for each
)
"""What may stand in braces: in commands, probes, env, and a scenario's env, args and host; not ``${VAR}``."""

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
