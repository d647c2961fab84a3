"""A repository with two versions of a service, and a run that compares them."""

from __future__ import annotations

from ci_gate.evidence.recording import read_run, recording_folder
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SITE
from tests.repositories import commit_base

SERVICE_WITH_DELAY = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("site_for_tests", {site!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)

class Handler(site.Handler):
    def do_GET(self):
        end = time.thread_time() + {burn_s}
        while time.thread_time() < end:
            pass
        time.sleep({delay_s})
        super().do_GET()

print("started at", time.time(), flush=True)
with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""


def make_versions(repository):
    """A repository whose thresholds compare, with one commit; returns a function that writes the service."""

    def write(delay_s, burn_s=0.0):
        text = SERVICE_WITH_DELAY.format(site=str(SITE), delay_s=delay_s, burn_s=burn_s)
        repository.write("service.py", text)

    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    repository.edit("thresholds.yaml", "profiles:", "compare: {max_duration: 30s}\nprofiles:")
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 10")
    write(0.010)
    commit_base(repository.folder)
    return write


def run(call, repository, out, base="HEAD"):
    options = ("--thresholds", repository.thresholds, "--base", base, "--no-profile-code")
    code, table, progress = call("run", *options, "--out", out)
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    return code, verdict.scenarios[0], table + progress


def read_start(out, plan):
    """When the service of a recording report that it had started."""
    text = (recording_folder(out, plan) / "service.log").read_text()
    return float(text.partition("started at ")[2].split()[0])


def list_started(out, kind=""):
    """The recordings of a comparison whose service was started, the first one first."""
    plans = [plan for plan in read_run(out).recordings if plan.service_first is not None]
    started = [plan for plan in plans if (recording_folder(out, plan) / "service.log").exists()]
    names = {plan.recording: read_start(out, plan) for plan in started if plan.recording.startswith(kind)}
    return sorted(names, key=names.__getitem__)
