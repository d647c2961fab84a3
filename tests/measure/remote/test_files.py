"""The files beside a locustfile, compared between machines."""

from __future__ import annotations

import pytest

from ci_gate.errors import UsageError
from ci_gate.measure.remote.files import compare_files, hash_files


@pytest.fixture
def folders(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name / "load" / "lib").mkdir(parents=True)
        (tmp_path / name / "load" / "visits.py").write_text("import lib.pages")
        (tmp_path / name / "load" / "lib" / "pages.py").write_text("PAGES = 3")
        (tmp_path / name / "load" / "users.csv").write_text("a,b")
        (tmp_path / name / "README.md").write_text(name)
    return tmp_path / "here", tmp_path / "there"


def compare(folders):
    here, there = folders
    return compare_files(hash_files(here, ["load/visits.py"]), hash_files(there, ["load/visits.py"]))


def test_equal_folders__also_where_others_differ(folders):
    """What is not beside the locustfile, or is nobody's code, is no matter."""
    (folders[0] / "load" / "__pycache__").mkdir()
    (folders[0] / "load" / "__pycache__" / "visits.pyc").write_text("cache")
    (folders[0] / "load" / ".env").write_text("own")
    (folders[0] / "load" / "notes.txt").write_text("own")
    assert compare(folders) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda here: (here / "load/visits.py").write_text("x"),
            "load/visits.py is another than the master's",
        ),
        (lambda here: (here / "load/lib/pages.py").write_text("x"), "load/lib/pages.py is another"),
        (lambda here: (here / "load/users.csv").unlink(), "load/users.csv is missing"),
        (lambda here: (here / "load/requests.py").write_text("x"), "the master has no load/requests.py"),
    ],
)
def test_difference__is_named(folders, change, says):
    change(folders[0])
    assert says in compare(folders)


def test_folder__is_as_large_as_is_compared_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ci_gate.measure.remote.files.MAX_FILES", 20)
    for number in range(20):
        (tmp_path / f"{number}.txt").touch()
    assert len(hash_files(tmp_path, ["1.txt"])) == 20
    (tmp_path / "more.txt").touch()
    with pytest.raises(UsageError, match="a folder of its own"):
        hash_files(tmp_path, ["1.txt"])


def test_locustfile_outside_of_the_repository__is_refused(tmp_path):
    (tmp_path / "repository").mkdir()
    with pytest.raises(UsageError, match="is not in the folder"):
        hash_files(tmp_path / "repository", ["../visits.py"])
