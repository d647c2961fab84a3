"""What a real run says of a service that is held up by one thing: that it names it, and nothing else."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict

# A pre-fork server with two workers, each of which serves one connection at a time and waits meanwhile.
TWO_SYNC_WORKERS = """
import os, socket, sys, time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
while any(os.fork() == 0 for _ in range(2)):
    while True:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while b"\\r\\n\\r\\n" not in asked and (part := connection.recv(65536)):
                asked += part
            if b" /ok " in asked:
                time.sleep(0.05)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
os.wait()
"""


def diagnose(call, repository, out):
    call("run", "--thresholds", repository.thresholds, "--out", out)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    return scenario.diagnosis.causes


@pytest.mark.parametrize(("users", "named"), [(60, True), (1, False)])
def test_two_sync_workers__and_many_users_wait_in_the_listen_queue(users, named, repository, call, tmp_path):
    repository.write("service.py", TWO_SYNC_WORKERS)
    repository.edit("thresholds.yaml", "{duration: 2s", "{duration: 4s")
    repository.edit("thresholds.yaml", "Visitor: 5", f"Visitor: {users}")
    causes = diagnose(call, repository, tmp_path / "out")
    assert [cause.code for cause in causes[:1]] == (["listen-queue"] if named else [])
    if named:
        assert causes[0].share > 0.8
        assert "2 processes accept them" in " ".join(causes[0].numbers)
