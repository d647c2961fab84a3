"""thresholds.yaml as frozen values. `parse_thresholds` makes them, or reports every Problem at once.

A new key is an entry in thresholds.schema.json (its form, and the words of its Problems), a field below and a
line where its value is converted; a rule between values goes into `thresholds_rules`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ci_gate.errors import BadInputError
from ci_gate.quantities import (
    parse_bytes,
    parse_duration_ms,
    parse_duration_s,
    parse_percentage,
    parse_rate_per_s,
    parse_share,
)
from ci_gate.thresholds_rules import find_rule_problems
from ci_gate.thresholds_schema import find_shape_problems
from ci_gate.thresholds_schema import schema_text as schema_text  # noqa: PLC0414  part of this interface
from ci_gate.yaml_source import Position as Position  # noqa: PLC0414  part of this interface
from ci_gate.yaml_source import Section, read_yaml

ALL_ENDPOINTS = "all"
"""The pseudo-endpoint whose limits are judged on all requests of a scenario together."""

DEFAULT_FAILURES = "1%"
"""The limit on ``all`` where a scenario says nothing about its failures; ``failures: 100%`` lifts it."""

DEFAULT_LOOSENING_LABEL = "thresholds-approved"
"""The label that approves a loosening where base's thresholds.yaml names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An absolute ceiling or floor on head.

    ``bound`` is in ms for latencies, a share from 0 to 1 for failures and successes, per second for rate.
    ``text`` is the bound as the user wrote it (``200ms``).
    ``at`` is None for a default that stands in no file.
    """

    endpoint: str
    metric: str  # "p50", "p99.9", "failures", "successes" or "rate"
    bound: float
    text: str
    at: Position | None

    @property
    def is_floor(self) -> bool:
        """True where a measured value below the bound is the breach."""
        return self.metric in {"rate", "successes"}

    @property
    def quantile(self) -> float | None:
        """0.99 for p99; None where the metric is no percentile."""
        return float(Decimal(self.metric[1:]) / 100) if self.metric[0] == "p" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse head may be than base: 0.1 is 10 %."""

    metric: str
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
    """A validity rule that is only a note in this scenario."""

    code: str
    reason: str
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCount:
    """How many users of one class run. Nothing else may run."""

    user_class: str
    count: int
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One workload and what is acceptable under it."""

    name: str
    locustfile: str
    users: tuple[UserCount, ...]
    spawn_rate: float  # users per second
    arrivals_per_s: float | None  # tasks begun per second; None: a closed workload, users wait by themselves
    ramp_s: float  # how long arrivals take to rise to their rate
    accept: tuple[Accepted, ...]
    expected: tuple[str, ...]  # endpoints that must be called and succeed, beside those in limits and accept
    relax: tuple[Relaxed, ...]
    limits: tuple[Limit, ...]
    regression: tuple[Tolerance, ...]
    at: Position

    @property
    def user_count(self) -> int:
        return sum(user.count for user in self.users)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint that the scenario names, in order of appearance, without ``all``."""
        named = [*(x.endpoint for x in self.limits), *(x.endpoint for x in self.accept), *self.expected]
        return tuple(dict.fromkeys(name for name in named if name != ALL_ENDPOINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How long a scenario runs: the steady phase, and the warm-up between the last spawn and it."""

    name: str
    duration_s: float
    warmup_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the service under test is started, and when it is ready.

    ``kind`` says what ``target`` is: a command line with ``{port}``, an image reference, the path of a
    Dockerfile, or the URL of a service that already runs and is not ours to stop.
    """

    kind: Literal["command", "image", "dockerfile", "url"]
    target: str
    ready: str  # path that answers below 400 once the service can serve
    ready_timeout_s: float
    port: int  # the port the service listens on inside its container; unused by the other kinds
    env: tuple[tuple[str, str], ...]  # unexpanded: ${VAR} and ${VAR:-default} are resolved when it starts
    before_each: str | None  # command that resets state before each scenario
    cpus: float | None  # container CPU limit
    memory_bytes: int | None  # container memory limit
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The budget of a comparison: its longest steady phase, and its share of false alarms."""

    max_duration_s: float
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A whole thresholds.yaml. ``sha256`` is of its text, so that evidence can say what it was judged by."""

    file: str
    text: str
    sha256: str
    service: Service
    profiles: tuple[Profile, ...]
    scenarios: tuple[Scenario, ...]
    on_inconclusive: Literal["warn", "block"]
    compare: Compare  # alpha is of a whole run
    loosening_label: str  # of a pull request; counts as it stands in base

    def profile(self, name: str) -> Profile | None:
        return next((profile for profile in self.profiles if profile.name == name), None)

    @property
    def compare_scenario(self) -> Compare:
        """The budget of one scenario: alpha is shared evenly among those that are compared."""
        compared = sum(1 for scenario in self.scenarios if scenario.regression)
        return Compare(
            max_duration_s=self.compare.max_duration_s, alpha=self.compare.alpha / max(compared, 1)
        )

    def scenario(self, name: str) -> Scenario | None:
        return next((scenario for scenario in self.scenarios if scenario.name == name), None)


def parse_thresholds(text: str, file: str) -> Thresholds:
    """Read a thresholds.yaml. ``file`` only names it in Problems; nothing is opened.

    Raises BadInputError with every Problem of the text, whatever the text is.
    """
    source = read_yaml(text, file)
    shape_problems, wrong = find_shape_problems(source)
    # What could not be read as YAML was replaced by nothing, so that its shape is wrong as well: say it once.
    reported = {(problem.line, problem.column) for problem in source.problems}
    problems = {problem for problem in shape_problems if (problem.line, problem.column) not in reported}
    problems |= {*source.problems, *find_rule_problems(source.without(wrong).root())}
    if problems:
        raise BadInputError(*problems)
    root = source.root()
    return Thresholds(
        file=file,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        service=_service(root.section("service")),
        profiles=tuple(_profile(profile) for profile in root.sections("profiles")),
        scenarios=tuple(_scenario(scenario) for scenario in root.sections("scenarios")),
        on_inconclusive=root.get("on_inconclusive", "warn"),
        compare=_compare(root.section("compare")),
        loosening_label=root.section("changes").section("loosening").get("label", DEFAULT_LOOSENING_LABEL),
    )


def _compare(compare: Section) -> Compare:
    return Compare(
        max_duration_s=parse_duration_s(compare.get("max_duration", "2m")),
        alpha=parse_share(compare.get("alpha", "1%")),
    )


def _service(service: Section) -> Service:
    kinds: tuple[Literal["command", "image", "dockerfile", "url"], ...] = (
        "command",
        "image",
        "dockerfile",
        "url",
    )
    kind = next(kind for kind in kinds if kind in service.data)
    before_each = service.get("before_each")
    memory = service.get("memory")
    cpus = service.get("cpus")
    return Service(
        kind=kind,
        target=service.get(kind).strip(),
        ready=service.get("ready", "/"),
        ready_timeout_s=parse_duration_s(service.get("ready_timeout", "60s")),
        port=int(service.get("port", 8080)),
        env=tuple(service.section("env").data.items()),
        before_each=before_each.strip() if before_each is not None else None,
        cpus=float(cpus) if cpus is not None else None,
        memory_bytes=parse_bytes(memory) if memory is not None else None,
        at=service.at,
    )


def _profile(profile: Section) -> Profile:
    return Profile(
        name=profile.name,
        duration_s=parse_duration_s(profile.get("duration")),
        warmup_s=parse_duration_s(profile.get("warmup", "0s")),
    )


def _scenario(scenario: Section) -> Scenario:
    return Scenario(
        name=scenario.name,
        locustfile=scenario.get("locustfile"),
        users=tuple(
            UserCount(user_class=name, count=int(count), at=at) for name, count, at in scenario.items("users")
        ),
        spawn_rate=float(scenario.get("spawn_rate")),
        arrivals_per_s=parse_rate_per_s(scenario.get("arrivals")) if "arrivals" in scenario.data else None,
        ramp_s=parse_duration_s(scenario.get("ramp", "0s")),
        accept=tuple(
            Accepted(endpoint=name, statuses=tuple(int(status) for status in statuses), at=at)
            for name, statuses, at in scenario.items("accept")
        ),
        expected=tuple(scenario.get("expected", ())),
        relax=tuple(Relaxed(code=code, reason=reason, at=at) for code, reason, at in scenario.items("relax")),
        limits=tuple(_limits(scenario.section("limits"))),
        regression=tuple(
            Tolerance(metric=metric, ratio=parse_percentage(text), at=at)
            for metric, text, at in scenario.items("regression")
        ),
        at=scenario.at,
    )


def _limits(limits: Section) -> Iterator[Limit]:
    for endpoint in limits.data:
        for metric, text, at in limits.items(endpoint):
            yield Limit(endpoint=endpoint, metric=metric, bound=_bound(metric, text), text=text, at=at)
    if not {"failures", "successes"} & set(limits.section(ALL_ENDPOINTS).data):
        bound = _bound("failures", DEFAULT_FAILURES)
        yield Limit(endpoint=ALL_ENDPOINTS, metric="failures", bound=bound, text=DEFAULT_FAILURES, at=None)


def _bound(metric: str, text: str) -> float:
    if metric == "rate":
        return parse_rate_per_s(text)
    return parse_share(text) if metric in {"failures", "successes"} else parse_duration_ms(text)
