"""Real repositories in which git cannot tell: that must never read as "no"."""

from __future__ import annotations

import os
import shutil

import pytest

from ci_gate.errors import OutsideError, UsageError
from ci_gate.run.git import ask_git, find_commit, find_merge_base, find_parents, has_file
from tests.repositories import git


@pytest.fixture
def origin(tmp_path):
    """Two commits on main: the second has what the first lacks."""
    folder = tmp_path / "origin"
    (folder / "app").mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    (folder / "app" / "Dockerfile").write_text("FROM scratch\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First")
    (folder / "link").symlink_to("app")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Second")
    return folder


def clone(origin, *arguments):
    folder = origin.with_name("clone")
    git(origin.parent, "clone", "--quiet", *arguments, origin.as_uri(), str(folder))
    return folder


@pytest.fixture
def foreign(origin):
    """Owned by somebody else, whom git does not trust here."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(origin, 12_345, 12_345)
    os.chown(origin / ".git", 12_345, 12_345)
    return origin


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("app/Dockerfile", True),
        ("./app/Dockerfile", True),
        ("app/../app/Dockerfile", True),
        ("app", False),  # a folder is no file
        ("gone", False),
        ("app/Dockerfile/x", False),
        ("app/Docker*", False),
        (":(glob)app/*", False),
    ],
)
def test_file__is_there_or_not(origin, path, is_there):
    assert has_file("HEAD", path, origin) is is_there


def test_file__is_looked_for_below_the_folder_that_asks(origin):
    assert has_file("HEAD", "Dockerfile", origin / "app")
    assert not has_file("HEAD", "app/Dockerfile", origin / "app")


def test_file__of_a_partial_clone_is_there_without_its_content(origin):
    folder = clone(origin, "--filter=blob:none", "--no-checkout")
    shutil.rmtree(origin)
    assert has_file("HEAD", "app/Dockerfile", folder)
    assert not has_file("HEAD", "gone", folder)


def test_file__that_git_cannot_tell_of_is_an_error_with_its_words(origin):
    folder = clone(origin, "--filter=tree:0", "--no-checkout")
    shutil.rmtree(origin)
    with pytest.raises(OutsideError, match=r"git ls-tree: .*(?s:.*)to fix it: fetch what the partial clone"):
        has_file("HEAD", "app/Dockerfile", folder)


def test_foreign_owner__is_an_error_with_the_remedy(foreign):
    for ask in (
        lambda: has_file("HEAD", "gone", foreign),
        lambda: find_commit(("HEAD",), foreign),
        lambda: find_merge_base("HEAD", "HEAD^", foreign),
        lambda: find_parents("HEAD", foreign),
    ):
        with pytest.raises(
            OutsideError, match=r"(?s)dubious ownership.*to fix it: let git trust it: git con"
        ):
            ask()


def test_no_repository__is_an_error(tmp_path):
    with pytest.raises(OutsideError, match="not a git repository"):
        find_commit(("HEAD",), tmp_path)


def test_commit__that_a_shallow_clone_lacks_says_so(origin):
    first = git(origin, "rev-parse", "HEAD^")
    folder = clone(origin, "--depth=1")
    with pytest.raises(UsageError, match=r"no commit .* its history is cut off: .*fetch-depth: 0"):
        find_commit((first,), folder)
    assert find_parents("HEAD", folder) == ()
    with pytest.raises(UsageError, match=r"\(git rev-parse\)$"):
        find_commit(("gone",), origin)


def test_commit__may_be_a_branch_of_origin(origin):
    git(origin, "branch", "release")
    folder = clone(origin)
    assert find_commit(("release", "origin/release"), folder) == git(origin, "rev-parse", "release")


def test_merge_base__of_histories_without_one(origin):
    first = git(origin, "rev-parse", "HEAD^")
    assert find_merge_base("HEAD", first, origin) == first
    git(origin, "checkout", "--quiet", "--orphan", "other")
    git(origin, "commit", "--quiet", "-m", "Other")
    assert find_merge_base("HEAD", "main", origin) is None
    with pytest.raises(OutsideError, match=r"git merge-base: .*gone"):
        find_merge_base("HEAD", "gone", origin)


def test_git__answers_for_the_folder_it_is_asked_about(origin, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))  # as in a hook of the other repository
    assert ask_git(origin, "rev-parse", "--show-toplevel") == str(origin)
