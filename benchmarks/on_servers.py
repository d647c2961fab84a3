"""The four scenarios on PostgreSQL and Redis, with the service in a container built from its Dockerfile.

Starts both servers and builds the image (on a base made by debootstrap, so that nothing is pulled), then
runs `ci-gate run` with what is left of the arguments. Needs Docker, PostgreSQL and Redis:

    python -m benchmarks.on_servers --profile quick --out FOLDER
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.diagnoses.place import build_reference, find_gateway
from tests.servers import running_postgres, running_redis

REPOSITORY = Path(__file__).parents[1]


def main() -> int:
    """The exit code of ci-gate run."""
    gateway, image = find_gateway(), build_reference()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        thresholds = yaml.safe_load((REPOSITORY / "thresholds.yaml").read_text(encoding="utf-8"))
        thresholds["service"] |= {"image": image, "port": 8000}
        thresholds["service"]["before_each"] = "python3 -m reference_service.service reset"
        del thresholds["service"]["command"]
        (folder / "thresholds.yaml").write_text(yaml.safe_dump(thresholds, sort_keys=False), encoding="utf-8")
        with (
            running_postgres(folder, gateway=gateway) as database,
            running_redis(folder, gateway=gateway) as redis,
        ):
            env = {
                **os.environ,
                "DATABASE_URL": database.replace("127.0.0.1", "host.docker.internal"),
                "REDIS_URL": redis.replace("127.0.0.1", "host.docker.internal"),
            }
            command = [
                sys.executable,
                "-m",
                "ci_gate",
                "run",
                "--thresholds",
                str(folder / "thresholds.yaml"),
            ]
            return subprocess.run([*command, *sys.argv[1:]], env=env, cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
