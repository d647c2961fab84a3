"""How a repository's service could be started without a container: what its files show of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_PORT_OPTION: Final = re.compile(r"((?<!\S)(?:--port|-p)[ =])[0-9]{2,5}(?!\S)")
_PLAIN_SCRIPT: Final = re.compile(r"[\w./@-]+(?: +[\w./:@=,-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How the service could be started without a container, what it needs before, and what says so."""

    text: str
    shown_in: str
    env: tuple[tuple[str, str], ...] = ()


def list_named(texts: Mapping[str, str], *names: str) -> list[str]:
    """The files of these names, nearest first, in the order of the names."""
    found = [path for name in names for path in texts if path.rpartition("/")[2] == name]
    return sorted(found, key=lambda path: path.count("/"))


def find_command(texts: Mapping[str, str]) -> Command | None:
    """The first that is found, of the text of each file by its path; None where nothing shows one."""
    finders = (_find_procfile, _find_asgi, _find_django, _find_flask, _find_node, _find_go)
    return next(filter(None, (find(texts) for find in finders)), None)


def _find_procfile(texts: Mapping[str, str]) -> Command | None:
    for path in list_named(texts, "Procfile"):
        if found := re.search(r"^web:[ \t]*(\S.*?)[ \t]*$", texts[path], re.MULTILINE):
            text = re.sub(r"\$(?:PORT\b|\{PORT(?::-[^}]*)?\})", "{port}", found[1])
            return Command(text=text, shown_in=path)
    return None


def _find_asgi(texts: Mapping[str, str]) -> Command | None:
    found = _find_application(texts, "FastAPI|Starlette|Litestar|Quart|Sanic")
    if found is None:
        return None
    path, module, name = found
    return Command(text=f"python -m uvicorn {module}:{name} --host 127.0.0.1 --port {{port}}", shown_in=path)


def _find_flask(texts: Mapping[str, str]) -> Command | None:
    found = _find_application(texts, "Flask")
    if found is None:
        return None
    path, module, name = found
    if _depends_on(texts, "gunicorn"):
        return Command(text=f"python -m gunicorn --bind 127.0.0.1:{{port}} {module}:{name}", shown_in=path)
    return Command(text=f"python -m flask --app {module}:{name} run --port {{port}}", shown_in=path)


def _find_application(texts: Mapping[str, str], classes: str) -> tuple[str, str, str] | None:
    """Path, module and name of ``name = Class(...)`` at the beginning of a line."""
    for path, text in texts.items():
        found = re.search(rf"^(\w+)(?:: *\w+)? *= *(?:{classes})\(", text, re.MULTILINE)
        if path.endswith(".py") and found and "test" not in path:
            module = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
            return path, module, found[1]
    return None


def _find_django(texts: Mapping[str, str]) -> Command | None:
    manage = next(iter(list_named(texts, "manage.py")), None)
    if manage is None or "django" not in texts[manage].lower():
        return None
    folder = manage.rpartition("/")[0]
    wsgi = next((path for path in list_named(texts, "wsgi.py") if path.startswith(folder)), None)
    if wsgi and _depends_on(texts, "gunicorn"):
        module = wsgi.removeprefix(f"{folder}/").removesuffix(".py").replace("/", ".")
        where = f" --chdir {folder}" if folder else ""
        return Command(text=f"python -m gunicorn{where} --bind 127.0.0.1:{{port}} {module}", shown_in=wsgi)
    return Command(text=f"python {manage} runserver --noreload 127.0.0.1:{{port}}", shown_in=manage)


def _depends_on(texts: Mapping[str, str], package: str) -> bool:
    files = [path for path in texts if re.search(r"(?:pyproject\.toml|requirements[^/]*\.txt)$", path)]
    return any(re.search(rf"^[\s\"']*{package}\b", texts[path], re.MULTILINE) for path in files)


def _find_node(texts: Mapping[str, str]) -> Command | None:
    for path in list_named(texts, "package.json"):
        try:
            package = json.loads(texts[path])
        except (ValueError, RecursionError):
            continue
        scripts = package.get("scripts") if isinstance(package, dict) else None
        if isinstance(scripts, dict) and scripts.get("start"):
            folder = path.rpartition("/")[0]
            if not folder and (text := _take_port(str(scripts["start"]))):
                return Command(text=text, shown_in=path)
            where = f" --prefix {folder}" if folder else ""
            return Command(text=f"npm start{where}", shown_in=path, env=(("PORT", "{port}"),))
    return None


def _take_port(script: str) -> str:
    """A start script that names its port, with ``{port}`` instead; empty for one that only a shell runs."""
    text, count = _PORT_OPTION.subn(r"\g<1>{port}", script)
    if count != 1 or not _PLAIN_SCRIPT.fullmatch(script):
        return ""
    return text if script.startswith("node ") else f"npx --no -- {text}"


def _find_go(texts: Mapping[str, str]) -> Command | None:
    if not list_named(texts, "go.mod"):
        return None
    main = next(
        (path for path, text in texts.items() if path.endswith(".go") and "func main()" in text), None
    )
    if main is None:
        return None
    return Command(text=f"go run ./{main.rpartition('/')[0]}", shown_in=main, env=(("PORT", "{port}"),))
