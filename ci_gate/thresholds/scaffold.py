"""Gives a repository its first thresholds.yaml and a locustfile to go with it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ci_gate.errors import OutsideError, UsageError

FILES = {"thresholds.yaml": "thresholds.yaml", "load/visits.py": "visits.py"}


def scaffold(folder: Path) -> tuple[Path, ...]:
    """Write FILES below ``folder``; the paths written. Raises UsageError where one is there already."""
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise UsageError(f"{', '.join(there)}: there already; ci-gate init writes over nothing")
    templates = resources.files(__package__).joinpath("templates")
    for name, template in FILES.items():
        text = templates.joinpath(template).read_text(encoding="utf-8")
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutsideError(f"cannot write {folder / name}: {error.strerror}") from error
    return tuple(folder / name for name in FILES)
