"""What a run bills, of a job graph and of step times."""

from __future__ import annotations

import pytest

from benchmarks.ci_minutes import WORKFLOW, read_duration, read_jobs, read_log, read_logs, render

GRAPH = """
jobs:
  plan:
    steps:
      - {name: Install ci-gate, uses: ./install}
      - {name: Take it again, if: "steps.last.outputs.reused != ''", run: ci-gate repeat}
  image:
    if: needs.plan.outputs.reused == ''
    steps:
      - {name: Build head, run: docker build --tag gate-head head}
      - {name: Save it, run: docker save gate-head}
  scenario:
    strategy: {matrix: {include: "${{ fromJSON(needs.plan.outputs.matrix) }}"}}
    steps:
      - {name: Install ci-gate, uses: ./install}
      - {name: Measure, run: '"$HOME/ci-gate" measure'}
"""
TIMES = {"beyond_load_s": 14.0, "steps": {"Install ci-gate": 40.0, "Build head": 70.0}}
LOG = """
[load-gate/plan]   ✅  Success - Pre Install ci-gate [500ms]
[load-gate/plan]   ✅  Success - Main Install ci-gate [1.5s]
[load-gate/scenario (burst-load)     ]   ❌  Failure - Main Install ci-gate [1m3s]
[load-gate/plan] ⭐ Run Main Install ci-gate
[load-gate/gate]   ✅  Success - Pre Upload the verdict [30ms]
"""


def test_jobs__are_added_up_and_billed_by_the_minute(tmp_path):
    (tmp_path / "graph.yml").write_text(GRAPH)
    jobs = {job.name: job for job in read_jobs(tmp_path / "graph.yml", TIMES, "pull_request")}
    assert [*jobs][:3] == ["plan", "image", "scenario (concurrent-deployments)"]
    assert len(jobs) == 6
    plan, image, scenario = [*jobs.values()][:3]
    assert (plan.beside_s, plan.billed, plan.unknown) == (40.0, 1, ())
    assert (image.build_s, image.beside_s, image.billed, image.unknown) == (70.0, 0.0, 2, ("Save it",))
    # 10 s of ramp and 5 s of warm-up, twice, 60 s of head alone and 120 s of the comparison
    assert (scenario.load_s, scenario.beside_s, scenario.billed) == (210.0, 54.0, 5)
    table = render([*jobs.values()])
    assert "at most 54.0 s beside them (scenario (concurrent-deployments)); the goal is 45 s" in table
    assert "not measured, so not counted: Save it" in table


def test_log__of_act_gives_the_longest_time_of_each_step():
    assert read_log(LOG) == {"Install ci-gate": 63.0}
    assert read_logs([LOG, LOG.replace("1m3s", "3s").replace("Install", "Build")]) == {
        "Install ci-gate": 63.0,
        "Build ci-gate": 3.0,
    }
    assert read_logs([LOG, LOG.replace("1m3s", "9s")]) == {"Install ci-gate": 9.0}


@pytest.mark.parametrize(("text", "seconds"), [("28.7ms", 0.0287), ("1m2.5s", 62.5), ("1h0m1s", 3601.0)])
def test_duration__as_go_writes_it(text, seconds):
    assert read_duration(text) == pytest.approx(seconds)


def test_jobs__of_the_workflow_itself_are_read():
    jobs = [*read_jobs(WORKFLOW, TIMES, "pull_request")]
    assert sum(job.load_s > 0 for job in jobs) == 4
    # Those that only run where something is to be confirmed are not billed to a green run.
    assert {job.name.partition(" ")[0] for job in jobs} == {"plan", "image", "scenario", "gate"}
    assert all(job.beside_s >= 14.0 for job in jobs if job.load_s)  # it knows the step that loads
