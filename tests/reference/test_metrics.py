"""What /metrics shows beside workers that only begin."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from reference_service.metrics import Metrics


def test_metrics__wait_for_a_worker_that_has_made_its_file_and_not_yet_written_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    file = tmp_path / "counter_7.db"
    file.touch()
    writing = threading.Timer(0.1, file.write_bytes, [bytes(64)])
    writing.start()
    assert metrics.render() == b""
    writing.join()
