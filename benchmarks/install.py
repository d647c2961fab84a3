"""How long installing ci-gate takes: by uv with an empty cache and with a full one, and by pip.

As `.ci/packages` does it, which jobs, the action and `.ci/with-venv` use, into a new virtual environment each
time. A machine that has no uv gets it from PyPI first, by pip.

python -m benchmarks.install [--lock requirements-runtime.lock] [--rounds 3] [--pip]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
PYTHON = Path(sys.base_prefix, "bin", "python3")  # with pip, as a new machine has it
# Python compiles what it runs, as on any runner: compiling all of it beforehand takes longer than the rest.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure(*commands: list[str | Path], **settings: str) -> float:
    """The seconds that they took, one after the other."""
    began_s = time.monotonic()
    for command in commands:
        subprocess.run(command, env={**ENVIRONMENT, **settings}, capture_output=True, check=True)
    return time.monotonic() - began_s


def measure_ways(lock: str, folder: Path, *, with_pip: bool) -> dict[str, float]:
    """Seconds by the way."""
    caches = {"UV_CACHE_DIR": str(folder / "uv-cache"), "PIP_CACHE_DIR": str(folder / "pip-cache")}
    install = ["install", "--quiet", "--require-hashes", "-r"]
    get_uv = [PYTHON, "-m", "pip", *install, ROOT / ".ci" / "uv.lock", "--no-compile", "--target", folder]
    times_s = {"pip gets uv": measure(get_uv, **caches)}
    packages = [ROOT / ".ci" / "packages", lock, folder / "by-uv"]
    settings = {**caches, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "PYTHON": str(PYTHON)}
    times_s["uv, empty cache"] = measure(packages, **settings)
    times_s["uv, full cache"] = measure(packages, **settings)
    if with_pip:
        make = [PYTHON, "-m", "venv", folder / "by-pip"]
        pip = [folder / "by-pip" / "bin" / "pip", *install, ROOT / lock]
        times_s["pip, empty cache"] = measure(make, pip, PIP_CACHE_DIR=str(folder / "pip-cache-2"))
    return times_s


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", default="requirements-runtime.lock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pip", action="store_true", help="measure pip, too")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            rounds.append(measure_ways(options.lock, Path(name), with_pip=options.pip))
    rows = [
        (way, statistics.median(taken), min(taken), max(taken))
        for way in rounds[0]
        if (taken := [each[way] for each in rounds])
    ]
    print(tabulate(rows, headers=[options.lock, "median s", "min", "max"], tablefmt="github", floatfmt=".1f"))


if __name__ == "__main__":
    main()
