"""Who of the workers has which part, and who is given up."""

from __future__ import annotations

import pytest

import ci_gate
from ci_gate.evidence.delivery import DELIVERY_FILE
from ci_gate.measure.remote.desk import MAX_SILENCE_S, Desk
from ci_gate.measure.remote.messages import (
    Acknowledgement,
    Block,
    Ended,
    Hello,
    Join,
    Ping,
    Pong,
    Refusal,
    Unknown,
    Wait,
    Work,
)
from ci_gate.measure.target import Crew, Target
from tests.measure.conftest import make_plan

RECORDING = "0" * 32


class Worker:
    """One agent and its Locust, at a desk."""

    def __init__(self, desk, name):
        self._desk, self.name = desk, name
        self.agent, self.locust = f"agent {name}".encode(), f"locust {name}".encode()

    def hello(self):
        return self.say(Hello(version=ci_gate.__version__, name=self.name))

    def join(self):
        work = self.hello()
        assert isinstance(work, Work)
        self.number = work.number
        self._desk.hear(self.locust, Join(ticket=work.ticket))
        return work

    def say(self, question):
        return self._desk.hear(self.agent, question)

    def send(self, file, data, number=None, size=0):
        number = number or self.number
        block = Block(recording=RECORDING, number=number, file=file, offset=0, data=data, size=size)
        return self.say(block)

    def end(self):
        self.say(Ended(recording=RECORDING, number=self.number))


class Room:
    """A desk for two workers, and its clock."""

    def __init__(self, folder):
        self.folder, self.now_s = folder, 1000.0
        crew = Crew(host="127.0.0.1", port=1, secret="x" * 16, recording=RECORDING, files={})
        plan = make_plan("visits.py", {"Visitor": 2}, processes=2, remote=True)
        self.desk = Desk(plan, folder, Target(url="http://h", crew=crew), lambda: self.now_s)
        self.one, self.two, self.three = (Worker(self.desk, name) for name in ("one", "two", "three"))

    def pass_time(self, *talking):
        for _ in range(20):
            self.now_s += MAX_SILENCE_S / 10
            for worker in talking:
                assert isinstance(worker.say(Ping(monotonic_s=1.0)), Pong)


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


def test_parts__are_given_once_and_kept(room):
    assert room.one.join().number == 1
    assert room.two.join().number == 2
    assert room.one.hello().number == 1  # its first answer was lost
    assert isinstance(room.three.hello(), Wait)
    assert room.desk.is_admitted(room.one.locust)
    assert not room.desk.is_admitted(room.three.locust)
    assert not room.desk.has_gone()


def test_part_of_one_that_is_silent_before_the_load__is_given_anew_and_its_files_begin_anew(room):
    room.one.join()
    room.two.join()
    room.one.send("marks.jsonl", b"of the first\n")
    room.pass_time(room.two)
    assert room.desk.has_gone()
    assert room.three.join().number == 1
    assert not room.desk.has_gone()
    assert not room.desk.is_admitted(room.one.locust)
    assert isinstance(room.one.send("marks.jsonl", b"late\n"), Unknown)
    assert isinstance(room.three.send("marks.jsonl", b"of the third\n"), Acknowledgement)
    assert (room.folder / "worker-1" / "marks.jsonl").read_bytes() == b"of the third\n"


def test_part_of_one_that_is_silent_in_the_load__is_lost_and_nobody_takes_it(room):
    room.one.join()
    room.two.join()
    room.desk.begin()
    room.pass_time(room.two)
    assert room.desk.has_gone()
    assert isinstance(room.three.hello(), Wait)
    assert isinstance(room.three.send("marks.jsonl", b"{}", number=1), Unknown)


def test_part_of_one_that_refuses__is_free(room):
    room.one.join()
    room.one.say(Refusal(why="visits.py is missing"))
    assert room.three.hello().number == 1


def test_one_that_has_ended__is_awaited_until_all_has_come(room):
    for worker in (room.one, room.two):
        worker.join()
    room.desk.begin()
    assert not room.desk.has_ended()
    room.one.end()
    assert room.desk.has_ended()
    assert isinstance(room.one.hello(), Wait)
    nobody = frozenset()
    assert room.desk.is_awaited(nobody)
    for worker in (room.one, room.two):
        worker.send(DELIVERY_FILE, b"{}", size=2)
    assert not room.desk.is_awaited(nobody)


def test_one_that_is_silent_or_of_which_locust_hears_nothing__is_not_awaited(room):
    for worker in (room.one, room.two):
        worker.join()
    room.two.send(DELIVERY_FILE, b"{}", size=2)
    assert room.desk.is_awaited(frozenset())
    assert not room.desk.is_awaited(frozenset({"locust one"}))
    room.pass_time(room.two)
    assert not room.desk.is_awaited(frozenset())


def test_document__is_there_as_a_whole_or_not_at_all(room):
    room.one.join()
    path = room.folder / "worker-1" / "totals.json"
    room.one.send("totals.json", b'{"half', size=12)
    assert not path.exists()
    rest = Block(recording=RECORDING, number=1, file="totals.json", offset=6, data=b'": 1}\n', size=12)
    assert room.one.say(rest).size == 12
    assert path.read_bytes() == b'{"half": 1}\n'
    assert room.one.say(rest).size == 12


def test_other_recording__is_not_known_here(room):
    room.one.join()
    block = Block(recording="1" * 32, number=1, file="marks.jsonl", offset=0, data=b"{}")
    assert room.one.say(block) == Unknown(recording="1" * 32)
