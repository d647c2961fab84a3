from __future__ import annotations

import hashlib

import pytest

from ci_gate.errors import EvidenceError
from ci_gate.github.api.contents import list_folder, read_file

SHA = "a" * 40


def test_file__comes_with_gits_digest(github, connect):
    github.state.files[SHA, "load tests/a.py"] = b"print('\xc3\xbc')\n" * 10
    content, digest = read_file(connect(), "shop/shop", "load tests/a.py", SHA)
    assert content == b"print('\xc3\xbc')\n" * 10
    assert digest == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.mark.parametrize(("path", "ref"), [("a.py", "b" * 40), ("b.py", SHA)])
def test_missing_file__is_none(github, connect, path, ref):
    github.state.files[SHA, "a.py"] = b"x"
    assert read_file(connect(), "shop/shop", path, ref) is None


def test_folder__is_no_file(github, connect):
    github.state.files[SHA, "load/a.py"] = b"x"
    with pytest.raises(EvidenceError, match="load is a folder: a plain file is allowed"):
        read_file(connect(), "shop/shop", "load", SHA)


def test_link__is_followed_inside_the_repository_alone(github, connect):
    github.state.files[SHA, "load/a.yaml"] = b"x"
    github.state.links[SHA, "a.yaml"] = "load/a.yaml"
    github.state.links[SHA, "b.yaml"] = "/etc/passwd"
    assert read_file(connect(), "shop/shop", "a.yaml", SHA)[0] == b"x"
    with pytest.raises(EvidenceError, match=r"b\.yaml is a symbolic link that leads to no file of the"):
        read_file(connect(), "shop/shop", "b.yaml", SHA)


def test_folder__is_listed_with_its_files_and_folders(github, connect):
    github.state.files |= {
        (SHA, ".github/workflows/a.yml"): b"a",
        (SHA, ".github/workflows/b.yml"): b"b",
        (SHA, ".github/actions/install/action.yml"): b"b",
        (SHA, "c.yml"): b"c",
    }
    files, folders = list_folder(connect(), "shop/shop", ".github/workflows", SHA)
    assert files == {
        ".github/workflows/a.yml": "2e65efe2a145dda7ee51d1741299f848e5bf752e",
        ".github/workflows/b.yml": "63d8dbd40c23542e740659a7168a0ce3138ea748",
    }
    assert folders == {}
    files, folders = list_folder(connect(), "shop/shop", ".github", SHA)
    assert (files, list(folders)) == ({}, [".github/actions", ".github/workflows"])
    assert list_folder(connect(), "shop/shop", "nothing", SHA) == ({}, {})


def test_what_is_no_folder__is_listed_as_the_one_file_that_it_is(github, connect):
    """GitHub shows a file, a link or a submodule in the place of a folder as itself, and not as a list."""
    github.state.files[SHA, ".github/actions"] = b"x"
    github.state.links[SHA, ".github/workflows"] = "/etc"
    for path in (".github/actions", ".github/workflows"):
        files, folders = list_folder(connect(), "shop/shop", path, SHA)
        assert ([*files], folders) == ([path], {})
