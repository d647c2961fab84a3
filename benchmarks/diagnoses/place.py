"""What the cases run on: servers, databases, tools and images."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import psutil
import psycopg
import redis

from benchmarks.diagnoses.documents import REPOSITORY, SERVED, SERVICE, Place
from tests.images import build, python_image
from tests.servers import running_postgres, running_redis

SIDES = ("head", "base")
TOOLS = ("gunicorn==23.0.0", "uvicorn==0.35.0", "starlette==0.47.3", "psycopg[binary,pool]==3.2.9")
REFERENCE_TAG = "ci-gate-benchmark-reference"
LEAK_TAG = "ci-gate-benchmark-leak"
TEMPLATE = "seeded"
TABLES = (
    "CREATE EXTENSION pg_stat_statements",
    "CREATE TABLE items (id int, name text)",
    "INSERT INTO items SELECT number, 'name' FROM generate_series(0, 59999) AS number",
    "CREATE INDEX items_id ON items (id)",
    "ANALYZE",
)
RESET_TIMEOUT_S = 180


@contextmanager
def running_place(*, with_engine: bool, seconds: float) -> Iterator[Place]:
    """Both servers, started anew, and everything that the cases use."""
    gateway = find_gateway() if with_engine else ""
    with (
        tempfile.TemporaryDirectory() as name,
        running_postgres(Path(name), gateway=gateway) as url,
        running_redis(Path(name), gateway=gateway) as redis_url,
    ):
        make_template(server_of(url), redis_url)
        place = Place(postgres=server_of(url), redis=redis_url, tools=install_tools(), seconds=seconds)
        if with_engine:
            place = replace(place, image=build_reference(), leak_image=build_leak())
        yield place


@contextmanager
def with_few_connections(place: Place, number: int) -> Iterator[Place]:
    """The same with a PostgreSQL of so many connections."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_postgres(Path(name), max_connections=number) as url,
    ):
        make_template(server_of(url), place.redis)
        yield replace(place, postgres=server_of(url))


def server_of(url: str) -> str:
    """A URL without the name of its database."""
    return url.rpartition("/")[0]


def make_template(postgres: str, redis_url: str) -> None:
    """The database that each run's are copies of: the tables of both services as they are at first."""
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    url = f"{postgres}/{TEMPLATE}"
    env = {**os.environ, "DATABASE_URL": url, "REDIS_URL": redis_url}
    subprocess.run([*SERVICE, "reset"], env=env, cwd=REPOSITORY, check=True, timeout=RESET_TIMEOUT_S)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement)


def reset_databases(place: Place, head_statement: str) -> None:
    """A new database for each side, whoever still uses the old one; and an empty Redis."""
    with psycopg.connect(f"{place.postgres}/postgres", autocommit=True) as connection:
        for side in SIDES:
            connection.execute(f"DROP DATABASE IF EXISTS {side} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {side} TEMPLATE {TEMPLATE}")
    with psycopg.connect(f"{place.postgres}/head", autocommit=True) as connection:
        connection.execute("SELECT pg_stat_statements_reset()")
        if head_statement:
            connection.execute(head_statement)
    with redis.Redis.from_url(place.redis) as client:
        client.flushall()


def install_tools() -> Path:
    """The folder of gunicorn and uvicorn, in an environment that is made once."""
    digest = hashlib.sha256("\n".join(TOOLS).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / f"ci-gate-benchmark-{digest}"
    if not (folder / "installed").exists():
        python = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *TOOLS], check=True, timeout=300)
        (folder / "installed").touch()
    return folder / "bin"


def has_engine() -> bool:
    """Whether a Docker engine answers."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60).returncode == 0


def find_gateway() -> str:
    """The address of this machine on the bridge of its containers."""
    bridge = docker.from_env().networks.get("bridge").attrs["Options"]["com.docker.network.bridge.name"]
    return next(each.address for each in psutil.net_if_addrs()[bridge] if each.family is socket.AF_INET)


def build_reference() -> str:
    """The image of the reference service, on a base that is made here, so that nothing is pulled."""
    base = python_image()
    with tempfile.TemporaryDirectory() as name:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "reference_service", Path(name, "reference_service"), ignore=ignored)
        docker.from_env().images.build(
            path=name,
            dockerfile="reference_service/Dockerfile",
            buildargs={"BASE": base},
            tag=REFERENCE_TAG,
            rm=True,
            forcerm=True,
        )
    return REFERENCE_TAG


def build_leak() -> str:
    """The image of the service that keeps something of each request."""
    text = f'FROM {python_image()}\nCOPY leak.py /leak.py\nEXPOSE 8000\nENTRYPOINT ["python3", "/leak.py"]\n'
    files = {"Dockerfile": text, "leak.py": (SERVED / "leak.py").read_text(encoding="utf-8")}
    return build(docker.from_env(), files, LEAK_TAG)
