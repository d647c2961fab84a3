"""Real PostgreSQL and Redis servers for tests, each on an ephemeral port of the loopback interface."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

READY_TIMEOUT_S = 30
# A server that lost the race for its port is started again on another one, this many times in all.
START_ATTEMPTS = 3


_PORTS = range(10_000, 32_000)


def free_port() -> int:
    """Below those that connections take by themselves: under load one of these is soon taken again."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def skip_or_fail(reason: str) -> None:
    """Skip the calling test, or fail it where CI_GATE_REQUIRE_ALL=1 says that nothing may be missing."""
    if os.environ.get("CI_GATE_REQUIRE_ALL") == "1":
        pytest.fail(f"CI_GATE_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def postgres_bin() -> Path | None:
    """The folder of initdb and pg_ctl: on PATH, or where Debian keeps them."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = [Path(on_path).resolve()] if on_path else debian[-1:]
    return found[0].parent if found else None


@contextmanager
def running_postgres(
    log_folder: Path, *, fsync: bool = False, gateway: str = "", max_connections: int = 200
) -> Iterator[str]:
    """Yield ``postgresql://postgres@127.0.0.1:PORT/postgres`` of a fresh server that ends with the block.

    Where the server comes with pg_stat_statements, a database may create that extension. Containers reach it
    at ``gateway``, the address of this machine on their bridge.
    """
    binaries = postgres_bin()
    if binaries is None:
        skip_or_fail("PostgreSQL (initdb) is not installed")
        return
    # Not below pytest's own folder: the server's user could not traverse it, and a socket path is short.
    folder = Path(tempfile.mkdtemp(prefix="ci-gate-pg-"))
    try:
        as_owner = _own_for_postgres(folder)
        data = str(folder / "data")
        _run(
            [*as_owner, str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"],
            cwd=folder,
        )
        if gateway:
            with Path(data, "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {gateway}/16 trust\n")
        if (binaries.parent / "lib" / "pg_stat_statements.so").exists():
            with Path(data, "postgresql.conf").open("a") as lines:
                lines.write("shared_preload_libraries = 'pg_stat_statements'\n")
        pg_ctl = [*as_owner, str(binaries / "pg_ctl"), "-D", data]
        addresses = ",".join(filter(None, ["127.0.0.1", gateway]))
        settings = f"-h {addresses} -c max_connections={max_connections} -c fsync={'on' if fsync else 'off'}"
        port = _start_postgres(pg_ctl, folder, log_folder, settings)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _run([*pg_ctl, "-m", "immediate", "-w", "stop"], cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_databases(url: str) -> str:
    """New ones for base and head, of which the server counts the statements; its URL without a database."""
    server = url.rpartition("/")[0]
    for side in ("base", "head"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {side} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {side}")
        with psycopg.connect(f"{server}/{side}", autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
    return server


def _own_for_postgres(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: give the folder to another user, return a prefix that runs as it."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def _start_postgres(pg_ctl: list[str], folder: Path, log_folder: Path, settings: str) -> int:
    log = folder / "postgres.log"
    for attempt in range(1, START_ATTEMPTS + 1):
        port = free_port()
        options = f"-p {port} -k {folder} {settings}"
        try:
            _run(
                [*pg_ctl, "-l", str(log), "-o", options, "-w", "-t", str(READY_TIMEOUT_S), "start"],
                cwd=folder,
            )
        except subprocess.CalledProcessError:
            if attempt == START_ATTEMPTS:
                shutil.copy(log, log_folder / "postgres.log")
                raise
        else:
            return port
    raise AssertionError("unreachable")


@contextmanager
def contained_postgres() -> Iterator[str]:
    """The URL of a server in a namespace of its own, as in a container: its process ids are others there."""
    binaries = postgres_bin()
    if binaries is None:
        skip_or_fail("PostgreSQL (initdb) is not installed")
        return
    try:
        _run(["unshare", "-p", "-f", "true"], cwd=Path("/"))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can give processes a namespace of their own")
    folder, port = Path(tempfile.mkdtemp(prefix="ci-gate-pg-")), free_port()
    try:
        as_owner = _own_for_postgres(folder)
        data = str(folder / "data")
        _run(
            [*as_owner, str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"],
            cwd=folder,
        )
        server = [*as_owner, str(binaries / "postgres"), "-D", data, "-k", str(folder), "-p", str(port)]
        command = ["unshare", "-p", "-f", *server, "-h", "127.0.0.1"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
            try:
                _await_postgres(binaries, port)
                yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            finally:  # the first process of a namespace takes all others with it
                for server in psutil.Process(process.pid).children():
                    server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_postgres(binaries: Path, port: int) -> None:
    """Until it takes sessions: it listens before."""
    command = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if subprocess.run(command, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"no PostgreSQL is ready on port {port}")


@contextmanager
def running_redis(folder: Path, *, gateway: str = "") -> Iterator[str]:
    """Yield ``redis://127.0.0.1:PORT/0`` of a fresh server, without persistence, that ends with the block.

    Containers reach it at ``gateway``, as in running_postgres.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        skip_or_fail("redis-server is not installed")
        return
    port = free_port()
    options = ("--save", "", "--appendonly", "no", "--protected-mode", "no")
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            [*(binary, "--port", str(port), *options), "--bind", "127.0.0.1", *filter(None, [gateway])],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_port(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=READY_TIMEOUT_S)


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}; the server's exit code is {server.poll()}")


def _run(command: list[str], *, cwd: Path) -> None:
    subprocess.run(
        command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120
    )
