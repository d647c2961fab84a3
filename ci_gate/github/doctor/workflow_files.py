"""A repository's workflow files as values: triggers, jobs and permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_gate.errors import BadInputError, Problem
from ci_gate.thresholds.yaml.source import read_yaml

_MAX_FILE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``check`` is the name under which it is reported; ``condition`` is ``if:``, empty for none.

    ``uses`` is the workflow that it calls, empty for a job of steps. ``permissions`` is None where nothing is
    and the workflow's count.
    """

    id: str
    check: str
    condition: str
    needs: tuple[str, ...]
    permissions: Mapping[str, str] | None
    goes_on_after_errors: bool
    uses: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """``triggers`` maps events to their filters. ``permissions`` is None where none are given."""

    path: str
    name: str
    triggers: Mapping[str, Mapping[str, Any]]
    permissions: Mapping[str, str] | None
    jobs: tuple[Job, ...]


def read_workflows(repository: Path) -> tuple[tuple[Workflow, ...], tuple[Problem, ...]]:
    """Every workflow under .github/workflows, and the Problems of those that cannot be read."""
    workflows: list[Workflow] = []
    problems: list[Problem] = []
    for path in sorted((repository / ".github" / "workflows").glob("*")):
        if path.suffix not in {".yml", ".yaml"} or not path.is_file():
            continue
        name = path.relative_to(repository).as_posix()
        try:
            workflows.append(parse_workflow(path.read_bytes()[: _MAX_FILE_BYTES + 1].decode("utf-8"), name))
        except BadInputError as error:
            problems += error.problems
        except UnicodeDecodeError as error:
            problems.append(Problem(file=name, line=1, column=1, message=f"not UTF-8 text: {error.reason}"))
    return tuple(workflows), tuple(problems)


def parse_workflow(text: str, path: str) -> Workflow:
    """One workflow; what has no sensible form counts as absent. Raises BadInputError for what is no YAML."""
    data = _mapping(read_yaml(text, path).data)
    jobs = _mapping(data.get("jobs"))
    permissions = data.get("permissions")
    return Workflow(
        path=path,
        name=str(data.get("name", path)),
        triggers=_triggers(data.get("on")),
        permissions=None if "permissions" not in data else _permissions(permissions),
        jobs=tuple(_job(name, _mapping(job)) for name, job in jobs.items()),
    )


def _triggers(events: object) -> dict[str, dict[str, Any]]:
    if isinstance(events, str):
        return {events: {}}
    if isinstance(events, list):
        return {str(event): {} for event in events}
    return {event: _mapping(filters) for event, filters in _mapping(events).items()}


def _permissions(value: object) -> dict[str, str]:
    """``write-all`` and ``read-all`` as a permission named ``all``."""
    if isinstance(value, str):
        return {"all": value.removesuffix("-all")}
    return {name: str(level) for name, level in _mapping(value).items()}


def _job(name: str, job: dict[str, Any]) -> Job:
    needs = job.get("needs", ())
    steps = [_mapping(step) for step in _items(job.get("steps"))]
    return Job(
        id=name,
        check=str(job.get("name", name)),
        condition=str(job.get("if", "")),
        needs=(needs,) if isinstance(needs, str) else tuple(map(str, _items(needs))),
        permissions=None if "permissions" not in job else _permissions(job["permissions"]),
        goes_on_after_errors=any(
            _is_on(each.get("continue-on-error")) for each in (job, *filter(_may_decide, steps))
        ),
        uses=str(job.get("uses", "")),
    )


def _may_decide(step: dict[str, Any]) -> bool:
    """Not one that carries a file away: nothing that it does makes a job red or green but its own error."""
    return not str(step.get("uses", "")).startswith("actions/upload-artifact@")


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_on(value: object) -> bool:
    """Also an expression, which may turn out true."""
    return value is not None and value is not False and value != "false"
