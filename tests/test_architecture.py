"""Who may import whom. A module that is not in the table fails; so does a pure one that reaches outside.

docs/architecture.md draws it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ci_gate"
TESTS_FOLDER = Path(__file__).parent
TESTS = sorted(TESTS_FOLDER.rglob("*.py"))
OURS = ("ci_gate", "reference_service", "tests", "benchmarks")

# From the lowest floor to the highest: each row names only rows above it. A unit is a room of ci_gate, or a
# file beside the rooms; what it may import of ci_gate beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "addresses": set(),
    "wording": set(),
    "errors": {"addresses"},
    "evidence": {"addresses", "errors"},
    "thresholds": {"addresses", "errors", "wording"},
    "judge": {"addresses", "errors", "evidence", "thresholds", "wording"},
    "service": {"addresses", "errors", "evidence", "thresholds", "wording"},
    "measure": {"addresses", "errors", "evidence", "service", "thresholds", "wording"},
    "report": {"addresses", "errors", "evidence", "judge", "thresholds", "wording"},
    "run": {
        "addresses",
        "errors",
        "evidence",
        "judge",
        "measure",
        "report",
        "service",
        "thresholds",
        "wording",
    },
    "github": {"__init__", "errors", "evidence", "judge", "report", "run", "thresholds", "wording"},
    "cli": {
        "__init__",
        "addresses",
        "errors",
        "evidence",
        "github",
        "judge",
        "measure",
        "report",
        "run",
        "thresholds",
        "wording",
    },
    "__main__": {"cli"},
}
PURE = {"judge", "report", "thresholds", "wording"}
# Files of a pure unit whose work is at an edge.
AT_AN_EDGE = {"report/files.py", "report/output.py"}
EDGES = {"os", "time", "random", "pathlib", "subprocess", "socket", "requests", "datetime", "sys", "click"}
# Where each library with side effects is known; everybody else goes through that unit.
ONLY_IN = {
    "locust": {"measure", "cli"},
    "gevent": {"measure"},
    "docker": {"service"},
    "requests": {"github", "measure", "service"},
    "click": {"cli"},
    "sqlalchemy": set(),
    "psycopg": {"measure"},
    "redis": {"measure"},
    "prometheus_client": {"measure"},
    "starlette": set(),
}
MODULES = sorted(PACKAGE.rglob("*.py"))
REFERENCE_SERVICE = sorted((PACKAGE.parent / "reference_service").rglob("*.py"))


def unit_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Full names of everything imported, also inside functions and under TYPE_CHECKING."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            assert node.module is not None
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports__allowed(path):
    unit = unit_of(path)
    assert unit in MAY_IMPORT, f"{unit} is new: add it to the table"
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("ci_gate.")}
    known = {other if other in MAY_IMPORT else "__init__" for other in ours}
    assert known <= MAY_IMPORT[unit] | {unit}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports__pure_units_reach_nothing_outside(path):
    roots = {name.split(".")[0] for name in imports_of(path)}
    if unit_of(path) in PURE and path.relative_to(PACKAGE).as_posix() not in AT_AN_EDGE:
        assert not roots & EDGES
    for library, units in ONLY_IN.items():
        assert library not in roots or unit_of(path) in units


@pytest.mark.parametrize("path", REFERENCE_SERVICE, ids=lambda path: path.name)
def test_imports__the_reference_service_stands_alone(path):
    assert "ci_gate" not in {name.split(".")[0] for name in imports_of(path)}


def test_table__is_an_order_from_floor_to_floor():
    below: set[str] = set()
    for unit, needs in MAY_IMPORT.items():
        assert needs <= below, f"{unit} stands below what it imports: {needs - below}"
        below.add(unit)


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_room__has_no_circle_inside(room):
    """Among the rooms and files directly inside a room."""
    needs: dict[str, set[str]] = {}
    for path in sorted((PACKAGE / room).rglob("*.py")):
        unit = path.relative_to(PACKAGE / room).parts[0].removesuffix(".py")
        inside = {name.split(".")[2] for name in imports_of(path) if name.startswith(f"ci_gate.{room}.")}
        needs.setdefault(unit, set()).update(inside - {unit})
    done: set[str] = set()
    while rest := needs.keys() - done:
        ready = {unit for unit in rest if needs[unit] & needs.keys() <= done}
        assert ready, f"a circle among {sorted(rest)}"
        done |= ready


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_size__is_far_from_what_nobody_reads_at_once(path):
    """A module of 250 lines or a function of 40 is looked at; no idea is cut in two for these bounds."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 60, f"{node.name} is too long"


def test_document__draws_every_room_and_only_arrows_that_are_allowed():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {*re.findall(r"<b>(\w+)</b>", picture)} == rooms
    for room, targets in re.findall(r"^ +(\w+)\[.*\] --> (.*)$", picture, re.MULTILINE):
        assert {*targets.split(" & ")} <= MAY_IMPORT[room]
    for path in re.findall(r"`([a-z_/]+/[a-z_]+(?:\.py|\.json)?)`", page):
        found = [*PACKAGE.glob(path), *PACKAGE.glob(f"*/{path}"), *PACKAGE.parent.glob(path)]
        assert found, f"{path} is nowhere"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(TESTS_FOLDER)))
def test_tests__import_no_private_name(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            private = [each.name for each in node.names if each.name.startswith("_")]
            assert not private, f"line {node.lineno}: {', '.join(private)}"
