"""Where editable installs lead the interpreters of a machine: to folders of code, such as head's checkout."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_SITES: Final = ("lib/python3*/site-packages", "lib/python3*/dist-packages")
# What setuptools writes where a project's top folder holds more than packages.
_FINDER: Final = re.compile(r"^MAPPING(?:\s*:[^=]*)?\s*=\s*(\{.*\})\s*$", re.MULTILINE)


def find_editable(programs: Iterable[Path]) -> tuple[Path, ...]:
    """The folders that interpreters look for modules in because of the site-packages beside them.

    ``programs`` are folders of programs, such as those of PATH. What cannot be read leads nowhere.
    """
    sites = (site for each in programs for pattern in _SITES for site in each.parent.glob(pattern))
    found = (folder for site in dict.fromkeys(sites) for folder in _list_folders(site))
    return tuple(dict.fromkeys(found))


def _list_folders(site: Path) -> Iterator[Path]:
    for path in sorted(site.glob("*.pth")):
        for line in _read(path).splitlines():
            if line.startswith(os.sep):
                yield Path(line.rstrip())
    for path in sorted(site.glob("__editable___*_finder.py")):
        if found := _FINDER.search(_read(path)):
            yield from (Path(place).parent for place in _read_mapping(found[1]))


def _read_mapping(text: str) -> Iterator[str]:
    try:
        places = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return
    if isinstance(places, dict):
        yield from (each for each in places.values() if isinstance(each, str))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
