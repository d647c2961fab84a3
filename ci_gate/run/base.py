"""Base: the version that head is compared with, made startable beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_gate.addresses import hide_credentials
from ci_gate.errors import BadInputError, UsageError
from ci_gate.run.base_checkout import check_out
from ci_gate.run.base_paths import PathMap
from ci_gate.run.editable import find_editable
from ci_gate.run.git import find_commit, find_top
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.thresholds import Service, Thresholds, parse_thresholds

_PYTHONPATH: Final = "PYTHONPATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseVersion:
    """How base is started: its service, from its repository; ``name`` is what people read.

    ``environ`` is ours, with every path into head's checkout leading into base's.
    """

    name: str
    service: Service
    repository: Path
    environ: Mapping[str, str] = field(repr=False)


@contextlib.contextmanager
def open_base(
    base: str,
    thresholds: Thresholds,
    repository: Path,
    environ: Mapping[str, str],
    watchdog: Watchdog | None = None,
) -> Iterator[BaseVersion]:
    """Make base startable for as long as the context lasts.

    ``base`` is a URL, an image for a service that is one, else a git revision, of origin too: that is checked
    out into a worktree of its own, and its own thresholds.yaml says how it is started. Raises UsageError for
    a revision that git does not know and for paths that would lead base to head's code, BaseError where base
    cannot be checked out, OutsideError if git fails otherwise.
    """
    service = thresholds.service
    if "://" in base or service.kind == "image":
        kind = "url" if "://" in base else service.kind
        changed = dataclasses.replace(service, kind=kind, target=base)
        yield BaseVersion(
            name=hide_credentials(base), service=changed, repository=repository, environ=environ
        )
        return
    if service.kind == "url":
        raise _url_and_revision(base)
    commit = find_commit((base, f"origin/{base}"), repository)
    head = find_top(repository)
    with check_out(commit, repository, watchdog) as worktree:
        folder = worktree / repository.resolve().relative_to(head)
        own = _own_service(folder / Path(thresholds.file).name) or service
        if own.kind == "url":
            raise _url_and_revision(base)
        paths = PathMap(head=head, base=worktree, head_folder=repository.resolve(), base_folder=folder)
        own_environ = paths.see_environ(environ)
        seen = _see_service(own, paths, own_environ)
        if seen.kind == "command":
            installed = paths.see_installed(find_editable(_list_programs(seen, own_environ)))
            own_environ |= _look_first(installed, own_environ.get(_PYTHONPATH, ""))
            env = dict(seen.env)
            if _PYTHONPATH in env:
                env |= _look_first(installed, env[_PYTHONPATH])
            seen = dataclasses.replace(seen, env=tuple(env.items()))
        yield BaseVersion(
            name=f"{base} ({commit[:12]})", service=seen, repository=folder, environ=own_environ
        )


def _list_programs(service: Service, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of programs that its interpreter may be in."""
    try:
        program = shlex.split(service.target)[:1]
    except ValueError:
        program = []  # reported where it is started
    named = (Path(each).parent for each in program if each.startswith("/"))
    return (*named, *(Path(each) for each in environ.get("PATH", "").split(os.pathsep) if each))


def _look_first(folders: Sequence[str], python_path: str) -> dict[str, str]:
    """PYTHONPATH with these folders before all others; nothing without any."""
    return {_PYTHONPATH: os.pathsep.join(filter(None, (*folders, python_path)))} if folders else {}


def _see_service(service: Service, paths: PathMap, environ: Mapping[str, str]) -> Service:
    """The service with its own paths led into base's checkout. Those of a container are its own."""
    path = environ.get("PATH", "")

    def see(key: str, command: str | None) -> str | None:
        return command and paths.see_command(command, f"service.{key}", path)

    if service.kind == "dockerfile":
        return dataclasses.replace(
            service,
            target=paths.see_value(service.target, "service.dockerfile"),
            before_start=see("before_start", service.before_start),
        )
    if service.kind != "command":
        return service
    return dataclasses.replace(
        service,
        target=paths.see_command(service.target, "service.command", path),
        env=tuple((name, paths.see_value(value, f"service.env.{name}")) for name, value in service.env),
        before_start=see("before_start", service.before_start),
        before_each=see("before_each", service.before_each),
        ready=dataclasses.replace(service.ready, command=see("ready.command", service.ready.command)),
        processes=tuple((name, see(f"processes.{name}", text) or text) for name, text in service.processes),
    )


def _own_service(path: Path) -> Service | None:
    """None where base has no thresholds.yaml, or one that this version cannot read."""
    try:
        return parse_thresholds(path.read_text(encoding="utf-8"), str(path)).service
    except (OSError, UnicodeDecodeError, BadInputError):
        return None


def _url_and_revision(base: str) -> UsageError:
    return UsageError(f"{base}: a service that is a URL is compared with another URL, not a revision")
