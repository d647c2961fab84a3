from __future__ import annotations

import pytest

from ci_gate.errors import EvidenceError
from ci_gate.github.archive import MAX_ARCHIVE_BYTES
from ci_gate.github.artifacts import download_artifact
from ci_gate.github.reply import GitHubError
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
    with pytest.raises(GitHubError, match="the reply is larger than"):
        download(connect())


def test_storage__is_asked_again_after_a_failure(github, connect):
    add(github, 1)
    github.fail("GET", "/blobs/", times=2, status=503)
    assert download(connect()) == {"verdict.json": b"{}"}
