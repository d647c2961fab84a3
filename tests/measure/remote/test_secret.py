"""Who does not know the secret is not heard: neither by Locust's master, nor as one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import zmq

import ci_gate
from ci_gate.addresses import HostPort, parse_host_port
from ci_gate.errors import OutsideError, UsageError
from ci_gate.measure.remote.connection import Connection
from ci_gate.measure.remote.messages import (
    Block,
    Hello,
    Join,
    Ping,
    Pong,
    Unknown,
    Wait,
    Work,
    pack,
    read_answer,
)
from ci_gate.measure.remote.secret import (
    MIN_LENGTH,
    protect_client,
    protect_server,
    read_secret,
)
from tests.servers import free_port

SECRET = "tested by all that is here"
READY = ("client_ready", "2.0", None)


class Master:
    """The driver, and what it says of its workers."""

    def __init__(self, process, port, log):
        self._process, self.port, self._log = process, port, log
        self.await_workers([])

    def await_workers(self, names):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                line = json.loads(self._process.stdout.readline())
                if line == names:
                    return
                assert set(line) <= set(names), f"{line} were let in"
        raise AssertionError(f"never had {names}; its log: {self._log.read_text()}")

    def await_log(self, text):
        deadline = time.monotonic() + 30
        while text not in self._log.read_text():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)


@pytest.fixture
def master(tmp_path):
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "tests.measure.remote.master_driver", str(port), SECRET, str(tmp_path)]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            cwd=Path(__file__).parents[3],
            bufsize=0,
        ) as process,
    ):
        try:
            yield Master(process, port, log)
        finally:
            process.kill()


class Peer:
    """A socket that speaks to the master, as its worker or as whoever else."""

    def __init__(self, socket, name):
        self._socket, self.name = socket, name

    def send(self, kind, data, name=None):
        """A message as Locust sends it."""
        self.send_raw(msgspec.msgpack.encode((kind, data, name or self.name)))

    def send_raw(self, frame):
        with contextlib.suppress(zmq.Again):  # it is refused already, and would wait for ever
            self._socket.send(frame, zmq.NOBLOCK)

    def say(self, message):
        self.send_raw(pack(message, self.name))

    def hear(self, timeout_s=10.0):
        """The next answer of the desk, or Locust's own message as (type, data)."""
        assert self._socket.poll(timeout_s * 1000), "no answer"
        frame = self._socket.recv()
        return read_answer(frame) or tuple(msgspec.msgpack.decode(frame)[:2])

    def hears_nothing(self):
        return not self._socket.poll(300)


@pytest.fixture
def connect(master):
    with contextlib.ExitStack() as stack:
        context = stack.enter_context(zmq.Context())

        def make(name, secret=SECRET):
            socket = stack.enter_context(context.socket(zmq.DEALER))
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.IDENTITY, name.encode())
            if secret:
                protect_client(socket, secret)
            socket.connect(f"tcp://127.0.0.1:{master.port}")
            return Peer(socket, name)

        yield make


@pytest.fixture
def join(connect, master):
    """Lets a worker take part, as ``ci-gate worker`` and its Locust do; returns both."""

    def join(name):
        agent, worker = connect(f"agent of {name}"), connect(name)
        agent.say(Hello(version=ci_gate.__version__, name=name))
        work = agent.hear()
        assert isinstance(work, Work)
        worker.say(Join(ticket=work.ticket))
        worker.send("client_ready", "2.0")
        assert worker.hear()[0] == "ack"
        return agent, worker, work

    return join


def test_master__hears_only_who_knows_the_secret_and_has_a_part(master, connect, join):
    """Not a worker of Locust's own, one with another secret, or one that was given no part."""
    without, other, idle = connect("without", None), connect("other", SECRET + "?"), connect("idle")
    for peer in (without, other, idle):
        peer.say(Join(ticket="0" * 32))
        peer.send("client_ready", "2.0")
        peer.send("locustfile", {"version": "2.0"})
    assert all(peer.hears_nothing() for peer in (without, other, idle))
    master.await_log("Refused a connection: it does not prove the secret")
    master.await_log("its sender has no part in this recording")
    _, worker, work = join("worker")
    master.await_workers(["worker"])
    assert work.target.url == "http://127.0.0.1:9"
    assert work.target.crew is None
    assert SECRET not in str(work)
    worker.send("heartbeat", {"state": "ready", "current_cpu_usage": 1})
    assert worker.hear()[0] == "heartbeat"


def test_worker_that_sends_nonsense__is_dropped_and_the_others_are_heard(master, connect, join):
    _, worker, _ = join("worker")
    _, rude, _ = join("rude")
    for frame in (b"", b"\xc1", b"\x93\xa1", b"\x91" * 100_000, b"\xdf\xff\xff\xff\xff", os.urandom(1000)):
        rude.send_raw(frame)
    rude.send("client_stopped", None, "worker")  # in the other's name
    rude.send("locustfile", {"version": "2.0"})  # asks for code
    rude.send("heartbeat", {"__datetime__": True, "as_str": "no date"})
    rude.send("quit", None, "worker")
    rude.send_raw(msgspec.msgpack.encode((7, None, "rude")))
    worker.send("heartbeat", {"state": "ready", "current_cpu_usage": 1})
    assert worker.hear()[0] == "heartbeat"
    master.await_log("it has the name of another worker")
    master.await_log("no worker sends such a message")
    assert rude.hears_nothing()
    master.await_workers(["rude", "worker"])


def test_ticket__is_of_one_worker_and_a_place_of_one_agent(master, connect, join):
    _, _, work = join("worker")
    second = connect("second")
    second.say(Join(ticket=work.ticket))
    second.send("client_ready", "2.0")
    join("third")
    fourth = connect("agent of fourth")
    fourth.say(Hello(version=ci_gate.__version__, name="fourth"))
    assert isinstance(fourth.hear(), Wait)
    block = Block(recording=work.recording, number=work.number, file="marks.jsonl", offset=0, data=b"{}")
    fourth.say(block)  # of another's recording
    assert isinstance(fourth.hear(), Unknown)
    fourth.say(Ping(monotonic_s=1.0))
    assert isinstance(fourth.hear(), Pong)
    assert second.hears_nothing()
    master.await_workers(["third", "worker"])


def test_other_version__has_no_part(connect):
    agent = connect("agent")
    agent.say(Hello(version="0.0.1", name="old"))
    assert "the master is ci-gate" in agent.hear().why


@pytest.mark.parametrize("secret", [None, SECRET + "?"], ids=["none", "another"])
def test_worker__refuses_a_master_that_does_not_prove_the_secret(secret, monkeypatch):
    monkeypatch.setattr("ci_gate.measure.remote.connection.MAX_REFUSED_S", 0.5)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        if secret:
            protect_server(server, secret)
        port = server.bind_to_random_port("tcp://127.0.0.1")
        with Connection(HostPort("127.0.0.1", port), SECRET) as connection:
            connection.send(Hello(version="1", name="one"))
            with pytest.raises(OutsideError, match="does not prove the secret"):
                connection.receive(20)
        assert not server.poll(0)


def test_secret__of_a_file_or_the_environment(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"  {SECRET}\n")
    assert read_secret(path, "") == read_secret(None, SECRET) == SECRET
    with pytest.raises(UsageError, match="is missing"):
        read_secret(None, "")
    with pytest.raises(UsageError, match="is too short"):
        read_secret(None, "x" * (MIN_LENGTH - 1))
    with pytest.raises(UsageError, match="No such file"):
        read_secret(tmp_path / "nowhere", "")
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(UsageError, match="not UTF-8"):
        read_secret(path, "")


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.1:5557", ("10.0.0.1", 5557)), ("[::1]:80", ("::1", 80)), ("host:1", ("host", 1))],
)
def test_address__read_and_written_as_in_a_url(text, address):
    assert parse_host_port(text) == address
    assert str(parse_host_port(text)) == text


@pytest.mark.parametrize(
    "text", ["", ":5557", "host", "host:", "host:0", "host:99999", "a@host:1", "host:1/x", "::1"]
)
def test_address__that_is_none(text):
    with pytest.raises(ValueError):  # noqa: PT011 - each has another text
        parse_host_port(text)
