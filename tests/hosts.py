"""Hosts for tests: network namespaces on one machine, each with an address of its own, joined by a bridge."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator

from tests.servers import skip_or_fail

MASTER_ADDRESS = "10.77.0.1"


class Host:
    """One namespace. What is started in it is ended with the block that made it."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._processes: list[subprocess.Popen[bytes]] = []

    def command(self, *words: object) -> list[str]:
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def start(self, *words: object, **options) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self.command(*words), **options)
        self._processes.append(process)
        return process

    def python(self, *words: object, **options) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, *words, **options)

    def cut_off(self) -> None:
        """Nothing comes in or goes out any more; connections are not closed."""
        self._change_cut("-I")

    def join_again(self) -> None:
        self._change_cut("-D")

    def _change_cut(self, action: str) -> None:
        for chain, direction in (("INPUT", "-i"), ("OUTPUT", "-o")):
            _run(*self.command("iptables", action, chain, direction, "eth0", "-j", "DROP"))

    def lose(self, share: float) -> None:
        """This share of all packets is lost, each way."""
        for chain in ("INPUT", "OUTPUT"):
            rule = ("-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP")
            _run(*self.command("iptables", "-A", chain, *rule))

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running_hosts(workers: int) -> Iterator[tuple[Host, ...]]:
    """The master's host, at MASTER_ADDRESS, and so many others."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "iptables"))):
        skip_or_fail("hosts cannot be made: that takes root, ip and iptables")
    mark = uuid.uuid4().hex[:6]
    hosts = tuple(Host(f"cg-{mark}-{number}", f"10.77.0.{number + 1}") for number in range(workers + 1))
    made: list[str] = []
    try:
        try:
            for host in hosts:
                _run("ip", "netns", "add", host.name)
                made.append(host.name)
                _run(*host.command("ip", "link", "set", "lo", "up"))
            _join(hosts)
        except (OSError, subprocess.CalledProcessError) as error:
            skip_or_fail(f"hosts cannot be made: {error}")
        yield hosts
    finally:
        for host in hosts:
            host.close()
        for name in made:
            _run("ip", "netns", "del", name)


def _join(hosts: tuple[Host, ...]) -> None:
    master, *others = hosts
    _run(*master.command("ip", "link", "add", "bridge", "type", "bridge"))
    _run(*master.command("ip", "addr", "add", f"{master.address}/24", "dev", "bridge"))
    _run(*master.command("ip", "link", "set", "bridge", "up"))
    for number, host in enumerate(others, start=1):
        port = f"port{number}"
        ends = (port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _run(*master.command("ip", "link", "add", *ends))
        _run(*master.command("ip", "link", "set", port, "master", "bridge", "up"))
        _run(*host.command("ip", "addr", "add", f"{host.address}/24", "dev", "eth0"))
        _run(*host.command("ip", "link", "set", "eth0", "up"))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
