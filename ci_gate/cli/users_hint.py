"""Makes the Problem of ``users: 30`` one that can be fixed at once: it names the locustfile's classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ci_gate.errors import BadInputError, GateError, Problem
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds.parse import read_locust_settings
from ci_gate.thresholds.shape import find_shape_problems
from ci_gate.thresholds.yaml.source import Section, read_yaml

_FORM: Final = "how many of each user class, such as {CheckoutUser: 100}"


def name_user_classes(
    error: BadInputError, text: str, file: str, environ: Mapping[str, str]
) -> BadInputError:
    """The same error; where it is about a number of users, with what each scenario's locustfile has."""
    try:
        better = dict(_find_better(error, text, file, environ))
    except GateError:
        return error  # what is wrong is said already
    return BadInputError(*(better.get(problem, problem) for problem in error.problems))


def _find_better(
    error: BadInputError, text: str, file: str, environ: Mapping[str, str]
) -> Iterator[tuple[Problem, Problem]]:
    source = read_yaml(text, file)
    right = source.without(find_shape_problems(source)[1]).root()
    at = {(problem.line, problem.column): problem for problem in error.problems}
    for scenario in source.root().sections("scenarios"):
        users = scenario.get("users")
        place = source.value_at.get((*scenario.path, "users"))
        problem = at.get((place.line, place.column)) if place else None
        if isinstance(users, int) and not isinstance(users, bool) and problem:
            section = right.section("scenarios").section(scenario.name)
            yield problem, dataclasses.replace(problem, allowed=_say(section, users, Path(file), environ))


def _say(scenario: Section, users: int, file: Path, environ: Mapping[str, str]) -> str:
    settings = read_locust_settings(scenario) if scenario.get("locustfile") else None
    if settings is None or None in (*settings.locustfiles, *settings.args):
        return _FORM
    workload = describe_workloads([settings], file.resolve().parent, environ)[settings]
    names = [user_class.name for user_class in workload.classes]
    if not names:
        return _FORM
    shares = [users // len(names) + (index < users % len(names)) for index in range(len(names))]
    example = ", ".join(f"{name}: {max(share, 1)}" for name, share in zip(names, shares, strict=True))
    return f"how many of each user class of {settings.name}, such as {{{example}}}"
