"""The trace ids of the slowest requests, as they are written and read back, and whatever else is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.traces import Trace, read_traces

ONE, OTHER = "0af7651916cd43dd8448eb211c80319c", "f" * 32


def test_traces__of_several_processes_are_one_table(tmp_path):
    for process, trace_id in ((17, ONE), (18, OTHER)):
        with LineWriter(tmp_path / f"traces-{process}.jsonl") as lines:
            lines.write(Trace(start_s=1000.0 + process, trace_id=trace_id))
            lines.write(Trace(start_s=5.0, trace_id=trace_id))
    assert read_traces(tmp_path) == {1017.0: ONE, 1018.0: OTHER}  # 5.0 is of two: nobody knows which
    assert read_traces(tmp_path / "nothing") == {}


@given(st.binary(max_size=200))
def test_traces__that_cannot_be_read_are_left_out(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("traces")
    (folder / "traces-1.jsonl").write_bytes(content)
    with LineWriter(folder / "traces-2.jsonl") as lines:
        lines.write(Trace(start_s=7.0, trace_id=ONE))
    assert read_traces(folder)[7.0] == ONE
