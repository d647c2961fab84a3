"""`.ci/with-venv`: the environment is made once, however many calls meet a lock that has changed."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

WITH_VENV = Path(__file__).parents[1] / ".ci" / "with-venv"
TIMEOUT_S = 60

# Stands for the installation: notes that it began, and ends once it may.
PACKAGES = """#!/bin/sh
set -eu
echo begun >>begun
until [ -e go ]; do sleep 0.05; done
rm -rf "$2"
mkdir -p "$2/bin"
[ ! -e broken ]
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / ".ci"
    folder.mkdir()
    shutil.copy(WITH_VENV, folder)
    (folder / "packages").write_text(PACKAGES)
    (folder / "packages").chmod(0o755)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    return tmp_path


def start(checkout):
    words = (".ci/with-venv", "test", "-e", ".venv/installed")
    with (checkout / "said").open("a") as said:
        return subprocess.Popen(words, cwd=checkout, stderr=said)


def await_begun(checkout):
    deadline = time.monotonic() + TIMEOUT_S
    while not (checkout / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def count_begun(checkout):
    return len((checkout / "begun").read_text().splitlines())


def test_with_venv__two_calls_at_once_install_once(checkout):
    first = start(checkout)
    await_begun(checkout)
    second = start(checkout)
    time.sleep(1)  # time to begin with it too, and wrongly
    (checkout / "go").touch()
    assert [each.wait(TIMEOUT_S) for each in (first, second)] == [0, 0]
    assert count_begun(checkout) == 1
    assert (checkout / "said").read_text() == "installing requirements.lock into .venv\n"


def test_with_venv__installs_again_where_the_lock_has_changed_and_only_there(checkout):
    (checkout / "go").touch()
    assert [start(checkout).wait(TIMEOUT_S) for _ in range(2)] == [0, 0]
    assert count_begun(checkout) == 1
    (checkout / "requirements.lock").write_text("another")
    assert start(checkout).wait(TIMEOUT_S) == 0
    assert count_begun(checkout) == 2


def test_with_venv__an_installation_that_fails_is_tried_again(checkout):
    for name in ("go", "broken"):
        (checkout / name).touch()
    assert start(checkout).wait(TIMEOUT_S) != 0
    (checkout / "broken").unlink()
    assert start(checkout).wait(TIMEOUT_S) == 0
    assert count_begun(checkout) == 2
