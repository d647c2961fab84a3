from __future__ import annotations

import pytest

from ci_gate.errors import BadInputError, EvidenceError
from ci_gate.github.threshold_files import fetch_side, read_side
from tests.github.repositories import FILE, WORKFLOW, files, write_files

SHA = "a" * 40


def put(github, side, ref=SHA):
    github.state.files |= {(ref, path): content for path, content in side.items()}


ACTION = ".github/actions/measure/action.yml"


def test_folder_and_github__give_the_same(github, connect, tmp_path):
    """Helpers below the locustfile's folder, data files and actions decide too."""
    deciding = {
        "load/signed_in.py": "x",
        "load/data.bin": "x",
        "load/helpers/cart.py": "y",
        "load/helpers/users/names.csv": "z",
        ACTION: "runs: {}",
    }
    side = files(**deciding, **{"other/a.py": "x", "shop.py": "x", "load/__pycache__/a.pyc": "x"})
    put(github, side)
    local = read_side(write_files(tmp_path, side), FILE)
    fetched = fetch_side(connect(), "shop/shop", FILE, SHA)
    assert local == fetched
    assert set(local.digests) == {"load/checkout.py", WORKFLOW, *deciding}


def test_locustfile_at_the_root__is_found_on_both(github, connect, tmp_path):
    """Beside it stands the whole repository, of which only what may be the scenario's is taken."""
    more = {"users.csv": b"x", "locust.conf": b"x", "README.md": b"x", "shop/app.py": b"x"}
    side = files() | {"checkout.py": b"x"} | more
    side[FILE] = side[FILE].replace(b"load/checkout.py", b"checkout.py")
    put(github, side)
    local = read_side(write_files(tmp_path, side), FILE)
    assert local == fetch_side(connect(), "shop/shop", FILE, SHA)
    assert set(local.digests) == {"checkout.py", "users.csv", "locust.conf", WORKFLOW}


def test_thresholds_in_a_folder__name_locustfiles_from_there(github, connect, tmp_path):
    side = files(**{"load/thresholds.yaml": files()[FILE].decode().replace("load/checkout", "users/a")})
    side |= {"load/users/a.py": b"x", "load/users/b.csv": b"x"}
    put(github, side)
    local = read_side(write_files(tmp_path, side), "load/thresholds.yaml")
    assert local == fetch_side(connect(), "shop/shop", "load/thresholds.yaml", SHA)
    assert set(local.digests) == {"load/users/a.py", "load/users/b.csv", WORKFLOW}


@pytest.mark.parametrize("locustfile", ["/etc/a.py", "../a.py", "load/../../a.py"])
def test_locustfile_of_no_folder_of_the_repository__is_not_looked_for(tmp_path, locustfile):
    side = files() | {FILE: files()[FILE].replace(b"load/checkout.py", locustfile.encode())}
    try:
        found = read_side(write_files(tmp_path / "repository", side), FILE)
    except BadInputError:
        return
    assert set(found.digests) == {WORKFLOW}


def test_link__counts_by_where_it_leads(tmp_path):
    write_files(tmp_path, files())
    digests = []
    for target in ("one.csv", "/etc/hostname"):
        (tmp_path / "load" / "link.csv").unlink(missing_ok=True)
        (tmp_path / "load" / "link.csv").symlink_to(target)
        digests.append(read_side(tmp_path, FILE).digests["load/link.csv"])
    assert digests[0] != digests[1]


def test_many_folders__cost_no_more_than_some_requests_and_still_show_a_change(github, connect):
    """A pull request decides how many there are."""
    found = []
    for ref, content in ((SHA, b"x"), ("b" * 40, b"y")):
        side = files() | {f"load/d{index:03}/a.py": content for index in range(300)}
        put(github, side, ref)
        before = len(github.requests)
        found.append(fetch_side(connect(), "shop/shop", FILE, ref).digests)
        assert len(github.requests) - before < 70
    assert [path for path in found[0] if found[0][path] == found[1][path]] == [WORKFLOW, "load/checkout.py"]
    assert "load/d299/" in found[0]


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
