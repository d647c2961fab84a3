"""Waits for a recording that grows, so that what a test does to it comes in the middle, on any machine."""

from __future__ import annotations

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.sample_table import read_samples
from ci_gate.evidence.strict_json import read_lines
from tests.service.services import await_true


def await_steady(folder, *, requests, timeout_s=60.0):
    """False where the recording has not so many requests of its steady phase in that time."""

    def is_there():
        marks = read_lines(folder / "marks.jsonl", Mark)
        begin_s = next((mark.wall_s for mark in marks if mark.name == "steady"), None)
        if begin_s is None:
            return False
        intended_s = read_samples(folder / "samples.bin")["intended_s"]
        return int((intended_s >= begin_s).sum()) >= requests

    return await_true(is_there, timeout_s)
