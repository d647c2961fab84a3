"""Workers on other machines: hosts of their own, joined by a network, which is slow, loses, or is cut."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ci_gate.addresses import WORKER_SECRET
from ci_gate.evidence.recording import read_recording, read_run
from ci_gate.evidence.sample_table import read_samples
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import decode_verdict
from ci_gate.measure.in_locust.schedule import Schedule
from tests.conftest import LONG, SERVICE
from tests.hosts import MASTER_ADDRESS, running_hosts
from tests.schedules import assert_each_arrival_once

PORT = 5557
OPEN = "spawn_rate: 100\n    arrivals: 40/s\n    ramp: 1s"


class Field:
    """A master and its workers, each on a host of its own, and the service beside the master."""

    def __init__(self, hosts, repository, folder):
        self.master, *self.hosts = hosts
        self.repository, self.folder = repository, folder
        self.out = folder / "out"
        self.head = self.out / "visits" / "head"
        self.environ = {**os.environ, WORKER_SECRET: "of the tests of many hosts"}
        self.workers = {}
        repository.edit(
            "thresholds.yaml", "command: python service.py {port}", f'url: "http://{MASTER_ADDRESS}:8000"'
        )
        service = SERVICE.replace('"127.0.0.1"', f'"{MASTER_ADDRESS}"')
        self.master.python("-c", service, "8000", cwd=repository.folder, stderr=subprocess.DEVNULL)

    def start_run(self, *options):
        command = ("run", "--thresholds", self.repository.thresholds, "--out", self.out)
        workers = ("--workers", len(self.hosts), "--bind", f"{MASTER_ADDRESS}:{PORT}")
        self.run = self._start(self.master, "run.log", *command, *workers, *options)

    def start_worker(self, number, *around, port=PORT, master=MASTER_ADDRESS):
        """In a copy of the repository; ``around`` is a command that runs it."""
        own = self.folder / f"host-{number}"
        if not own.exists():
            shutil.copytree(self.repository.folder, own)
        address, name = f"{master}:{port}", f"host-{number}"
        options = ("--master", address, "--folder", own, "--name", name, "--wait", "40s")
        out = self.folder / f"kept-{number}-{len(self.workers)}"
        host, log = self.hosts[number - 1], f"worker-{number}-{len(self.workers)}.log"
        worker = self._start(host, log, "worker", *options, "--out", out, around=around)
        self.workers.setdefault(number, []).append((worker, out, log))
        return worker

    def _start(self, host, log, *words, around=()):
        command = (*around, sys.executable, "-m", "ci_gate", *words)
        with (self.folder / log).open("wb") as file:
            return host.start(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.environ,
                cwd=self.folder,
            )

    def start_all(self, *options):
        self.start_run(*options)
        for number in range(1, len(self.hosts) + 1):
            self.start_worker(number)

    def await_phase(self, name, and_s=0.5):
        self.await_true(lambda: f'"{name}"' in self.read_marks(), f"the phase {name}")
        time.sleep(and_s)

    def read_marks(self):
        path = self.head / "marks.jsonl"
        return path.read_text() if path.exists() else ""

    def await_true(self, is_so, what, timeout_s=90):
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, f"never: {what}\n{self.logs()}"
            time.sleep(0.05)

    def logs(self):
        paths = [*sorted(self.folder.glob("*.log")), self.head / "locust.log"]
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in paths if path.exists())

    def end(self, timeout_s=120):
        """The verdict's only scenario, once the run has ended; ``took_s`` is how long that was waited for."""
        began_s = time.monotonic()
        self.run.wait(timeout_s)
        self.took_s = time.monotonic() - began_s
        verdict = self.out / "verdict.json"
        assert verdict.exists(), self.logs()
        (scenario,) = decode_verdict(verdict.read_bytes()).scenarios
        return scenario

    def end_workers(self, timeout_s=60):
        """Their exit codes, by host, of the last on each."""
        for tries in self.workers.values():
            for worker, _, _ in tries:
                worker.wait(timeout_s)
        return {number: tries[-1][0].returncode for number, tries in self.workers.items()}

    def own_of(self, number):
        """The folder in which the first worker on this host recorded: its number is not the host's."""
        (own,) = (self.workers[number][0][1] / "visits" / "head").glob("worker-*")
        return own

    def copy_of(self, number):
        """The same at the master."""
        return self.head / self.own_of(number).name

    def recorded_by(self, number):
        """What the master reads of this host's worker."""
        name = self.own_of(number).name
        (worker,) = [each for each in read_recording(self.head).workers if name == f"worker-{each.number}"]
        return worker

    def locust_of(self, number):
        """The Locust of a worker."""
        return find_locust(self.workers[number][-1][0])

    def assert_nothing_counts_twice(self):
        """Each worker's copy begins as its own file does, and all rows are in the recording once."""
        recording = read_recording(self.head)
        rows = 0
        for number in self.workers:
            copy = self.copy_of(number) / "samples.bin"
            if copy.exists():
                assert (self.own_of(number) / "samples.bin").read_bytes().startswith(copy.read_bytes())
                rows += len(read_samples(copy))
        assert len(recording.samples) == rows
        return recording


@pytest.fixture
def field(request, repository, tmp_path):
    with running_hosts(getattr(request, "param", 2)) as hosts:
        yield Field(hosts, repository, tmp_path)
    left = [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if any(str(tmp_path) in word for word in each.info["cmdline"] or ())
    ]
    assert not left


def find_locust(process):
    """The Locust below a process."""
    below = psutil.Process(process.pid).children(recursive=True)
    return next(each for each in below if any("measure.in_locust" in word for word in each.cmdline()))


def find_codes(scenario):
    return {finding.code: finding.message for finding in scenario.findings}


def assert_lost(scenario, message=""):
    assert scenario.outcome == Outcome.INVALID
    assert message in find_codes(scenario)["worker-lost"]


def test_two_hosts__a_complete_run_whose_recording_is_that_of_the_workers(field):
    """The clocks of the second since its start are not those of the others."""
    field.start_worker(1)
    field.start_worker(2, "unshare", "--time", "--monotonic", "5000", "--fork", "--kill-child")
    field.start_run()
    scenario = field.end()
    assert field.run.returncode == 0, field.logs()
    assert scenario.outcome == Outcome.PASS
    assert field.end_workers() == {1: 0, 2: 0}, field.logs()
    recording = field.assert_nothing_counts_twice()
    assert len(recording.samples) == sum(each.requests for each in recording.totals.heard) > 50
    for number in (1, 2):
        worker, own, copy = field.recorded_by(number), field.own_of(number), field.copy_of(number)
        for name in ("samples.bin", "strings.jsonl", "marks.jsonl", "readings.jsonl", "totals.json"):
            assert (copy / name).read_bytes() == (own / name).read_bytes()
        assert worker.machine == f"host-{number}"
        assert worker.clock.uncertainty_s < 0.1
        assert abs(worker.clock.offset_s) < 0.1  # one machine after all
        # By the master's clocks, all of them were there at the same time.
        begin_s = recording.mark("steady").monotonic_s
        steady = next(mark for mark in worker.marks if mark.name == "steady")
        assert abs(steady.monotonic_s - begin_s) < 2
    assert abs(field.recorded_by(2).clock.monotonic_offset_s + 5000) < 1
    text = "".join(path.read_text(errors="replace") for path in field.out.rglob("*") if path.is_file())
    assert field.environ[WORKER_SECRET] not in text
    options = json.loads((field.out / "run.json").read_text())["options"]
    assert options == {"workers": "2"}


def test_worker_that_is_killed__is_lost_and_what_it_had_written_arrives(field):
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    field.locust_of(1).kill()
    assert_lost(field.end(), "it is one of 2 (host-1), and was killed before it wrote its totals")
    assert field.took_s < 45
    assert field.end_workers() == {1: 0, 2: 0}, field.logs()
    recording = field.assert_nothing_counts_twice()
    own, copy = (read_samples(each / "samples.bin") for each in (field.own_of(1), field.copy_of(1)))
    assert len(own) == len(copy) > 10
    assert recording.mark("ended")


@LONG
def test_worker_that_comes_back_under_the_same_name__is_lost_all_the_same(field):
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    first = field.workers[1][0][0]
    first.kill()
    first.wait()
    field.start_worker(1)
    assert_lost(field.end())
    assert field.end_workers()[2] == 0, field.logs()
    field.assert_nothing_counts_twice()
    assert not field.workers[1][1][1].exists()  # the second one had no part


@LONG
def test_worker_that_is_stopped_for_five_seconds__is_lost(field):
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    locust = field.locust_of(1)
    locust.send_signal(signal.SIGSTOP)
    time.sleep(5)
    locust.send_signal(signal.SIGCONT)
    assert_lost(field.end())
    assert field.end_workers() == {1: 0, 2: 0}, field.logs()
    assert field.recorded_by(1).delivery
    field.assert_nothing_counts_twice()


@LONG
@pytest.mark.parametrize("cut_s", [2, 5, 60])
def test_worker_that_is_cut_off__is_lost_or_the_run_is_complete(field, cut_s):
    """Two seconds are no matter: all arrives. After sixty nobody waits any more; its own files are whole."""
    field.repository.edit("thresholds.yaml", "{duration: 60s", "{duration: 15s")
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    field.hosts[0].cut_off()
    time.sleep(cut_s)
    is_over = field.run.poll() is not None
    field.hosts[0].join_again()
    scenario = field.end()
    codes = field.end_workers(90)
    field.assert_nothing_counts_twice()
    if cut_s == 2:
        assert scenario.outcome == Outcome.PASS, field.logs()
        assert codes == {1: 0, 2: 0}
        assert field.recorded_by(1).delivery
        return
    assert_lost(scenario)
    assert is_over is (cut_s == 60)
    assert codes == {1: 4 if cut_s == 60 else 0, 2: 0}, field.logs()
    if cut_s == 60:  # copied by hand, the recording is whole, and still of a worker that was lost
        assert "not all has arrived there" in (field.folder / field.workers[1][0][2]).read_text()
        copy = field.copy_of(1)
        shutil.copytree(field.own_of(1), copy, dirs_exist_ok=True)
        assert field.recorded_by(1).delivery.rows == len(read_samples(copy / "samples.bin"))


@LONG
def test_run_that_is_killed__workers_end_their_load_and_wait_for_another(field):
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    run = psutil.Process(field.run.pid)
    own = [field.locust_of(1), run, *run.children(recursive=True)]
    run.kill()
    _, alive = psutil.wait_procs(own, timeout=40)
    assert not alive, field.logs()
    assert field.end_workers(90) == {1: 4, 2: 4}, field.logs()
    assert len(read_recording(field.head).samples) > 10
    assert read_run(field.out).ended_at is None


@LONG
def test_locust_of_the_master_that_is_killed__is_invalid_and_all_arrives(field):
    field.start_all("--profile", "long")
    field.await_phase("steady", 1.0)
    find_locust(field.run).kill()
    assert "locust-ended-early" in find_codes(field.end())
    assert field.end_workers() == {1: 0, 2: 0}, field.logs()
    assert field.recorded_by(1).delivery
    field.assert_nothing_counts_twice()


@LONG
def test_one_percent_of_packets_lost__the_run_is_complete(field):
    for host in field.hosts:
        host.lose(0.01)
    field.start_all()
    scenario = field.end()
    assert scenario.outcome == Outcome.PASS, field.logs()
    assert field.end_workers() == {1: 0, 2: 0}
    assert all(worker.delivery for worker in field.assert_nothing_counts_twice().workers)


RELAY = """
import asyncio, sys
at, to, late_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])

async def carry(reader, writer):
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        loop.call_later(late_s, writer.write, data)
    loop.call_later(late_s, writer.close)

async def serve(reader, writer):
    there, back = await asyncio.open_connection(to, at)
    await asyncio.gather(carry(reader, back), carry(there, writer))

async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", at) as server:
        await server.serve_forever()

asyncio.run(main())
"""


@LONG
def test_network_that_takes_fifty_milliseconds__the_run_is_complete_and_its_clock_uncertain(field):
    """Each way half of it, for what the first worker says and hears."""
    field.hosts[0].python("-c", RELAY, PORT, MASTER_ADDRESS, 0.025)
    field.start_worker(1, master="127.0.0.1")
    field.start_worker(2)
    field.start_run()
    scenario = field.end()
    assert scenario.outcome == Outcome.PASS, field.logs()
    assert field.end_workers() == {1: 0, 2: 0}
    field.assert_nothing_counts_twice()
    first, second = field.recorded_by(1), field.recorded_by(2)
    assert 0.024 < first.clock.uncertainty_s < 0.1
    assert second.clock.uncertainty_s < first.clock.uncertainty_s


@LONG
@pytest.mark.parametrize("field", [4], indirect=True)
def test_four_hosts__one_schedule_and_each_arrival_once(field):
    field.repository.edit("thresholds.yaml", "spawn_rate: 100", OPEN)
    field.start_all()
    scenario = field.end()
    assert scenario.outcome == Outcome.PASS, field.logs()
    assert field.end_workers() == dict.fromkeys(range(1, 5), 0)
    recording = field.assert_nothing_counts_twice()
    off_s = max(worker.clock.uncertainty_s for worker in recording.workers)
    assert_each_arrival_once(recording, Schedule(40.0, 1.0), 2 * off_s + 0.005)
    assert len(recording.workers) == 4
