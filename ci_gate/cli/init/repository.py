"""What a repository shows of its service and its load, read without running anything but its locustfiles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from ci_gate.cli.init.start_command import Command, find_command, list_named
from ci_gate.evidence.workload import Workload
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import LocustSettings

_MAX_FILES: Final = 5000
_MAX_DEPTH: Final = 5
_MAX_BYTES: Final = 256 * 1024
_SKIPPED: Final = frozenset(
    {"node_modules", "site-packages", "venv", "env", "dist", "build", "vendor", "ci-gate-out"}
)
_IMPORTS_LOCUST: Final = re.compile(r"^\s*(?:from|import) locust\b", re.MULTILINE)
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_URL_PATH: Final = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;)]*)?")
_HEALTH_PATHS: Final = ("/healthz", "/health", "/readyz", "/ready", "/livez", "/ping", "/status")
_SOURCES: Final = frozenset({".py", ".js", ".ts", ".mjs", ".go", ".rb", ".java", ".kt", ".rs", ".php", ".cs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile: its path, the last port that it exposes, and the path that its health check asks for."""

    path: str
    port: int | None
    health_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """A compose file: its ready-made servers, and variables and health check of what it builds."""

    path: str
    servers: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    health_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """All that was found. Paths are relative to the folder of thresholds.yaml."""

    workloads: tuple[Workload, ...] = ()
    install: str = ""  # what a command of the service needs on the machine
    unloadable: tuple[tuple[str, str], ...] = ()  # a locustfile, and why it could not be loaded
    locust_conf: Mapping[str, str] = field(default_factory=dict)
    dockerfile: Dockerfile | None = None
    compose: Compose | None = None
    command: Command | None = None
    health_path: tuple[str, str] | None = None  # a path, and the file in which it stands


def look_at(folder: Path, environ: Mapping[str, str]) -> Repository:
    """What is found in ``folder`` and below, in a bounded number of files. What cannot be read is not."""
    paths = tuple(_walk(folder))
    texts = {path: text for path in paths if (text := _read(folder / path)) is not None}
    locustfiles = [
        path for path, text in texts.items() if path.endswith(".py") and _IMPORTS_LOCUST.search(text)
    ]
    settings = (LocustSettings(locustfiles=(path,)) for path in locustfiles)
    workloads = describe_workloads(settings, folder, environ).values()
    compose = next((_read_compose(path, texts[path]) for path in list_named(texts, *_COMPOSE)), None)
    dockerfile = next((_read_dockerfile(path, texts[path]) for path in list_named(texts, "Dockerfile")), None)
    return Repository(
        workloads=tuple(each for each in workloads if each.classes),
        unloadable=tuple((each.locustfile, each.error) for each in workloads if each.error),
        locust_conf=_read_settings(texts),
        dockerfile=dockerfile,
        compose=compose,
        command=find_command(texts),
        install=_find_install(texts),
        health_path=_find_health_path(
            {path: text for path, text in texts.items() if path not in locustfiles}
        ),
    )


def root_of(folder: Path) -> Path:
    """The repository's folder: the nearest one above with a .git; ``folder`` itself where there is none."""
    resolved = folder.resolve()
    return next((each for each in (resolved, *resolved.parents) if (each / ".git").exists()), resolved)


def _walk(folder: Path) -> Iterator[str]:
    """Paths of files, those nearest to the folder first."""
    count, level = 0, [folder]
    for _ in range(_MAX_DEPTH):
        below: list[Path] = []
        for each in level:
            try:
                entries = sorted(os.scandir(each), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and not entry.name.startswith((".", "__")):
                        below.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    count += 1
                    if count > _MAX_FILES:
                        return
                    yield Path(entry.path).relative_to(folder).as_posix()
        level = below


def _read(path: Path) -> str | None:
    is_wanted = path.suffix in {*_SOURCES, ".toml", ".json", ".txt", ".conf", ".mod", ".yaml", ".yml"}
    if not is_wanted and path.name not in {"Dockerfile", "Procfile"}:
        return None
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= _MAX_BYTES else None
    except (OSError, UnicodeDecodeError):
        return None


def _read_dockerfile(path: str, text: str) -> Dockerfile:
    variables = dict(re.findall(r"^\s*(?:ENV|ARG)\s+(\w+)[= ]\s*\"?([^\s\"]+)", text, re.MULTILINE))
    ports = [
        re.sub(r"^\$\{?(\w+)\}?$", lambda found: variables.get(found[1], ""), each).partition("/")[0]
        for each in re.findall(r"^\s*EXPOSE\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
    ]
    numbers = [int(each) for each in ports if each.isascii() and each.isdigit() and 0 < int(each[:6]) < 2**16]
    check = re.search(r"^\s*HEALTHCHECK\b(?:.*\\\n)*.*$", text, re.MULTILINE | re.IGNORECASE)
    path_of_check = _path_in(check[0]) if check else None
    return Dockerfile(path=path, port=numbers[-1] if numbers else None, health_path=path_of_check)


def _path_in(text: str) -> str | None:
    found = _URL_PATH.search(text)
    return (found[1] or "/") if found else None


def _read_compose(path: str, text: str) -> Compose:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return Compose(path=path)
    services = document.get("services") if isinstance(document, dict) else None
    entries = (
        [each for each in services.values() if isinstance(each, dict)] if isinstance(services, dict) else []
    )
    built = [each for each in entries if each.get("build")]
    images = [str(each["image"]) for each in entries if each.get("image") and not each.get("build")]
    variables = dict.fromkeys(name for each in built for name in _variables_of(each.get("environment")))
    checks = [str(each["healthcheck"]) for each in built if each.get("healthcheck")]
    return Compose(
        path=path,
        servers=tuple(dict.fromkeys(image.rpartition("/")[2].partition(":")[0] for image in images)),
        variables=tuple(variables),
        health_path=next(filter(None, map(_path_in, checks)), None),
    )


def _variables_of(environment: Any) -> list[str]:  # noqa: ANN401  plain data of a file
    names = environment if isinstance(environment, dict | list) else ()
    found = [str(name).partition("=")[0] for name in names]
    return [name for name in found if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)]


def _read_settings(texts: Mapping[str, str]) -> dict[str, str]:
    """The values of every plain line of the nearest locust.conf, by their names."""
    text = next((texts[path] for path in list_named(texts, "locust.conf")), "")
    return dict(re.findall(r"^\s*([a-z][a-z-]*)\s*[=:]\s*(\S.*?)\s*$", text, re.MULTILINE))


def _find_health_path(texts: Mapping[str, str]) -> tuple[str, str] | None:
    for health_path in _HEALTH_PATHS:
        for path, text in texts.items():
            if Path(path).suffix in _SOURCES and re.search(rf"[\"'`]{re.escape(health_path)}/?[\"'`]", text):
                return health_path, path
    return None


def _find_install(texts: Mapping[str, str]) -> str:
    for path in list_named(texts, "requirements.txt", "pyproject.toml", "package-lock.json"):
        folder, _, name = path.rpartition("/")
        if name == "package-lock.json":
            return f"npm ci --prefix {folder}" if folder else "npm ci"
        target = f"-r {path}" if name == "requirements.txt" else f"./{folder}" if folder else "."
        return f"python -m pip install {target}"
    return ""
