"""What a repository shows of its service and its load, read without running anything but its locustfiles."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from ci_gate.evidence.workload import Workload
from ci_gate.measure.locustfile.workloads import describe_workloads

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
_PORT_OPTION: Final = re.compile(r"((?<!\S)(?:--port|-p)[ =])[0-9]{2,5}(?!\S)")
_PLAIN_SCRIPT: Final = re.compile(r"[\w./@-]+(?: +[\w./:@=,-]+)*")
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
class Command:
    """How the service could be started without a container, what it needs before, and what says so."""

    text: str
    seen_in: str
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """All that was seen. Paths are relative to the folder of thresholds.yaml."""

    workloads: tuple[Workload, ...] = ()
    install: str = ""  # what a command of the service needs on the machine
    unloadable: tuple[tuple[str, str], ...] = ()  # a locustfile, and why it could not be loaded
    locust_conf: Mapping[str, str] = field(default_factory=dict)
    dockerfile: Dockerfile | None = None
    compose: Compose | None = None
    command: Command | None = None
    health_path: tuple[str, str] | None = None  # a path, and the file in which it stands


def look_at(folder: Path, environ: Mapping[str, str]) -> Repository:
    """What is seen in ``folder`` and below, in a bounded number of files. What cannot be read is not seen."""
    paths = tuple(_walk(folder))
    texts = {path: text for path in paths if (text := _read(folder / path)) is not None}
    locustfiles = [
        path for path, text in texts.items() if path.endswith(".py") and _IMPORTS_LOCUST.search(text)
    ]
    workloads = describe_workloads(locustfiles, folder, environ).values()
    compose = next((_read_compose(path, texts[path]) for path in _named(texts, *_COMPOSE)), None)
    dockerfile = next((_read_dockerfile(path, texts[path]) for path in _named(texts, "Dockerfile")), None)
    return Repository(
        workloads=tuple(each for each in workloads if each.classes),
        unloadable=tuple((each.locustfile, each.error) for each in workloads if each.error),
        locust_conf=_read_settings(texts),
        dockerfile=dockerfile,
        compose=compose,
        command=_find_command(texts),
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


def _named(texts: Mapping[str, str], *names: str) -> list[str]:
    """The files of these names, nearest first, in the order of the names."""
    found = [path for name in names for path in texts if path.rpartition("/")[2] == name]
    return sorted(found, key=lambda path: path.count("/"))


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
    text = next((texts[path] for path in _named(texts, "locust.conf")), "")
    return dict(re.findall(r"^\s*([a-z][a-z-]*)\s*[=:]\s*(\S.*?)\s*$", text, re.MULTILINE))


def _find_health_path(texts: Mapping[str, str]) -> tuple[str, str] | None:
    for health_path in _HEALTH_PATHS:
        for path, text in texts.items():
            if Path(path).suffix in _SOURCES and re.search(rf"[\"'`]{re.escape(health_path)}/?[\"'`]", text):
                return health_path, path
    return None


def _find_command(texts: Mapping[str, str]) -> Command | None:
    finders = (_find_procfile, _find_asgi, _find_django, _find_flask, _find_node, _find_go)
    return next(filter(None, (find(texts) for find in finders)), None)


def _find_install(texts: Mapping[str, str]) -> str:
    for path in _named(texts, "requirements.txt", "pyproject.toml", "package-lock.json"):
        folder, _, name = path.rpartition("/")
        if name == "package-lock.json":
            return f"npm ci --prefix {folder}" if folder else "npm ci"
        target = f"-r {path}" if name == "requirements.txt" else f"./{folder}" if folder else "."
        return f"python -m pip install {target}"
    return ""


def _find_procfile(texts: Mapping[str, str]) -> Command | None:
    for path in _named(texts, "Procfile"):
        if found := re.search(r"^web:[ \t]*(\S.*?)[ \t]*$", texts[path], re.MULTILINE):
            text = re.sub(r"\$(?:PORT\b|\{PORT(?::-[^}]*)?\})", "{port}", found[1])
            return Command(text=text, seen_in=path)
    return None


def _find_asgi(texts: Mapping[str, str]) -> Command | None:
    found = _find_application(texts, "FastAPI|Starlette|Litestar|Quart|Sanic")
    if found is None:
        return None
    path, module, name = found
    return Command(text=f"python -m uvicorn {module}:{name} --host 127.0.0.1 --port {{port}}", seen_in=path)


def _find_flask(texts: Mapping[str, str]) -> Command | None:
    found = _find_application(texts, "Flask")
    if found is None:
        return None
    path, module, name = found
    if _depends_on(texts, "gunicorn"):
        return Command(text=f"python -m gunicorn --bind 127.0.0.1:{{port}} {module}:{name}", seen_in=path)
    return Command(text=f"python -m flask --app {module}:{name} run --port {{port}}", seen_in=path)


def _find_application(texts: Mapping[str, str], classes: str) -> tuple[str, str, str] | None:
    """Path, module and name of ``name = Class(...)`` at the beginning of a line."""
    for path, text in texts.items():
        found = re.search(rf"^(\w+)(?:: *\w+)? *= *(?:{classes})\(", text, re.MULTILINE)
        if path.endswith(".py") and found and "test" not in path:
            module = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
            return path, module, found[1]
    return None


def _find_django(texts: Mapping[str, str]) -> Command | None:
    manage = next(iter(_named(texts, "manage.py")), None)
    if manage is None or "django" not in texts[manage].lower():
        return None
    folder = manage.rpartition("/")[0]
    wsgi = next((path for path in _named(texts, "wsgi.py") if path.startswith(folder)), None)
    if wsgi and _depends_on(texts, "gunicorn"):
        module = wsgi.removeprefix(f"{folder}/").removesuffix(".py").replace("/", ".")
        where = f" --chdir {folder}" if folder else ""
        return Command(text=f"python -m gunicorn{where} --bind 127.0.0.1:{{port}} {module}", seen_in=wsgi)
    return Command(text=f"python {manage} runserver --noreload 127.0.0.1:{{port}}", seen_in=manage)


def _depends_on(texts: Mapping[str, str], package: str) -> bool:
    files = [path for path in texts if re.search(r"(?:pyproject\.toml|requirements[^/]*\.txt)$", path)]
    return any(re.search(rf"^[\s\"']*{package}\b", texts[path], re.MULTILINE) for path in files)


def _find_node(texts: Mapping[str, str]) -> Command | None:
    for path in _named(texts, "package.json"):
        try:
            package = json.loads(texts[path])
        except (ValueError, RecursionError):
            continue
        scripts = package.get("scripts") if isinstance(package, dict) else None
        if isinstance(scripts, dict) and scripts.get("start"):
            folder = path.rpartition("/")[0]
            if not folder and (text := _take_port(str(scripts["start"]))):
                return Command(text=text, seen_in=path)
            where = f" --prefix {folder}" if folder else ""
            return Command(text=f"npm start{where}", seen_in=path, env=(("PORT", "{port}"),))
    return None


def _take_port(script: str) -> str:
    """A start script that names its port, with ``{port}`` instead; empty for one that only a shell runs."""
    text, count = _PORT_OPTION.subn(r"\g<1>{port}", script)
    if count != 1 or not _PLAIN_SCRIPT.fullmatch(script):
        return ""
    return text if script.startswith("node ") else f"npx --no -- {text}"


def _find_go(texts: Mapping[str, str]) -> Command | None:
    if not _named(texts, "go.mod"):
        return None
    main = next(
        (path for path, text in texts.items() if path.endswith(".go") and "func main()" in text), None
    )
    if main is None:
        return None
    return Command(text=f"go run ./{main.rpartition('/')[0]}", seen_in=main, env=(("PORT", "{port}"),))
