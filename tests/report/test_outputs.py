"""What holds of every output at once: terminal, comment, page, JUnit, annotations, CSV."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from ci_gate.evidence.samples import ENDED_BY_CHECK, ENDED_UNREPORTED, ENDED_WELL, NOT_HTTP
from tests.judge.evidence_notation import draw
from tests.judge.proof import SHORT
from tests.report.outputs import judge_evidence, render_every_output

QUEUE = f"{SHORT}expect RPC enqueue\n300 RPC enqueue 200 5ms\n300 RPC dequeue 200 5ms"


def without_http(lines, ending):
    """The same, of a client that knows no status."""
    evidence = draw(lines)
    samples = evidence.recording.samples.copy()
    samples["status"], samples["ending"] = NOT_HTTP, ending
    return replace(
        evidence, recording=msgspec.structs.replace(evidence.recording, samples=samples, totals=None)
    )


@pytest.mark.parametrize("ending", [ENDED_WELL, ENDED_BY_CHECK, ENDED_UNREPORTED])
def test_client_without_status__no_output_shows_a_number_for_it(ending):
    outputs = render_every_output(without_http(QUEUE, ending))
    assert [name for name, text in outputs.items() if str(NOT_HTTP) in text] == []
    assert "not HTTP" in outputs["page"]


def test_client_without_status__its_successes_are_no_errors():
    judged = judge_evidence(without_http(QUEUE, ENDED_WELL))
    assert (judged.outcome, judged.scenarios[0].findings) == ("PASS", ())
