"""Checks of thresholds.yaml that a JSON Schema cannot express, such as rules between two values.

Each rule reads plain data whose values have the right form but may be missing or None, and yields Problems.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ci_gate.errors import Problem
from ci_gate.thresholds.locust_settings import AUTO
from ci_gate.thresholds.metrics import CPU, FAILURES, MEMORY, METRICS, POSTGRES, STATEMENTS, SUCCESSES
from ci_gate.thresholds.placeholders import (
    PLACEHOLDER,
    find_broken_in,
    find_broken_variable,
    find_unknown_in,
    find_unknown_placeholders,
)
from ci_gate.thresholds.quantities import parse_duration_s, parse_share
from ci_gate.thresholds.service_rules import SERVICE_RULES, list_commands
from ci_gate.thresholds.shape import has_endpoint_form
from ci_gate.thresholds.values import ALL_ENDPOINTS, OVER, WORST
from ci_gate.thresholds.yaml.nodes import BAD_CHARACTER, quote
from ci_gate.thresholds.yaml.source import KeyPath, Section
from ci_gate.wording import format_exact

TODO = "TODO"
"""What a value begins with that `ci-gate init` could not see: it is a Problem until it is filled in."""

MAX_USERS = 1_000_000
MIN_COMPARE_S = 30.0
MIN_ALPHA, MAX_ALPHA = 0.0001, 0.2
MIN_COMPARE_LOAD = 0.01
MIN_OVER_S, MAX_OVER_S = 1.0, 3600.0
_RESOURCES = frozenset(name for name, metric in METRICS.items() if metric.is_resource)

_HTTP_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


def find_rule_problems(root: Section) -> set[Problem]:
    """A Problem for each broken rule. ``root`` has no value of a wrong form (see `find_shape_problems`)."""
    service = root.section("service")
    problems = {problem for rule in _SERVICE_RULES for problem in rule(service)}
    problems |= {*_check_compare(root.section("compare")), *_check_probes(root.section("probes"))}
    problems |= {*_check_resources(root), *_check_generator(root)}
    for scenario in root.sections("scenarios"):
        problems.update(problem for rule in _SCENARIO_RULES for problem in rule(scenario))
    return problems


def _check_todo(service: Section) -> Iterator[Problem]:
    for key, value in service.data.items():
        if isinstance(value, str) and value.startswith(TODO):
            message = f"{key!r} is still to be filled in: {value.removeprefix(TODO).strip()[:200]}"
            yield service.value_problem(key, message, "what is true of your service")


def _check_command_names_its_port(service: Section) -> Iterator[Problem]:
    if "port" in service.data:
        return
    command, env = service.get("command", "{port}"), service.section("env").data.values()
    named = {name for text in (command, *env) if isinstance(text, str) for name in PLACEHOLDER.findall(text)}
    if not {"port", "url"} & named:
        message = "'command' does not say where to listen"
        allowed = "{port} or {url} in it, or in a value of env; or 'port' beside it, if it has only one"
        yield service.value_problem("command", message, allowed)


def _check_placeholders(service: Section) -> Iterator[Problem]:
    env = service.section("env")
    for section, key in (*list_commands(service), *((env, name) for name in env.data)):
        yield from find_unknown_placeholders(section, key)


def _check_variables(service: Section) -> Iterator[Problem]:
    env = service.section("env")
    for section, key in ((service, "image"), (service, "url"), *((env, name) for name in env.data)):
        yield from find_broken_variable(section, key)


def _check_locust_texts(scenario: Section) -> Iterator[Problem]:
    env = scenario.section("env")
    texts: list[tuple[str, Section, KeyPath]] = [(env.get(name, ""), env, (name,)) for name in env.data]
    texts += [(word or "", scenario, ("args", index)) for index, word in enumerate(scenario.get("args", ()))]
    texts.append((scenario.get("host", ""), scenario, ("host",)))
    for text, section, path in texts:
        yield from find_unknown_in(text, section, path)
        yield from find_broken_in(text, section, path)


def _check_compare(compare: Section) -> Iterator[Problem]:
    duration, alpha = compare.get("max_duration"), compare.get("alpha")
    if duration is not None and parse_duration_s(duration) < MIN_COMPARE_S:
        message = f"'max_duration' cannot be {duration}: too few windows"
        yield compare.value_problem("max_duration", message, f"{format_exact(MIN_COMPARE_S)}s at least")
    if alpha is not None and not MIN_ALPHA <= parse_share(alpha) <= MAX_ALPHA:
        message = f"'alpha' cannot be {alpha}"
        yield compare.value_problem("alpha", message, f"{MIN_ALPHA:.2%} to {MAX_ALPHA:.0%}")
    if "scatter" in compare.data and compare.get("confirm", True) is False:
        message = "'scatter' is of 'confirm', which is false"
        yield compare.problem("scatter", message, "no scatter, or confirm: true")


def _check_generator(root: Section) -> Iterator[Problem]:
    """Each process has a user at least."""
    generator = root.section("generator")
    processes = generator.get("processes", 1)
    if processes in {1, AUTO}:
        return
    for scenario in root.sections("scenarios"):
        users = sum(count or 0 for count in scenario.section("users").data.values())
        if "shape" not in scenario.data and 0 < users < processes:
            message = f"'processes' cannot be {processes}: {quote(scenario.name)} has {int(users)} users"
            yield generator.value_problem("processes", message, "as many as each scenario has users, at most")


def _check_probes(probes: Section) -> Iterator[Problem]:
    for key in probes.data.keys() - {"metrics"}:
        yield from find_unknown_placeholders(probes, key)
        yield from find_broken_variable(probes, key)
    if set(probes.section("metrics").data) == {"path"}:
        allowed = "at least one role, such as pool_in_use: shop_db_pool_in_use"
        yield probes.problem("metrics", "'metrics' names no metric to read", allowed)


def _check_total_users(scenario: Section) -> Iterator[Problem]:
    total = int(sum(count or 0 for count in scenario.section("users").data.values()))
    if total > MAX_USERS:
        message = f"'users' asks for {total} users in total"
        yield scenario.problem("users", message, f"{MAX_USERS} at most")


def _check_ramp(scenario: Section) -> Iterator[Problem]:
    if "ramp" in scenario.data and "arrivals" not in scenario.data:
        allowed = "spawn_rate for users that wait by themselves, or 'arrivals' beside it"
        yield scenario.value_problem("ramp", "'ramp' is of 'arrivals', which is missing", allowed)


def _check_shape(scenario: Section) -> Iterator[Problem]:
    """``shape`` may be of a wrong form, and stands there all the same."""
    for key in ("users", "spawn_rate", "arrivals"):
        if "shape" in scenario.data and key in scenario.data:
            message = f"{key!r} stands beside 'shape', which says how many users run, and when"
            yield scenario.problem(key, message, "one of the two")


def _check_compare_load(scenario: Section) -> Iterator[Problem]:
    text = scenario.get("compare_load")
    if text is None:
        return
    if "regression" not in scenario.data:
        allowed = "no compare_load, or a tolerance under 'regression'"
        yield scenario.value_problem(
            "compare_load", "'compare_load' is of 'regression', which is missing", allowed
        )
    elif parse_share(text) < MIN_COMPARE_LOAD:
        yield scenario.value_problem(
            "compare_load", f"'compare_load' cannot be {text}", f"{MIN_COMPARE_LOAD:.0%} to 100%"
        )


def is_endpoint(name: str) -> bool:
    """Whether thresholds.yaml can name this endpoint."""
    method = name.partition(" ")[0]
    return has_endpoint_form(name) and not BAD_CHARACTER.search(name) and not _is_method_in_lower_case(method)


def _is_method_in_lower_case(method: str) -> bool:
    return method != method.upper() and method.upper() in _HTTP_METHODS


def _check_method_case(scenario: Section) -> Iterator[Problem]:
    limits, accept = scenario.section("limits"), scenario.section("accept")
    named: list[tuple[KeyPath, str]] = [
        ((*part.path, name), name) for part in (limits, accept) for name in part.data
    ]
    named += [
        ((*scenario.path, "expected", i), name) for i, name in enumerate(scenario.get("expected", ())) if name
    ]
    for path, endpoint in named:
        method, _, name = endpoint.partition(" ")
        if name and _is_method_in_lower_case(method):
            message = f"HTTP method {method!r} is not in upper case"
            yield scenario.source.problem(path, message, f"{method.upper()} {name}"[:80])


def _check_repetitions(scenario: Section) -> Iterator[Problem]:
    accept = scenario.section("accept")
    lists = [(scenario, key) for key in ("expected", "tags", "exclude_tags")]
    lists += [(scenario, "locustfile")] if isinstance(scenario.get("locustfile"), list) else []
    for section, key in (*lists, *((accept, name) for name in accept.data)):
        seen: set[object] = set()
        for index, value in enumerate(section.get(key, ())):
            if value in seen and value is not None:
                message = f"{quote(value) if isinstance(value, str) else value} stands twice in {quote(key)}"
                yield section.source.problem((*section.path, key, index), message, "each once")
            seen.add(value)


def _check_failures_against_successes(scenario: Section) -> Iterator[Problem]:
    for bounds in scenario.sections("limits"):
        failures, successes = bounds.get(FAILURES.name), bounds.get(SUCCESSES.name)
        if failures is None or successes is None:
            continue
        if not math.isclose(parse_share(failures) + parse_share(successes), 1):
            later = max((FAILURES.name, SUCCESSES.name), key=list(bounds.data).index)
            message = f"failures {failures} and successes {successes} contradict each other"
            allowed = "one of them, or two that add up to 100%"
            yield bounds.problem(later, message, allowed)


def _check_worst(scenario: Section) -> Iterator[Problem]:
    for bounds in scenario.sections("limits"):
        worst = bounds.section(WORST)
        over = worst.get(OVER)
        if over is not None and not MIN_OVER_S <= parse_duration_s(over) <= MAX_OVER_S:
            allowed = f"{format_exact(MIN_OVER_S)}s to {format_exact(MAX_OVER_S / 3600)}h"
            yield worst.value_problem(OVER, f"'over' cannot be {over}", allowed)
        if set(worst.data) == {OVER}:
            allowed = "a percentile, failures or rate beside over, such as p95: 500ms"
            yield bounds.problem(WORST, "'worst' limits nothing", allowed)


def _check_resources(root: Section) -> Iterator[Problem]:
    """What cannot be measured, or is not of one endpoint alone."""
    probes = root.section("probes")
    has_statements = POSTGRES in probes.data or STATEMENTS.name in probes.section("metrics").data
    if POSTGRES in (root.get("cpu_of") or ()) and POSTGRES not in probes.data:
        yield root.problem("cpu_of", "nothing finds the processes of 'postgres'", "probes.postgres beside it")
    for scenario in root.sections("scenarios"):
        limits = scenario.section("limits")
        for endpoint in limits.data:
            for name in (
                _RESOURCES & limits.section(endpoint).data.keys() if endpoint != ALL_ENDPOINTS else ()
            ):
                message = f"{name!r} is of the service as a whole, not of {quote(endpoint)}"
                yield limits.section(endpoint).problem(name, message, f"{name} under {ALL_ENDPOINTS}")
        for section in (limits.section(ALL_ENDPOINTS), scenario.section("regression")):
            if "url" in root.section("service").data:
                for name in {CPU.name, MEMORY.name} & section.data.keys():
                    message = f"{name!r} cannot be measured of a service that 'url' names"
                    yield section.problem(
                        name, message, "a service that is a command, an image or a Dockerfile"
                    )
            if STATEMENTS.name in section.data and not has_statements:
                allowed = "probes.postgres, or a metric of the service under probes.metrics.statements"
                message = "nothing counts the statements of the database"
                yield section.problem(STATEMENTS.name, message, allowed)


_Rule = Callable[[Section], Iterator[Problem]]
_SERVICE_RULES: tuple[_Rule, ...] = (
    _check_todo,
    _check_command_names_its_port,
    _check_placeholders,
    _check_variables,
    *SERVICE_RULES,
)
_SCENARIO_RULES: tuple[_Rule, ...] = (
    _check_total_users,
    _check_ramp,
    _check_shape,
    _check_compare_load,
    _check_method_case,
    _check_repetitions,
    _check_locust_texts,
    _check_failures_against_successes,
    _check_worst,
)
