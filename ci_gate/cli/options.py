"""From command-line arguments to a RunOptions, or to what is wrong with them."""

from __future__ import annotations

import datetime as dt
import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_gate.cli.users_hint import name_user_classes
from ci_gate.errors import BadInputError, UsageError
from ci_gate.evidence.processes import MAX_PROCESSES
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import LocustSettings, Profile, Scenario, Thresholds, parse_thresholds
from ci_gate.thresholds.overrides import replace_image, replace_processes, replace_users
from ci_gate.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_gate.evidence.workload import Workload
    from ci_gate.measure.locustfile.workloads import ImportingLocust
    from ci_gate.run.plan import RunOptions

_CHECKING: Final = ("ci_gate.judge.validity.feasibility",)
_MEASURING: Final = (*_CHECKING, "ci_gate.run.scenarios")
"""Modules that take long to import, and are needed once the locustfiles are loaded: that takes long, too."""


def read_thresholds(path: Path) -> Thresholds:
    """Raises UsageError for a file that cannot be read, BadInputError for what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
        return parse_thresholds(text, str(path))
    except BadInputError as error:
        raise name_user_classes(error, text, str(path), service_environment()) from error
    except OSError as error:
        hint = "; `ci-gate init` writes a first one" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"{path}: {error.strerror}{hint}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def service_environment(*, own_python: bool = True) -> dict[str, str]:
    """Ours, with ``python`` the interpreter that runs ci-gate, be its virtual environment active or not.

    Without ``own_python``, one that PATH has comes before it: ci-gate is then in an environment of its own.
    """
    own, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": os.pathsep.join([own, path] if own_python else [path, own])}


def make_options(  # noqa: PLR0913 - one parameter for each option
    thresholds: Thresholds,
    names: tuple[str, ...],
    profile_name: str,
    *,
    base: str | None,
    out: Path | None,
    image: str | None = None,
    users: int | None = None,
    processes: int | str | None = None,
    workers: int | None = None,
    own_python: bool = True,
    importing: ImportingLocust | None = None,
) -> RunOptions:
    """Everything a run by ``thresholds`` needs, checked.

    The repository is the folder of their file. ``image``, ``users`` and ``processes`` are as in `overrides`;
    ``workers`` are processes on other machines; ``own_python`` is as in `service_environment`, ``importing``
    as in `describe_workloads`. Raises UsageError and BadInputError.
    """
    thresholds_file = Path(thresholds.file)
    given = {"image": image, "users": users, "processes": processes, "workers": workers}
    processes = workers or processes
    thresholds = thresholds if processes is None else replace_processes(thresholds, processes)
    thresholds = thresholds if image is None else replace_image(thresholds, image)
    profile = choose_profile(thresholds, profile_name)
    if base and not any(scenario.regression for scenario in choose_scenarios(thresholds, names)):
        raise UsageError(
            f"{thresholds.file} has no regression tolerance: there is nothing to compare with {base}"
        )
    thresholds, workloads = check_workloads(
        thresholds, thresholds_file.parent, _MEASURING, users=users, importing=importing
    )
    from ci_gate.run.pinning import choose_pinning, read_cores
    from ci_gate.run.plan import RunOptions

    processes = thresholds.processes or _count_processes(choose_scenarios(thresholds, names))
    return RunOptions(
        thresholds=thresholds,
        profile=profile,
        scenarios=choose_scenarios(thresholds, names),
        workloads=workloads,
        out=out or Path("ci-gate-out") / dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ"),
        repository=thresholds_file.resolve().parent,
        environ=service_environment(own_python=own_python),
        base=base,
        processes=processes,
        pinning=choose_pinning(read_cores(), 1 if workers else processes),
        options={name: str(value) for name, value in given.items() if value},
        seed=secrets.randbits(32),
    )


def _count_processes(scenarios: Sequence[Scenario]) -> int:
    """Half of the CPUs that are ours, for the service needs the others; never more than there are users."""
    fewest = min((scenario.user_count for scenario in scenarios if not scenario.locust.shape), default=1)
    return max(min(len(os.sched_getaffinity(0)) // 2, fewest, MAX_PROCESSES), 1)


def check_workloads(
    thresholds: Thresholds,
    repository: Path,
    modules: Sequence[str] = _CHECKING,
    *,
    users: int | None = None,
    importing: ImportingLocust | None = None,
) -> tuple[Thresholds, dict[LocustSettings, Workload]]:
    """The thresholds, with as many ``users`` as asked for, and what the locustfiles say.

    ``modules`` are imported while the locustfiles are loaded; ``importing`` is as in `describe_workloads`.
    Raises BadInputError where locustfiles and thresholds.yaml do not fit, UsageError as `replace_users` does.
    """
    from ci_gate.run.secrets import keep_secrets_of

    environ = service_environment()
    keep_secrets_of(thresholds.service, thresholds, environ)
    workloads = describe_workloads(
        (scenario.locust for scenario in thresholds.scenarios),
        repository,
        environ,
        meanwhile=lambda: [importlib.import_module(module) for module in modules],
        importing=importing,
    )
    from ci_gate.judge.validity.feasibility import find_problems

    fits = all(each.locust.shape in {None, *workloads[each.locust].shapes} for each in thresholds.scenarios)
    if users is not None and fits:
        thresholds = replace_users(thresholds, users, _find_peaks(thresholds, workloads, users))
    if problems := find_problems(thresholds, workloads):
        raise BadInputError(*problems)
    return thresholds, workloads


def _find_peaks(
    thresholds: Thresholds, workloads: Mapping[LocustSettings, Workload], users: int
) -> dict[str, int]:
    """The most users of each shape that says them before it runs, by the scenario's name.

    Raises UsageError where ``users`` are too few for each class to have one.
    """
    peaks = {}
    for scenario in thresholds.scenarios:
        workload = workloads[scenario.locust]
        if scenario.locust.shape and users < len(workload.classes):
            classes = count(len(workload.classes), "user class", "user classes")
            raise UsageError(f"{scenario.name} has {classes}: it needs as many users, not {users}")
        if workload.shape and not workload.shape.error:
            peaks[scenario.name] = workload.shape.users
    return peaks


def choose_profile(thresholds: Thresholds, name: str) -> Profile:
    """The profile of that name. Raises UsageError."""
    profile = thresholds.profile(name)
    if profile is None:
        known = ", ".join(each.name for each in thresholds.profiles)
        raise UsageError(f"{thresholds.file} has no profile {name!r} (allowed: {known})")
    return profile


def choose_scenarios(thresholds: Thresholds, names: tuple[str, ...]) -> tuple[Scenario, ...]:
    """The scenarios of these names, each once; all for no name. Raises UsageError."""
    known = {scenario.name: scenario for scenario in thresholds.scenarios}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"{thresholds.file} has no scenario {', '.join(unknown)} (allowed: {', '.join(known)})"
        )
    return tuple(known[name] for name in dict.fromkeys(names)) or thresholds.scenarios
