"""Base's files, from repositories whose hooks, filters and submodules want to have a say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ci_gate.errors import BaseError
from ci_gate.run.base_checkout import check_out
from tests.repositories import commit_files, git, make_repository
from tests.service.services import await_true

HOOK = "#!/bin/sh\necho from the hook >&2\nexit 1\n"


@pytest.fixture
def repository(tmp_path):
    folder = make_repository(tmp_path / "repository", {"name.txt": "base"})
    commit_files(folder, {"name.txt": "head"})
    return folder


def test_checkout__is_gone_afterwards(repository):
    with check_out("HEAD^", repository) as worktree:
        assert (worktree / "name.txt").read_text() == "base"
    assert not worktree.parent.exists()
    assert git(repository, "worktree", "list").count("\n") == 0


def test_checkout__of_a_run_that_was_killed_is_removed(repository, tmp_path):
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from ci_gate.run.base_checkout import check_out\n"
        "from ci_gate.service.guard.watchdog import Watchdog\n"
        "with Watchdog() as watchdog, check_out('HEAD^', Path(sys.argv[1]), watchdog) as worktree:\n"
        "    print((worktree / 'name.txt').read_text(), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", code, str(repository)]
    env = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (-9, b"base\n")
    assert await_true(lambda: not list(temporary.iterdir()))
    with check_out("HEAD^", repository):
        assert git(repository, "worktree", "list").count("\n") == 1


def test_hooks__are_not_run(repository):
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    with check_out("HEAD^", repository) as worktree:
        assert (worktree / "name.txt").read_text() == "base"


def test_filter__that_fails_is_bases_failure_in_gits_words(repository):
    commit_files(repository, {".gitattributes": "*.txt filter=broken\n"})
    git(repository, "config", "filter.broken.smudge", "false")
    git(repository, "config", "filter.broken.required", "true")
    with (
        pytest.raises(
            BaseError, match=r"(?s)base could not be checked out: git worktree: .*smudge filter brok"
        ),
        check_out("HEAD", repository),
    ):
        pass
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.fixture
def with_submodule(tmp_path):
    """A service whose library is a submodule, which has one itself; head has a newer library than base."""
    nested = make_repository(tmp_path / "nested", {"nested.txt": "nested"})
    library = make_repository(tmp_path / "library", {"name.txt": "old"})
    git(library, "submodule", "--quiet", "add", str(nested), "nested")
    commit_files(library, {})
    repository = make_repository(tmp_path / "repository", {"service.py": ""})
    git(repository, "submodule", "--quiet", "add", "--name", "lib", str(library), "libs/library")
    git(repository, "submodule", "--quiet", "update", "--init", "--recursive")
    commit_files(repository, {})
    commit_files(library, {"name.txt": "new"})
    git(repository / "libs/library", "pull", "--quiet", "origin", "main")
    commit_files(repository, {})
    for used in (nested, library):
        shutil.rmtree(used)  # nothing can be fetched
    return repository


def test_submodules__come_from_heads_checkout(with_submodule):
    assert (with_submodule / "libs/library/name.txt").read_text() == "new"
    with check_out("HEAD^", with_submodule) as worktree:
        assert (worktree / "libs/library/name.txt").read_text() == "old"
        assert (worktree / "libs/library/nested/nested.txt").read_text() == "nested"
    assert not worktree.parent.exists()
    assert git(with_submodule, "status", "--porcelain") == ""


def test_submodule__that_head_has_moved_is_found_by_its_name(with_submodule):
    git(with_submodule, "mv", "libs/library", "library")
    commit_files(with_submodule, {})
    with check_out("HEAD~2", with_submodule) as worktree:
        assert (worktree / "libs/library/name.txt").read_text() == "old"


def test_submodule__that_is_not_on_this_machine_is_bases_failure(with_submodule):
    shutil.rmtree(with_submodule / ".git/modules")
    (with_submodule / "libs/library/.git").unlink()
    with (
        pytest.raises(
            BaseError, match=r"submodule libs/library is not on this machine: git submodule update"
        ),
        check_out("HEAD^", with_submodule),
    ):
        pass


def test_submodule__whose_commit_is_not_on_this_machine_is_bases_failure(with_submodule):
    gone = git(with_submodule, "rev-parse", "HEAD^:libs/library")
    objects = with_submodule / ".git/modules/lib/objects"
    (objects / gone[:2] / gone[2:]).unlink()
    with (
        pytest.raises(BaseError, match=rf"submodule library at {gone[:12]}: git checkout: .*fetch all of it"),
        check_out("HEAD^", with_submodule),
    ):
        pass


def test_submodule__that_head_does_without_base_does_without_too(with_submodule, tmp_path):
    bare = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(with_submodule), str(bare))
    with check_out("HEAD^", bare) as worktree:
        assert list((worktree / "libs/library").iterdir()) == []


def test_repository__that_is_itself_a_submodule(with_submodule):
    with check_out("HEAD^", with_submodule / "libs/library") as worktree:
        assert (worktree / "name.txt").read_text() == "old"
