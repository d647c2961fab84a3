from __future__ import annotations

import pytest

from ci_gate.errors import EvidenceError
from ci_gate.github.api.archive import MAX_ARCHIVE_BYTES
from ci_gate.github.api.artifacts import download_artifact
from tests.github.fake_state import Artifact
from tests.github.test_archive import pack


def add(github, number, content=b"{}", *, run_id=42, name="verdict", **more):
    packed = pack(("verdict.json", content))
    github.state.artifacts.append(Artifact(id=number, run_id=run_id, name=name, content=packed, **more))


def download(transport):
    return download_artifact(transport, "shop/shop", 42, "verdict")


def test_artifact__is_downloaded_from_the_storage_without_the_token(github, connect):
    add(github, 1)
    assert download(connect()) == {"verdict.json": b"{}"}
    assert github.requests[-1] == "GET /blobs/1"


def test_newest_usable__of_several_is_taken(github, connect):
    add(github, 2, b"two")
    add(github, 3, b"three", expired=True)
    add(github, 1, b"one")
    add(github, 9, b"other run", run_id=43)
    add(github, 8, b"other name", name="evidence")
    assert download(connect()) == {"verdict.json": b"two"}


def test_newest__is_by_the_time_of_its_making_and_not_by_its_number(github, connect):
    add(github, 9, b"first attempt", created_at="2026-11-23T15:00:00Z")
    add(github, 8, b"second attempt", created_at="2026-11-23T16:00:00Z")
    add(github, 10, b"of no known time", created_at=None)
    assert download(connect()) == {"verdict.json": b"second attempt"}


def test_artifact__that_expired_since_it_was_listed_is_no_failure_of_github(github, connect):
    add(github, 1)
    github.then("GET", "runs/42/artifacts", lambda: setattr(github.state.artifacts[0], "expired", True))
    with pytest.raises(EvidenceError, match="artifact verdict is gone"):
        download(connect())


@pytest.mark.parametrize(("expired", "why"), [(True, "only expired ones"), (None, "none")])
def test_no_usable_artifact__is_said(github, connect, expired, why):
    if expired:
        add(github, 1, expired=True)
    with pytest.raises(EvidenceError, match=f"run 42 has no artifact verdict: {why}"):
        download(connect())


def test_stated_size__beyond_the_cap_is_not_downloaded(github, connect):
    add(github, 1, stated_bytes=MAX_ARCHIVE_BYTES + 1)
    with pytest.raises(EvidenceError, match="is larger than"):
        download(connect())
    assert github.count("GET", "/blobs/") == 0


def test_archive__larger_than_stated_is_not_read_to_its_end(github, connect):
    big = Artifact(id=1, run_id=42, name="verdict", content=b"x" * (MAX_ARCHIVE_BYTES + 1), stated_bytes=10)
    github.state.artifacts.append(big)
    with pytest.raises(EvidenceError, match="the reply is larger than"):
        download(connect())


def test_storage__is_asked_again_after_a_failure(github, connect):
    add(github, 1)
    github.fail("GET", "/blobs/", times=2, status=503)
    assert download(connect()) == {"verdict.json": b"{}"}
