"""The files of a worker on their way to the master: whole, in order, and each byte once."""

from __future__ import annotations

import random

import msgspec
import pytest

from ci_gate.evidence.delivery import DELIVERY_FILE, Delivery
from ci_gate.evidence.processes import read_worker
from ci_gate.evidence.recording import write_json
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_WELL, SampleWriter
from ci_gate.measure.remote.messages import BLOCK_BYTES, MALFORMED, Block, Hello, pack, read_question
from ci_gate.measure.remote.outbox import Outbox
from ci_gate.measure.remote.receiver import Receiver

RECORDING = "0" * 32


class Sender:
    """A worker that records, and the copy that the master has."""

    def __init__(self, folder):
        self.own, self.copy = folder / "own", folder / "copy"
        self.own.mkdir()
        self.now_s = 100.0
        self.writer = SampleWriter(self.own)
        self.outbox = Outbox(self.own, RECORDING, 1, lambda: self.now_s)
        self.receiver = Receiver(self.copy)

    def write(self, rows):
        for number in range(rows):
            endpoint = self.writer.string_id(f"GET /{number % 7}")
            self.writer.write(1.0, 1.0, 5.0, 100, endpoint, 0, 0, 0, 200, 0, ENDED_WELL)

    def end(self):
        self.writer.close()
        self.outbox.close()

    def carry(self, keep=lambda _block: True, acknowledge=lambda: True):
        """Blocks for which ``keep`` is false are lost, as is what ``acknowledge`` says of an answer."""
        for block in tuple(self.outbox.take()):
            if keep(block):
                answer = self.receiver.take(block)
                if acknowledge():
                    self.outbox.note(answer)

    def carry_all(self):
        for _ in range(1000):
            if self.outbox.is_empty():
                return
            self.carry()
            self.now_s += 5
        raise AssertionError("it never ends")

    def assert_equal(self):
        for name in ("samples.bin", "strings.jsonl"):
            assert (self.copy / name).read_bytes() == (self.own / name).read_bytes()


@pytest.fixture
def sender(tmp_path):
    return Sender(tmp_path)


def test_rows__are_sent_while_they_are_written(sender):
    for rows in (0, 1, 500, 20_000, 3):
        sender.write(rows)
        sender.carry_all()
    assert sender.outbox.rows == 20_504
    sender.end()
    sender.carry_all()
    sender.assert_equal()
    assert sender.outbox.sent_again == 0


def test_texts__arrive_before_the_rows_that_name_them(sender):
    sender.write(10)
    names = [block.file for block in sender.outbox.take()]
    assert names.index("strings.jsonl") < names.index("samples.bin")


def test_lost_blocks_and_answers__are_sent_again_and_nothing_counts_twice(sender):
    chance = random.Random(5)
    sender.write(60_000)
    for _ in range(200):
        sender.carry(lambda _: chance.random() > 0.4, lambda: chance.random() > 0.4)
        sender.now_s += 4
    sender.end()
    sender.carry_all()
    sender.assert_equal()
    assert sender.outbox.sent_again > 3


def test_block_that_comes_twice_or_too_early__adds_nothing(sender):
    sender.write(12_000)
    first, second = [block for block in sender.outbox.take() if block.file == "samples.bin"][:2]
    assert sender.receiver.take(second).size == 0
    assert sender.receiver.take(first).size == BLOCK_BYTES
    assert sender.receiver.take(first).size == BLOCK_BYTES
    assert sender.receiver.take(second).size == BLOCK_BYTES + len(second.data)
    overlapping = msgspec.structs.replace(first, data=b"\xff" * BLOCK_BYTES)
    sender.receiver.take(overlapping)
    assert (sender.copy / "samples.bin").read_bytes() == (sender.own / "samples.bin").read_bytes()[
        : BLOCK_BYTES + len(second.data)
    ]


def test_worker_that_was_killed__has_sent_the_rows_and_no_space_behind_them(sender):
    sender.write(5)
    sender.outbox.close()  # its file was not closed
    sender.carry_all()
    rows = (sender.copy / "samples.bin").read_bytes()
    assert len(rows) < len((sender.own / "samples.bin").read_bytes())
    assert sender.outbox.rows == 5


@pytest.mark.parametrize("is_killed", [True, False])
def test_delivery__says_how_many_rows_are_read_of_either_copy(sender, is_killed):
    sender.write(70_000)
    if is_killed:
        sender.outbox.close()  # its file was not closed: space is behind the rows
    else:
        sender.end()
    sender.carry_all()
    write_json(sender.own / DELIVERY_FILE, Delivery(machine="one", rows=sender.outbox.rows))
    sender.outbox.send_last(DELIVERY_FILE)
    sender.carry_all()
    assert [read_worker(1, folder).rows for folder in (sender.own, sender.copy)] == [70_000, 70_000]
    with (sender.copy / "samples.bin").open("ab") as file:
        file.write(b"\1" * SAMPLE_DTYPE.itemsize)
    assert read_worker(1, sender.copy).rows == 70_001


def test_delivery__comes_last(sender):
    sender.write(12_000)
    sender.end()
    write_json(sender.own / DELIVERY_FILE, Delivery(machine="one", rows=12_000))
    sender.outbox.send_last(DELIVERY_FILE)
    sender.carry(lambda block: block.offset == 0)
    assert not (sender.copy / DELIVERY_FILE).exists()
    assert not sender.receiver.is_whole()
    sender.now_s += 5
    sender.carry_all()
    assert sender.receiver.is_whole()
    sender.assert_equal()


BLOCK = {
    "type": "block",
    "recording": RECORDING,
    "number": 1,
    "file": "samples.bin",
    "offset": 0,
    "data": b"x",
}


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../plan.json"},
        {"file": "/etc/passwd"},
        {"file": "samples.bin\n"},
        {"file": "plan.json"},
        {"number": 0},
        {"number": 65},
        {"offset": -1},
        {"offset": 2**60},
        {"data": b"x" * (BLOCK_BYTES + 1)},
        {"data": "text"},
        {"recording": "../../"},
        {"more": 1},
        {"type": "work"},
    ],
)
def test_message_that_no_worker_sends__is_refused(change):
    read_question(msgspec.msgpack.encode(("ci_gate", BLOCK, "worker")))
    with pytest.raises(MALFORMED):
        read_question(msgspec.msgpack.encode(("ci_gate", BLOCK | change, "worker")))


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x93", b"\x81" * 10_000, b"\x91" * 100_000, b"null"])
def test_frame_that_is_no_message__is_refused(frame):
    with pytest.raises(MALFORMED):
        read_question(frame)


def test_message_of_locusts__is_left_to_locust():
    assert read_question(msgspec.msgpack.encode(("heartbeat", {"state": "ready"}, "worker"))) is None
    hello = Hello(version="1", name="one")
    assert read_question(pack(hello, "worker")) == hello


def test_file__has_a_bound(sender):
    sender.copy.mkdir()
    with (sender.copy / "marks.jsonl").open("wb") as file:
        file.truncate(64 * 1024**2 - 1)
    block = Block(recording=RECORDING, number=1, file="marks.jsonl", offset=64 * 1024**2 - 1, data=b"ab")
    assert sender.receiver.take(block).size == 64 * 1024**2 - 1
