"""What a worker still has to send: beside another load, and once the run is over."""

from __future__ import annotations

import pytest

from ci_gate.evidence.delivery import DELIVERY_FILE, Delivery
from ci_gate.evidence.recording import write_json
from ci_gate.measure.remote.farewell import MAX_FETCH_S
from ci_gate.measure.remote.messages import Acknowledgement, Unknown
from ci_gate.measure.remote.outbox import Outbox
from ci_gate.measure.remote.sending import MAX_IDLE_S, Sending

OLD, NEW = "0" * 32, "1" * 32


class Line:
    """What goes to the master, and the clock of the worker."""

    def __init__(self, folder):
        self.folder, self.now_s, self.sent = folder, 100.0, []
        self.sending = Sending(lambda: self.now_s)

    def record(self, recording):
        folder = self.folder / recording
        folder.mkdir()
        (folder / "marks.jsonl").write_text("{}\n" * 1000)
        outbox = Outbox(folder, recording, 1, lambda: self.now_s)
        outbox.close()
        write_json(folder / DELIVERY_FILE, Delivery(machine="one", rows=0))
        outbox.send_last(DELIVERY_FILE)
        self.sending.add(folder, outbox)
        return folder

    def send(self):
        """Whether something may still arrive, and the recordings of which blocks were sent."""
        self.sent.clear()
        may_arrive = self.sending.send(lambda block: self.sent.append(block) or True)
        return may_arrive, {block.recording for block in self.sent}

    def acknowledge(self, size=None):
        for block in tuple(self.sent):
            end = block.offset + len(block.data) if size is None else size
            answer = Acknowledgement(recording=block.recording, number=1, file=block.file, size=end)
            self.sending.note(answer)


@pytest.fixture
def line(tmp_path):
    return Line(tmp_path)


def test_recording_that_the_master_does_not_know__is_kept_until_the_run_is_over(line):
    """It was sent again every three seconds, beside the load of the next scenario."""
    old = line.record(OLD)
    assert line.send() == (True, {OLD})
    line.sending.note(Unknown(recording=OLD))
    new = line.record(NEW)
    assert line.send() == (True, {NEW})
    line.now_s += 10
    assert line.send() == (True, {NEW})
    assert line.sending.kept() == (old, new)
    line.sending.end_run()
    line.now_s += 10
    assert line.send() == (True, {OLD, NEW})
    for _ in range(3):
        line.acknowledge()
        line.send()
    assert line.send() == (False, set())
    assert line.sending.kept() == ()


def test_recording_that_nobody_fetches__does_not_keep_a_worker(line):
    old = line.record(OLD)
    line.sending.end_run()
    assert line.send() == (True, {OLD})
    line.sending.note(Unknown(recording=OLD))
    assert line.send() == (False, set())
    assert line.sending.kept() == (old,)


def test_worker__stays_while_something_arrives_and_as_long_as_is_fetched(line):
    """It left after ten seconds, with more than half a minute left to send the rest."""
    line.record(OLD)
    line.sending.end_run()
    line.send()
    for size in range(1, 7):
        line.now_s += MAX_IDLE_S - 1
        assert line.sending.is_arriving()
        line.acknowledge(size)
    assert line.now_s < 100 + MAX_FETCH_S
    line.now_s = 100 + MAX_FETCH_S
    assert not line.sending.is_arriving()


def test_worker__leaves_when_nothing_arrives(line):
    line.record(OLD)
    line.sending.end_run()
    line.send()
    line.acknowledge(5)
    line.now_s += MAX_IDLE_S
    line.acknowledge(5)  # no more than before
    assert not line.sending.is_arriving()
