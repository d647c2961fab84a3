from __future__ import annotations

import pytest

from ci_gate.errors import BadInputError, EvidenceError
from ci_gate.threshold_files import fetch_side, read_side
from tests.github.repositories import FILE, WORKFLOW, files, write_files

SHA = "a" * 40


def put(github, side, ref=SHA):
    github.state.files |= {(ref, path): content for path, content in side.items()}


def test_folder_and_github__give_the_same(github, connect, tmp_path):
    side = files(**{"load/signed_in.py": "x", "load/data.bin": "x", "other/a.py": "x"})
    put(github, side)
    local = read_side(write_files(tmp_path, side), FILE)
    fetched = fetch_side(connect(), "shop/shop", FILE, SHA)
    assert local == fetched
    assert set(local.digests) == {"load/checkout.py", "load/signed_in.py", WORKFLOW}


def test_locustfile_at_the_root__is_found_on_both(github, connect, tmp_path):
    side = files() | {"checkout.py": b"x"}
    side[FILE] = side[FILE].replace(b"load/checkout.py", b"checkout.py")
    put(github, side)
    local = read_side(write_files(tmp_path, side), FILE)
    assert local == fetch_side(connect(), "shop/shop", FILE, SHA)
    assert "checkout.py" in local.digests


def test_missing_file__is_none_on_both(github, connect, tmp_path):
    assert read_side(tmp_path, FILE) is None
    assert fetch_side(connect(), "shop/shop", FILE, SHA) is None


@pytest.mark.parametrize("content", [b"schema: 2", b"\xff\xfe", b"{"])
def test_bad_file__is_said_on_both(github, connect, tmp_path, content):
    side = files() | {FILE: content}
    put(github, side)
    with pytest.raises(BadInputError, match=FILE):
        read_side(write_files(tmp_path, side), FILE)
    with pytest.raises(BadInputError, match=FILE):
        fetch_side(connect(), "shop/shop", FILE, SHA)


def test_huge_file__is_refused(tmp_path):
    with pytest.raises(EvidenceError, match="larger than"):
        read_side(write_files(tmp_path, {FILE: b"#" * (1024**2 + 1)}), FILE)
