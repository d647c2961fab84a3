"""Several processes of Locust, from thresholds.yaml to the verdict."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil
import pytest

from ci_gate.evidence.recording import read_recording, read_run
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG
from tests.disks import mounted_disk
from tests.leftovers import find_children, nothing_left
from tests.run.duets import make_versions, run
from tests.service.services import await_true


@pytest.mark.parametrize("by_option", [False, True], ids=["file", "option"])
def test_processes__from_thresholds_to_the_verdict(repository, call, tmp_path, by_option):
    options = ["--processes", "2"] if by_option else []
    if not by_option:
        text = (repository.folder / "thresholds.yaml").read_text()
        repository.write("thresholds.yaml", f"{text}\ngenerator: {{processes: 2}}\n")
    out = tmp_path / "out"
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out, *options)
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    (scenario,) = verdict.scenarios
    assert "worker-lost" not in {finding.code for finding in scenario.findings}
    assert (code, verdict.outcome) == (0, Outcome.PASS), table + progress
    info = read_run(out)
    assert {plan.recording: plan.processes for plan in info.recordings}["head"] == 2
    assert "generator" in info.thresholds_text
    recording = read_recording(out / "visits" / "head")
    assert len(recording.workers) == 2
    assert sum(len(worker.readings) for worker in recording.workers) > 2
    # Judged again it says the same.
    before = (out / "verdict.json").read_bytes()
    assert call("judge", out)[0] == 0
    assert (out / "verdict.json").read_bytes() == before


@pytest.mark.parametrize("text", ["0", "65", "many", "-1", "٣"])
def test_option__refused(repository, call, tmp_path, text):
    code, _, message = call("run", "--thresholds", repository.thresholds, "--processes", text)
    assert code == 2
    assert "allowed: 1 to 64, or auto" in message


def test_capacity__is_refused_with_several_processes(repository, call):
    text = (repository.folder / "thresholds.yaml").read_text()
    repository.write("thresholds.yaml", f"{text}\ngenerator: {{processes: 2}}\n")
    code, _, message = call("capacity", "visits", "--thresholds", repository.thresholds)
    assert code == 2
    assert "capacity is measured by one process of Locust" in message


def kill_a_worker(out):
    """SIGKILL one of the two workers, once both have sent requests in the steady phase."""
    head = out / "visits" / "head"
    for number in (1, 2):
        assert await_true((head / f"worker-{number}" / "readings.jsonl").exists, 60)
    assert await_true(lambda: b"steady" in (head / "marks.jsonl").read_bytes(), 60)
    time.sleep(1.5)
    recorders = [
        child
        for child in psutil.Process().children(recursive=True)
        if any("measure.in_locust" in word for word in child.cmdline())
    ]
    workers = [child for child in recorders if child.ppid() in {each.pid for each in recorders}]
    assert len(workers) == 2
    workers[0].kill()


def test_worker_that_is_killed__is_invalid_and_nothing_is_left(repository, call, tmp_path):
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 80s, warmup: 0s}")
    out = tmp_path / "out"
    began_s = time.monotonic()
    with nothing_left(find_children):
        killer = threading.Thread(target=kill_a_worker, args=(out,))
        killer.start()
        code, table, _ = call(
            "run", "--quiet", "--thresholds", repository.thresholds, "--out", out, "--processes", "2"
        )
        killer.join()
    assert code == 3, table
    assert "[worker-lost] Locust worker" in table
    assert time.monotonic() - began_s < 60
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert scenario.outcome == Outcome.INVALID
    assert scenario.endpoints[0].requests > 20
    assert scenario.findings[0].code == "worker-lost"
    assert "samples-disagree" not in {finding.code for finding in scenario.findings}
    assert call("judge", out)[0] == 3


CHOOSY = """
from locust import FastHttpUser, constant, events, tag, task

@events.init_command_line_parser.add_listener
def add_option(parser):
    parser.add_argument("--page", default="none")

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    @tag("wanted")
    @task
    def visit(self):
        self.client.get("/ok", name=f"/{self.environment.parsed_options.page}")

    @tag("unwanted")
    @task
    def other(self):
        self.client.get("/ok", name="/unwanted")
"""


def test_tags_and_options__are_those_of_a_single_process(repository, call, tmp_path):
    repository.write("visits.py", CHOOSY)
    repository.edit(
        "thresholds.yaml",
        "users: {Visitor: 5}",
        "users: {Visitor: 5}\n    tags: [wanted]\n    args: [--page, front]",
    )
    repository.edit("thresholds.yaml", "GET /ok", "GET /front")
    out = tmp_path / "out"
    code, table, progress = call(
        "run", "--thresholds", repository.thresholds, "--out", out, "--processes", "2"
    )
    assert code == 0, table + progress
    recording = read_recording(out / "visits" / "head")
    endpoints = {recording.strings[number] for number in recording.samples["endpoint"]}
    assert endpoints == {"GET /front"}
    assert all(worker.totals.heard for worker in recording.workers)


@pytest.fixture
def small_disk(tmp_path):
    """The master reserves four megabytes, and so does each worker."""
    with mounted_disk(tmp_path, "6m") as folder:
        yield folder


def test_disk_that_is_full_before_a_worker_begins__is_invalid_and_nothing_is_left(
    repository, call, small_disk
):
    began_s = time.monotonic()
    with nothing_left(find_children):
        code, table, progress = call(
            "run", "--thresholds", repository.thresholds, "--out", small_disk / "out", "--processes", "2"
        )
    assert code == 3, table + progress
    assert "[locust-ended-early]" in table
    assert "A worker process of Locust ended before the load began" in table
    assert "Traceback" not in progress
    assert time.monotonic() - began_s < 40


def find_shares(out, recording):
    """How many users of each class each worker ran. In its last reading some may have stopped already."""
    return [
        max((reading.users for reading in worker.readings), key=lambda users: sum(users.values()))
        for worker in read_recording(out / "visits" / recording).workers
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delay_s", "is_worse"), [pytest.param(0.010, False, marks=LONG), (0.020, True)], ids=["equal", "worse"]
)
def test_comparison__with_two_processes_for_each_side(repository, call, tmp_path, delay_s, is_worse):
    write_service = make_versions(repository)
    repository.edit("thresholds.yaml", "{max_duration: 30s}", "{max_duration: 30s, confirm: false}")
    repository.edit("thresholds.yaml", "Visitor: 10", "Visitor: 9")
    repository.edit("thresholds.yaml", "profiles:", "generator: {processes: 2}\nprofiles:")
    write_service(delay_s)
    out = tmp_path / "out"
    code, scenario, report = run(call, repository, out)
    (change,) = [each for each in scenario.comparison.changes if each.endpoint == "all"]
    assert (code, change.outcome == "FAIL") == (int(is_worse), is_worse), report
    assert change.change > 0.3 if is_worse else abs(change.change) < 0.10
    assert "worker-lost" not in {finding.code for finding in scenario.comparison.findings}
    assert {plan.recording: plan.processes for plan in read_run(out).recordings} == {
        "head": 2, "duet-base": 2, "duet-head": 2, "code-base": 2, "code-head": 2
    }  # fmt: skip
    # Nine users by half are five: whose worker has three is the same on both sides.
    assert find_shares(out, "duet-base") == find_shares(out, "duet-head") == [{"Visitor": 3}, {"Visitor": 2}]


def fill_disk(out):
    """Leave no byte once the load is steady; the file that has them."""
    marks = out / "visits" / "head" / "marks.jsonl"
    assert await_true(lambda: marks.exists() and b"steady" in marks.read_bytes(), 60)
    filler = out.parent / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_disk_that_is_full_during_the_load__ends_it_and_the_evidence_can_be_judged(
    repository, call, tmp_path
):
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 80s, warmup: 0s}")
    with mounted_disk(tmp_path, "20m") as disk:
        out = disk / "out"
        filler = threading.Thread(target=fill_disk, args=(out,))
        filler.start()
        began_s = time.monotonic()
        with nothing_left(find_children):
            code, table, progress = call(
                "run", "--quiet", "--thresholds", repository.thresholds, "--out", out, "--processes", "2"
            )
        took_s = time.monotonic() - began_s
        filler.join()
        assert code == 4, table + progress
        assert "No space left on device" in progress
        assert "Traceback" not in progress
        assert took_s < 60
        (disk / "filler").unlink()
        code, table, _ = call("judge", out)
        assert code == 3, table
        assert "[run-failed]" in table
        assert "No space left on device" in table
        assert "a bug in ci-gate" not in table
        assert len(read_recording(out / "visits" / "head").workers) == 2
