"""Each benchmark is run now and then only: what it imports must be there all the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"
SERVED = BENCHMARKS / "diagnoses" / "served"  # run by other programs: gunicorn, uvicorn, Locust
NAMES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in BENCHMARKS.rglob("*.py")
    if SERVED not in path.parents
)

IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {error!r}")
"""


def test_benchmarks__can_be_imported():
    command = [sys.executable, "-c", IMPORTS, *NAMES]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    assert (len(NAMES) > 20, done.stdout) == (True, "")
