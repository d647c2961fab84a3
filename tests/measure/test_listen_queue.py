"""The queue of a port, of real sockets: who waits in it, and who takes them out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid

import pytest

from ci_gate.evidence.readings import MachineReading
from ci_gate.evidence.strict_json import read_lines
from ci_gate.measure.listen_queue import read_listen_queue
from ci_gate.measure.machine import MachineMeter
from ci_gate.service.guard.process_group import find_below
from tests.images import build, connect_engine, python_image
from tests.service.services import await_true

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says so")

# A pre-fork server: the first process only starts two that accept, and each keeps what it has accepted.
TWO_WORKERS = """
import os, socket, sys, time
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=64)
print(listener.getsockname()[1], flush=True)
for _ in range(2):
    if os.fork() == 0:
        connection, _ = listener.accept()
        time.sleep(60)
time.sleep(60)
"""


class Service:
    """As `RunningService`, of one process and its port."""

    is_container = False

    def __init__(self, pid, port):
        self.pid, self.own_port = pid, port

    def ended(self):
        return None

    def restarts(self):
        return None

    def process_ids(self):
        return find_below(self.pid)


@contextlib.contextmanager
def two_workers(host="127.0.0.1", port=0):
    command = [sys.executable, "-c", TWO_WORKERS, host, str(port)]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as process:
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def connect(stack, port, number):
    for _ in range(number):
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))


def waiting(pid, port):
    queue = read_listen_queue(port, find_below(pid))
    return queue.waiting if queue else None


def test_queue__is_what_two_workers_have_not_accepted(tmp_path):
    path = tmp_path / "machine.jsonl"
    with two_workers() as (pid, port), contextlib.ExitStack() as stack:
        assert await_true(lambda: len(find_below(pid)) == 3)
        queue = read_listen_queue(port, find_below(pid))
        assert (queue.waiting, queue.accepting) == (0, None)
        connect(stack, port, 9)
        assert await_true(lambda: waiting(pid, port) == 7)
        assert read_listen_queue(port, find_below(pid)).accepting == 2
        with MachineMeter(path, Service(pid, port)) as meter:
            meter.take_reading()
    (reading,) = read_lines(path, MachineReading)
    assert (reading.service_listen_queue, reading.service_accepting) == (7, 2)


def test_queue__that_is_full_is_counted_by_who_tries_again():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2))
        port = listener.getsockname()[1]
        before = read_listen_queue(port, [os.getpid()])
        assert before.waiting == 0
        for _ in range(9):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        assert await_true(lambda: waiting(os.getpid(), port) == 3)  # Linux takes one more than was asked for
        after = read_listen_queue(port, [os.getpid()])
        assert after.overflows - before.overflows >= 6


def test_queue__of_a_socket_for_ipv4_and_ipv6():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server(("::", 0), family=socket.AF_INET6, backlog=8, dualstack_ipv6=True)
        )
        port = listener.getsockname()[1]
        connect(stack, port, 3)
        assert await_true(lambda: waiting(os.getpid(), port) == 3)
        assert read_listen_queue(port, [os.getpid()]).accepting == 1


def test_queue__of_another_program_on_another_address_does_not_count():
    with two_workers() as (pid, port), contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.2", port), backlog=8))
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.2", port), timeout=10))
        assert waiting(pid, port) == 0


def test_queue__of_nothing_that_listens_is_not_known():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert read_listen_queue(port, [os.getpid()]) is None
    assert read_listen_queue(port, []) is None
    assert read_listen_queue(port, [2**22 - 1]) is None


def test_queue__of_a_listener_among_thousands_of_connections_is_found():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        port = listener.getsockname()[1]
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            stack.enter_context(listener.accept()[0])
        connect(stack, port, 5)
        assert await_true(lambda: waiting(os.getpid(), port) == 5)


def test_queue__of_a_container_is_that_of_its_own_network():
    tag = f"ci-gate-test-listen:{uuid.uuid4().hex[:8]}"
    with connect_engine() as engine:
        dockerfile = f'FROM {python_image()}\nCOPY two.py /\nCMD ["python3", "/two.py", "0.0.0.0", "8000"]\n'
        build(engine, {"Dockerfile": dockerfile, "two.py": TWO_WORKERS}, tag)
        container = engine.containers.run(tag, detach=True)
        try:
            container.reload()
            pid = container.attrs["State"]["Pid"]
            assert await_true(lambda: len(find_below(pid)) == 3)
            address = next(iter(container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
            with contextlib.ExitStack() as stack:
                for _ in range(6):
                    stack.enter_context(socket.create_connection((address, 8000), timeout=10))
                assert await_true(lambda: waiting(pid, 8000) == 4)
                # Another user may not see what a container's processes have open.
                accepting = read_listen_queue(8000, find_below(pid)).accepting
                assert accepting == (2 if os.geteuid() == 0 else None)
        finally:
            container.remove(force=True)
            engine.images.remove(tag, force=True)
