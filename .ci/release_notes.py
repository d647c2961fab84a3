"""Prints what CHANGELOG.md says of a version: python .ci/release_notes.py vX.Y.Z.

Fails where the tag is not the version in pyproject.toml, or CHANGELOG.md has no section for it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def find_notes(changelog: str, version: str) -> str:
    """The section of ``version``, without its heading; empty where there is none."""
    heading = rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def explain_misfit(tag: str, version: str, notes: str) -> str:
    """Why this is no release; empty where it is one."""
    if tag != f"v{version}":
        return f"the tag {tag} is not v{version}, the version in pyproject.toml"
    return "" if notes else f"CHANGELOG.md has no section ## {version}, or nothing in it"


def main(tag: str) -> None:
    """Print the notes, or exit with what is wrong."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    notes = find_notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    if why := explain_misfit(tag, version, notes):
        sys.exit(why)
    print(notes)  # noqa: T201 - its output is the notes


if __name__ == "__main__":
    main(sys.argv[1])
