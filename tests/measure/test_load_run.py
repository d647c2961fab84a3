"""What recording leaves in ci-gate's own process: nothing, however often it is done."""

from __future__ import annotations

import os

from ci_gate.evidence.recording import read_recording
from ci_gate.measure.load_run import Job, record, start_generator
from ci_gate.service.start import start_service
from tests.leftovers import find_files_and_threads, nothing_left
from tests.measure.conftest import make_plan
from tests.service.services import make_service

LOCUSTFILE = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/")
"""


def test_record__leaves_no_file_and_no_thread_open(site, placement, watchdog, tmp_path):
    scenario = tmp_path / "visit.py"
    scenario.write_text(LOCUSTFILE)
    plan = make_plan(str(scenario), {"Visitor": 1}, duration_s=0.5)
    # The site is a part of this process: its end of each connection goes a moment later.
    with (
        nothing_left(find_files_and_threads, within_s=60),
        start_service(make_service("url", site), placement, watchdog=watchdog) as running,
    ):
        for number in (1, 2):
            job = Job(plan=plan, folder=tmp_path / str(number), service=running)
            with start_generator(
                plan, job.folder, repository=tmp_path, environ=os.environ, watchdog=watchdog
            ) as generator:
                record(((job, generator),), on_second=lambda: False)
            assert read_recording(job.folder).mark("ended")


def test_generator__that_is_given_no_service_ends_and_records_nothing(watchdog, tmp_path):
    scenario = tmp_path / "visit.py"
    scenario.write_text(LOCUSTFILE)
    folder = tmp_path / "head"
    plan = make_plan(str(scenario), {"Visitor": 1})
    with start_generator(
        plan, folder, repository=tmp_path, environ=os.environ, watchdog=watchdog
    ) as generator:
        assert generator.process.exit_status() is None
    assert generator.process.exit_status() is not None
    assert [each.name for each in folder.iterdir()] == ["locust.log"]
