"""The end of a run: workers are told so, and what had not come is fetched."""

from __future__ import annotations

import threading
import time

import pytest

from ci_gate.addresses import HostPort
from ci_gate.evidence.delivery import DELIVERY_FILE, Delivery
from ci_gate.evidence.recording import write_json
from ci_gate.evidence.samples import ENDED_WELL, SampleWriter
from ci_gate.measure.remote.connection import Connection
from ci_gate.measure.remote.farewell import dismiss
from ci_gate.measure.remote.messages import Acknowledgement, Done, Hello, Unknown
from ci_gate.measure.remote.outbox import Outbox
from ci_gate.measure.remote.receiver import Receiver
from tests.servers import free_port

SECRET = "tested by all that is here"
RECORDING = "0" * 32


@pytest.fixture
def farewell(tmp_path):
    """Starts the end of a run with so many workers; its lines are there once it is over."""
    address = HostPort("127.0.0.1", free_port())
    lines = []

    def start(workers):
        folders = {RECORDING: tmp_path / "head"}
        (tmp_path / "head").mkdir()
        thread = threading.Thread(target=lambda: lines.extend(dismiss(address, SECRET, workers, folders)))
        thread.start()
        threads.append(thread)
        return address

    threads = []
    yield start, lines
    for thread in threads:
        thread.join(30)


def make_outbox(own):
    """Of a worker with one short file."""
    own.mkdir()
    (own / "marks.jsonl").write_text("{}\n")
    return Outbox(own, RECORDING, 1)


def await_answer(connection, message, kind):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        connection.send(message)
        if isinstance(answer := connection.receive(0.2), kind):
            return answer
    raise AssertionError(f"no {kind}")


def test_recording_that_had_not_come__is_fetched(farewell, tmp_path):
    start, lines = farewell
    own = tmp_path / "own"
    own.mkdir()
    writer = SampleWriter(own)
    for _ in range(20_000):
        writer.write(1.0, 1.0, 5.0, 100, 0, 0, 0, 0, 200, 0, ENDED_WELL)
    writer.close()
    write_json(own / DELIVERY_FILE, Delivery(machine="one", rows=20_000))
    outbox = Outbox(own, RECORDING, 1)
    outbox.close()
    outbox.send_last(DELIVERY_FILE)
    with Connection(start(1), SECRET) as connection:
        await_answer(connection, Hello(version="1", name="one"), Done)
        copy = tmp_path / "head" / "worker-1"
        Receiver(copy).begin(connection.name.encode())  # as the desk did
        deadline = time.monotonic() + 20
        while not (copy / DELIVERY_FILE).exists():
            assert time.monotonic() < deadline
            for block in outbox.take():
                connection.send(block)
            if isinstance(answer := connection.receive(0.1), Acknowledgement):
                outbox.note(answer)
    assert (copy / "samples.bin").read_bytes() == (own / "samples.bin").read_bytes()
    assert lines == []


def test_worker_that_does_not_come__is_named_where_it_had_begun(farewell, tmp_path, monkeypatch):
    monkeypatch.setattr("ci_gate.measure.remote.farewell.MAX_WAIT_S", 1.0)
    start, lines = farewell
    address = start(2)
    (tmp_path / "head" / "worker-2").mkdir()
    with Connection(address, SECRET) as connection:
        await_answer(connection, Hello(version="1", name="one"), Done)
        other = Outbox(tmp_path / "head", "1" * 32, 1)
        (tmp_path / "head" / "marks.jsonl").write_text("{}\n")
        (block,) = [each for each in other.take() if each.file == "marks.jsonl"]
        await_answer(connection, block, Unknown)
    deadline = time.monotonic() + 30
    while not lines:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (line,) = lines
    assert line.startswith("the recording of worker 2 is not whole")
    assert str(tmp_path / "head" / "worker-2") in line


def test_recording_of_another_worker__is_not_added_to(farewell, tmp_path, monkeypatch):
    """One whose place was given to another sends what it still has: that belongs to nobody's recording."""
    monkeypatch.setattr("ci_gate.measure.remote.farewell.MAX_WAIT_S", 2.0)
    start, _ = farewell
    (block,) = make_outbox(tmp_path / "own").take()
    address = start(2)
    copy = tmp_path / "head" / "worker-1"
    with Connection(address, SECRET) as displaced, Connection(address, SECRET) as admitted:
        Receiver(copy).begin(admitted.name.encode())
        await_answer(displaced, block, Unknown)
        assert not copy.exists()
        await_answer(admitted, block, Acknowledgement)
        await_answer(displaced, block, Unknown)
        assert (copy / "marks.jsonl").read_text() == "{}\n"
        for connection in (displaced, admitted):
            await_answer(connection, Hello(version="1", name="one"), Done)


def test_worker_that_sends_slowly__is_waited_for(farewell, tmp_path, monkeypatch):
    """A block may take longer than all is quiet after the last one, on a slow network."""
    monkeypatch.setattr("ci_gate.measure.remote.farewell._QUIET_S", 0.2)
    start, lines = farewell
    own = tmp_path / "own"
    outbox = make_outbox(own)
    (block,) = outbox.take()
    with Connection(start(1), SECRET) as connection:
        Receiver(tmp_path / "head" / "worker-1").begin(connection.name.encode())
        assert outbox.note(await_answer(connection, block, Acknowledgement))
        await_answer(connection, Hello(version="1", name="one"), Done)
        time.sleep(1)
        write_json(own / DELIVERY_FILE, Delivery(machine="one", rows=0))
        outbox.send_last(DELIVERY_FILE)
        (last,) = outbox.take()
        await_answer(connection, last, Acknowledgement)
    assert lines == []
