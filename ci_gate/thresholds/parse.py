"""Parses the text of a thresholds.yaml into values, or reports all of its Problems at once.

A new key is an entry in thresholds.schema.json (its form, and the words of its Problems), a field in `values`
and a line where its value is converted below; a rule between values goes into `rules`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ci_gate.addresses import hide_credentials
from ci_gate.errors import BadInputError
from ci_gate.thresholds.locust_settings import AUTO, LocustSettings
from ci_gate.thresholds.metrics import DEFAULT_CPU_OF, FAILURES, SUCCESSES, Metric, metric_of, worst_window
from ci_gate.thresholds.quantities import (
    parse_bytes,
    parse_duration_s,
    parse_percentage,
    parse_rate_per_s,
    parse_share,
)
from ci_gate.thresholds.rules import find_rule_problems
from ci_gate.thresholds.service import (
    DEFAULT_COMMAND_TIMEOUT,
    DEFAULT_PORT,
    SERVICE_KINDS,
    MetricsPage,
    Needs,
    Probes,
    Ready,
    Service,
)
from ci_gate.thresholds.shape import find_shape_problems
from ci_gate.thresholds.values import (
    ALL_ENDPOINTS,
    DEFAULT_COMPARE_LOAD,
    DEFAULT_FAILURES,
    DEFAULT_LOOSENING_LABEL,
    OVER,
    WORST,
    Accepted,
    Compare,
    Limit,
    Profile,
    Relaxed,
    Scenario,
    Thresholds,
    Tolerance,
    UserCount,
)
from ci_gate.thresholds.yaml.source import Position, Section, read_yaml
from ci_gate.wording import format_exact


def parse_thresholds(text: str, file: str) -> Thresholds:
    """The thresholds that ``text`` holds. ``file`` is the name that Problems carry; no file is opened.

    Raises BadInputError with every Problem of the text. No text raises anything else.
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
        sha256=hashlib.sha256(hide_credentials(text).encode()).hexdigest(),
        service=_service(root.section("service")),
        probes=_probes(root.section("probes")),
        profiles=tuple(_profile(profile) for profile in root.sections("profiles")),
        scenarios=tuple(_scenario(scenario, root) for scenario in root.sections("scenarios")),
        on_inconclusive=root.get("on_inconclusive", "warn"),
        compare=_compare(root.section("compare")),
        processes=_processes(root.section("generator")),
        loosening_label=root.section("changes").section("loosening").get("label", DEFAULT_LOOSENING_LABEL),
    )


def _processes(generator: Section) -> int | None:
    processes = generator.get("processes", 1)
    return None if processes == AUTO else int(processes)


def _compare(compare: Section) -> Compare:
    return Compare(
        max_duration_s=parse_duration_s(compare.get("max_duration", "2m")),
        alpha=parse_share(compare.get("alpha", "1%")),
        confirm=compare.get("confirm", True),
        scatter=tuple(
            (metric_of(name), parse_share(text)) for name, text in compare.section("scatter").data.items()
        ),
    )


def _service(service: Section) -> Service:
    kind = next(kind for kind in SERVICE_KINDS if kind in service.data)
    memory = service.get("memory")
    cpus = service.get("cpus")
    default_port = None if kind == "command" else DEFAULT_PORT
    port = service.get("port", default_port)
    return Service(
        kind=kind,
        target=service.get(kind).strip(),
        ready=_ready(service),
        ready_timeout_s=parse_duration_s(service.get("ready_timeout", "60s")),
        port=int(port) if port is not None else None,
        env=tuple(service.section("env").data.items()),
        needs=_needs(service.section("needs")),
        before_start=_command(service, "before_start"),
        before_start_timeout_s=_command_timeout_s(service, "before_start_timeout"),
        before_each=_command(service, "before_each"),
        before_each_timeout_s=_command_timeout_s(service, "before_each_timeout"),
        processes=tuple((name, text.strip()) for name, text in service.section("processes").data.items()),
        ca=service.get("ca"),
        cpus=float(cpus) if cpus is not None else None,
        memory_bytes=parse_bytes(memory) if memory is not None else None,
        at=service.at,
    )


def _ready(service: Section) -> Ready:
    ready = service.section("ready")
    if not ready.data:
        return Ready(path=service.get("ready", "/"))
    return Ready(
        path=ready.get("path"),
        statuses=tuple(int(status) for status in ready.get("status", ())),
        command=_command(ready, "command"),
    )


def _needs(needs: Section) -> Needs | None:
    if not needs.data:
        return None
    return Needs(
        compose=needs.get("compose"),
        services=tuple(needs.get("services")),
        per_side=needs.get("per_side", False),
        timeout_s=parse_duration_s(needs.get("timeout", DEFAULT_COMMAND_TIMEOUT)),
    )


def _command(section: Section, key: str) -> str | None:
    text = section.get(key)
    return text.strip() if text is not None else None


def _command_timeout_s(service: Section, key: str) -> float:
    return parse_duration_s(service.get(key, DEFAULT_COMMAND_TIMEOUT))


def _probes(probes: Section) -> Probes:
    page = probes.section("metrics")
    metrics = tuple((role, metric) for role, metric in page.data.items() if role != "path")
    return Probes(
        addresses=tuple((probe, text) for probe, text in probes.data.items() if probe != "metrics"),
        metrics=MetricsPage(path=page.get("path"), metrics=metrics) if page.data else None,
        at=probes.at if probes.data else None,
    )


def _profile(profile: Section) -> Profile:
    return Profile(
        name=profile.name,
        duration_s=parse_duration_s(profile.get("duration")),
        warmup_s=parse_duration_s(profile.get("warmup", "0s")),
    )


def _scenario(scenario: Section, root: Section) -> Scenario:
    return Scenario(
        name=scenario.name,
        locust=read_locust_settings(scenario),
        users=tuple(
            UserCount(user_class=name, count=int(count), at=at) for name, count, at in scenario.items("users")
        ),
        spawn_rate=float(scenario.get("spawn_rate", 1)),
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
            Tolerance(metric=metric_of(name), ratio=parse_percentage(text), at=at)
            for name, text, at in scenario.items("regression")
        ),
        compare_load=parse_share(scenario.get("compare_load", DEFAULT_COMPARE_LOAD)),
        at=scenario.at,
        cpu_of=tuple(root.get("cpu_of", DEFAULT_CPU_OF)),
        trace=scenario.get("trace", False),
        trace_link=root.get("trace_link"),
    )


def read_locust_settings(scenario: Section) -> LocustSettings:
    """Those of a scenario's section, whose values have the right form."""
    files = scenario.get("locustfile")
    return LocustSettings(
        locustfiles=(files,) if isinstance(files, str) else tuple(files),
        directory=scenario.get("directory", "").rstrip("/"),
        env=tuple(scenario.section("env").data.items()),
        args=tuple(scenario.get("args", ())),
        tags=tuple(scenario.get("tags", ())),
        exclude_tags=tuple(scenario.get("exclude_tags", ())),
        host=scenario.get("host"),
        shape=scenario.get("shape"),
    )


def _limits(limits: Section) -> Iterator[Limit]:
    for endpoint in limits.data:
        for name, text, at in limits.items(endpoint):
            if name == WORST:
                yield from _worst_limits(endpoint, limits.section(endpoint).section(WORST))
            else:
                yield _limit(endpoint, metric_of(name), text, at)
    if not {FAILURES.name, SUCCESSES.name} & set(limits.section(ALL_ENDPOINTS).data):
        yield _limit(ALL_ENDPOINTS, FAILURES, DEFAULT_FAILURES, None)


def _worst_limits(endpoint: str, worst: Section) -> Iterator[Limit]:
    over_s = parse_duration_s(worst.get(OVER))
    for name, text in worst.data.items():
        if name != OVER:
            yield _limit(endpoint, worst_window(metric_of(name), over_s), text, worst.section(name).at)


def _limit(endpoint: str, metric: Metric, value: str | float, at: Position | None) -> Limit:
    text = value if isinstance(value, str) else format_exact(value)
    return Limit(endpoint=endpoint, metric=metric, bound=metric.unit.parse(text), text=text, at=at)
