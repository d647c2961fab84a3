"""The files that a repository needs for the gate, drafted from what was found in it. Pure text.

What was not found is a TODO, which `ci-gate check` reports: no draft turns green by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_gate.cli.init.repository import Compose, Repository
from ci_gate.cli.init.workflows import (
    COMMENT_WORKFLOW,
    GATE_WORKFLOW,
    draft_comment,
    draft_gate,
    read_template,
)
from ci_gate.evidence.workload import UserClass, Workload, share_by_weight
from ci_gate.thresholds import DEFAULT_FILE
from ci_gate.thresholds.quantities import parse_duration_s
from ci_gate.thresholds.rules import TODO
from ci_gate.thresholds.yaml.text import write_comment, write_scalar
from ci_gate.wording import format_number

LOCUSTFILE: Final = "load/visits.py"
IGNORED: Final = ".gitignore"
_USERS: Final = 10
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,5}")
_SECRET: Final = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)
_POSTGRES: Final = ("postgres", "DATABASE_URL")
_REDIS: Final = ("redis", "REDIS_URL")
_PROBED: Final = {"postgres": _POSTGRES, "postgis": _POSTGRES, "redis": _REDIS, "valkey": _REDIS}
_MAX_RUN_S: Final = 300.0
_MIN_RUN_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file to be written: its path from the repository's folder, its text, and why it is so."""

    path: str
    text: str
    why: str


def draft_files(repository: Repository, folder: str = "") -> tuple[Draft, ...]:
    """Every file that the gate needs; thresholds.yaml is to lie in ``folder``, such as ``backend/``."""
    thresholds = f"{folder}{DEFAULT_FILE}"
    files = [Draft(path=thresholds, text=draft_thresholds(repository), why=_explain(repository))]
    if not repository.workloads:
        why = "a first locustfile: let it do what your users do"
        files.append(Draft(path=f"{folder}{LOCUSTFILE}", text=read_template("visits.py"), why=why))
    gate, comment = draft_gate(repository, folder), draft_comment(folder)
    return (
        *files,
        Draft(path=GATE_WORKFLOW, text=gate, why="measures pull requests; OWNER is who publishes ci-gate"),
        Draft(path=COMMENT_WORKFLOW, text=comment, why="comments on forks' pull requests; may be left out"),
        Draft(path=IGNORED, text="ci-gate-out/\n", why="evidence is not committed"),
    )


def draft_thresholds(repository: Repository) -> str:
    """The text of a thresholds.yaml, with what was found as comments."""
    profile = _profile(repository)
    scenarios = [_scenario(repository, each) for each in repository.workloads] or [
        _first_scenario(repository)
    ]
    lines = [
        "# What is acceptable of this service under load. Edits of this file are reviewed like code.",
        "# `ci-gate check` says what is wrong or still to be filled in; `ci-gate run` measures and judges.",
        "schema: 1",
        "",
        "service:                          # how it is started, freshly for each scenario",
        *_service(repository),
        "",
        *_probes(repository.compose),
        "profiles:                         # how long the steady phase is; ramp and warm-up come before it",
        "  quick: {duration: 20s, warmup: 2s}",
        f"  pull_request: {{duration: {profile}, warmup: 5s}}",
        "",
        "scenarios:",
        *(line for scenario in scenarios for line in scenario),
    ]
    for path, error in repository.unloadable:
        lines += [f"  # {write_comment(path)} could not be loaded: {write_comment(error)}"]
    return "\n".join(lines) + "\n"


def _service(repository: Repository) -> Iterator[str]:
    dockerfile, command = repository.dockerfile, repository.command
    if dockerfile is not None:
        yield f"  dockerfile: {write_scalar(dockerfile.path)}"
        if dockerfile.port:
            yield f"  port: {dockerfile.port}    # as {write_comment(dockerfile.path)} exposes"
        else:
            yield f"  port: {TODO}    # the service's: {write_comment(dockerfile.path)} exposes none"
        if command is not None:
            yield f"  # without a container: command: {write_scalar(command.text)}"
    elif command is not None:
        yield f"  command: {write_scalar(command.text)}    # as {write_comment(command.shown_in)} shows"
    else:
        yield f"  command: {write_scalar(f'{TODO} how the service is started, with {{port}} for its port')}"
        yield "                                  # or image: shop:latest, dockerfile: Dockerfile, url: http://..."
    path, why = _ready(repository)
    yield f"  ready: {write_scalar(path)}    # {why}"
    yield "  # before_each: python -m shop.reset    # fresh state: empty tables, flush caches, seed users"
    env = dict(command.env) if command and dockerfile is None else {}
    variables = repository.compose.variables if repository.compose else ()
    if env or variables:
        yield (
            f"  env:    # of {write_comment(repository.compose.path)}"
            if repository.compose and variables
            else "  env:"
        )
        for name, value in env.items():
            yield f"    {name}: {write_scalar(value)}"
        for name in variables:
            if name not in env:
                secret = "    # from a secret of the workflow" if _SECRET.search(name) else ""
                yield f"    {name}: {write_scalar(f'${{{name}}}')}{secret}"


def _ready(repository: Repository) -> tuple[str, str]:
    if repository.dockerfile and repository.dockerfile.health_path:
        return (
            repository.dockerfile.health_path,
            f"the health check of {write_comment(repository.dockerfile.path)}",
        )
    if repository.compose and repository.compose.health_path:
        return repository.compose.health_path, f"the health check of {write_comment(repository.compose.path)}"
    if repository.health_path:
        return repository.health_path[0], f"stands in {write_comment(repository.health_path[1])}"
    return "/", "a path that answers below 400 once the service can serve"


def _probes(compose: Compose | None) -> Iterator[str]:
    """What can be read of the servers beside the service, so that a slow run can say why."""
    servers = _probed(compose)
    if compose is None or not servers:
        return
    yield "probes:    # read once a second beside the load, so that a slow run can say why"
    for (kind, variable), name in servers.items():
        yield f'  {kind}: "${{{variable}:-}}"    # {write_comment(compose.path)} has {name}'
    yield ""


def _probed(compose: Compose | None) -> dict[tuple[str, str], str]:
    """The servers of the compose file that can be probed, by probe and variable."""
    return {_PROBED[name]: name for name in (compose.servers if compose else ()) if name in _PROBED}


def _profile(repository: Repository) -> str:
    text = repository.locust_conf.get("run-time", "")
    try:
        duration_s = parse_duration_s(text)
    except ValueError:
        return "60s"
    return text if _MIN_RUN_S <= duration_s <= _MAX_RUN_S else "60s"


def _scenario(repository: Repository, workload: Workload) -> Iterator[str]:
    total, rate = (_read_number(repository.locust_conf.get(name, "")) for name in ("users", "spawn-rate"))
    source = "locust.conf" if total else "your own number: what you expect at the busiest"
    total = max(total or _USERS, len(workload.classes))
    shares = share_by_weight(workload.classes, total)
    rate = rate or min(10, total)
    users = ", ".join(f"{write_scalar(name)}: {share}" for name, share in shares.items())
    yield f"  {_slug(workload.locustfile)}:"
    yield f"    locustfile: {write_scalar(workload.locustfile)}"
    yield f"    users: {{{users}}}    # {source}"
    yield f"    spawn_rate: {rate}"
    for user in workload.classes:
        yield f"    # {write_comment(user.name)}: {_describe_wait(user)}"
        if unknown := ", ".join(task.name for task in user.tasks if task.endpoints is None):
            yield f"    # {write_comment(unknown)}: `ci-gate check --run` says what they call;"
            yield '    # a path with an id in it needs one name for all, name="/items/{id}"'
    for unused in workload.unused:
        if not unused.replaced:
            yield f"    # not used: {write_comment(unused.what)}: {write_comment(unused.why)}"
    yield from _limits(workload, repository.compose)


def _read_number(text: str) -> int | None:
    """A whole number from 1 on, as far as users are counted."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _first_scenario(repository: Repository) -> Iterator[str]:
    yield "  visits:"
    yield f"    locustfile: {LOCUSTFILE}"
    yield f"    users: {{Visitor: {_USERS}}}"
    yield f"    spawn_rate: {_USERS}"
    yield from _limits(None, repository.compose)


def _limits(workload: Workload | None, compose: Compose | None) -> Iterator[str]:
    endpoints = sorted(
        {
            endpoint
            for user in (workload.classes if workload else ())
            for task in user.tasks
            for endpoint in task.endpoints or ()
        }
    )
    if endpoints:
        yield "    expected:                     # must be called, and succeed"
        yield from (f"      - {write_scalar(endpoint)}" for endpoint in endpoints)
    yield '    # accept: {"POST /orders": [409]}    # error statuses that are right; all others are failures'
    yield "    limits:"
    yield "      all: {failures: 1%}"
    yield "      # Limits of latency come from measurements: `ci-gate suggest` makes them of three runs."
    yield "      # all: {p95: 300ms, failures: 1%, rate: 15/s}"
    yield from (f"      # {write_scalar(endpoint)}: {{p95: 300ms}}" for endpoint in endpoints[:3])
    yield "    # How much worse than base head may be:"
    yield "    regression: {p50: 10%, p95: 20%, cpu: 10%, memory: 20%}"
    if _POSTGRES in _probed(compose):
        yield "    # And statements: 5%, with pg_stat_statements in the server and a database for each side"
        yield "    # ({side} in its URL, or needs: {per_side: true}). Without these it is never measured."


def _describe_wait(user: UserClass) -> str:
    tasks = ", ".join(task.name for task in user.tasks) or "no task"
    if user.wait is None:
        return f"{tasks}; waits as its own function says"
    mean = f"{format_number(user.wait.mean_s)} s"
    wait = f"waits {mean} on average" if user.wait.kind == "pause" else f"starts a task every {mean}"
    return f"{tasks}; {wait}"


def _explain(repository: Repository) -> str:
    parts = [
        f"{each.locustfile}: {', '.join(user.name for user in each.classes)}" for each in repository.workloads
    ]
    if repository.dockerfile:
        parts.append(repository.dockerfile.path)
    elif repository.command:
        parts.append(repository.command.shown_in)
    if repository.compose:
        servers = f" ({', '.join(repository.compose.servers)})" if repository.compose.servers else ""
        parts.append(f"{repository.compose.path}{servers}")
    return f"from {'; '.join(parts)}" if parts else "nothing that starts a service was found: see its TODO"


def _slug(path: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", path.rpartition("/")[2].removesuffix(".py").lower()).strip("-")
    folder = re.sub(r"[^a-z0-9]+", "-", path.rpartition("/")[0].rpartition("/")[2].lower()).strip("-")
    return folder if name == "locustfile" and folder else name or "scenario"
