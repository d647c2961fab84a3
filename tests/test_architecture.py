"""Who may import whom. A module that is not in the table fails; so does a pure one that reaches outside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ci_gate"

# A unit is a module or a sub-package of ci_gate; what it may import of ci_gate beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "addresses": set(),
    "errors": {"addresses"},
    "output": set(),
    "wording": set(),
    "log_end": set(),
    "ranges": set(),
    "samples": {"errors", "ranges"},
    "readings": {"ranges"},
    "evidence": {"log_end", "errors", "ranges", "readings", "samples"},
    "workload": {"evidence", "ranges", "readings"},
    "quantities": {"errors"},
    "yaml_nodes": {"errors"},
    "yaml_source": {"errors", "yaml_nodes"},
    "thresholds": {"addresses", "wording", "errors", "quantities", "yaml_nodes", "yaml_source"},
    "keeper": set(),
    "process_group": set(),
    "containers": {"errors"},
    "watchdog": {"errors", "process_group", "containers"},
    "service": {
        "addresses",
        "log_end",
        "wording",
        "errors",
        "thresholds",
        "keeper",
        "process_group",
        "containers",
        "watchdog",
    },
    "measure": {
        *("addresses", "errors", "samples", "evidence", "ranges", "readings", "workload", "service"),
        *("process_group", "thresholds", "watchdog", "wording"),
    },
    "judge": {
        *("addresses", "wording", "errors", "samples", "evidence", "ranges", "readings", "workload"),
        "thresholds",
    },
    "report": {"wording", "evidence", "readings", "judge", "thresholds"},
    "progress": {"measure", "wording"},
    "git": {"errors"},
    "base_checkout": {"errors", "git", "watchdog"},
    "base_paths": {"errors", "git"},
    "base": {"addresses", "errors", "base_checkout", "base_paths", "git", "thresholds", "watchdog"},
    "plan": {
        "__init__",
        "addresses",
        "errors",
        "evidence",
        "ranges",
        "readings",
        "git",
        "judge",
        "thresholds",
        "workload",
    },
    "run": {
        *(
            "base",
            "errors",
            "evidence",
            "readings",
            "judge",
            "measure",
            "plan",
            "progress",
            "service",
            "thresholds",
        ),
        *("watchdog", "wording"),
    },
    "github": {"wording", "__init__", "errors"},
    "plan_problems": {"errors", "thresholds", "yaml_source"},
    "deciding_files": {"thresholds"},
    "threshold_files": {"deciding_files", "errors", "github", "thresholds"},
    "publication": {"errors", "github", "judge", "report", "threshold_files"},
    "other_run": {
        *("__init__", "errors", "github", "judge", "problems", "publication", "report", "report_files"),
        "threshold_files",
    },
    "publish": {
        *("__init__", "errors", "github", "judge", "other_run", "output", "problems", "publication"),
        *("report", "report_files", "threshold_files"),
    },
    "workflow_files": {"errors", "yaml_source"},
    "branch_filters": set(),
    "gate_jobs": {"workflow_files"},
    "gate_setup": {"branch_filters", "errors", "gate_jobs", "github", "workflow_files"},
    "gate_advice": {"branch_filters", "gate_setup", "github", "workflow_files"},
    "doctor": {"errors", "gate_advice", "gate_setup", "github", "report", "workflow_files"},
    "calibrate": {
        "wording",
        "base",
        "errors",
        "evidence",
        "readings",
        "judge",
        "plan",
        "progress",
        "run",
        "thresholds",
        "watchdog",
    },
    "overrides": {"errors", "thresholds", "yaml_source"},
    "capacity": {
        *("errors", "evidence", "judge", "measure", "overrides", "plan", "progress", "report", "run"),
        *("thresholds", "watchdog"),
    },
    "matrix": {"errors", "git"},
    "problems": {"errors"},
    "gate": {"errors", "judge", "problems", "report_files", "threshold_files"},
    "occasion": {"errors", "judge"},
    "request": {"errors", "judge", "measure", "overrides", "plan", "thresholds", "workload"},
    "scaffold": {"errors"},
    "templates": set(),
    "commands": {
        *(
            "calibrate",
            "errors",
            "evidence",
            "readings",
            "judge",
            "progress",
            "report",
            "report_files",
            "request",
            "run",
            "thresholds",
        ),
        *("scaffold", "wording"),
    },
    "commands_capacity": {"wording", "capacity", "commands", "errors", "progress", "quantities", "request"},
    "commands_ci": {
        *("errors", "gate", "git", "judge", "matrix", "occasion", "overrides", "plan_problems", "report"),
        *("output", "problems", "report_files", "request"),
    },
    "export": {"evidence", "judge", "samples", "thresholds"},
    "commands_export": {"errors", "evidence", "export", "thresholds", "wording"},
    "commands_report": {"wording", "errors", "judge", "output", "report", "report_files"},
    "report_files": {"errors", "judge", "report"},
    "last_verdict": {"errors", "github", "judge"},
    "commands_repeat": {
        *("commands_ci", "commands_github", "errors", "gate", "judge", "last_verdict", "matrix", "occasion"),
        *("report", "request"),
    },
    "commands_github": {"doctor", "errors", "github", "publication", "publish"},
    "cli": {
        "__init__",
        "commands",
        "commands_capacity",
        "commands_ci",
        "commands_export",
        "commands_github",
        "commands_repeat",
        "commands_report",
        *("errors", "output"),
    },
    "reference": set(),
}
PURE = {"judge", "report", "thresholds", "quantities", "wording", "yaml_source"}
EDGES = {"os", "time", "random", "pathlib", "subprocess", "socket", "requests", "datetime", "sys", "click"}
# Where each library with side effects is known; everybody else goes through that unit.
ONLY_IN = {
    "locust": {"measure", "reference", "templates"},
    "gevent": {"measure"},
    "docker": {"service", "containers"},
    "requests": {"containers", "github", "measure", "service"},
    "click": {
        *("cli", "commands", "commands_capacity", "commands_ci", "commands_export", "commands_github"),
        *("commands_repeat", "commands_report"),
    },
    "sqlalchemy": {"reference"},
    "psycopg": {"measure"},
    "redis": {"measure", "reference"},
    "prometheus_client": {"measure", "reference"},
    "starlette": {"reference"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


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
    if unit_of(path) in PURE:
        assert not roots & EDGES
    for library, units in ONLY_IN.items():
        assert library not in roots or unit_of(path) in units


def test_table__has_no_cycle():
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        ready = {unit for unit, needs in MAY_IMPORT.items() if needs <= done} - done
        assert ready, f"a cycle among {sorted(set(MAY_IMPORT) - done)}"
        done |= ready


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_size__modules_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 260
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 50, f"{node.name} is too long"
