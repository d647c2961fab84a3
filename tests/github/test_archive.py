from __future__ import annotations

import io
import stat
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.github.api import archive
from ci_gate.github.api.archive import MAX_ARCHIVE_BYTES, MAX_MEMBERS, MAX_UNPACKED_BYTES, read_artifact


def pack(*members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content) pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return buffer.getvalue()


def member(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_plain_archive__is_read(method):
    files = {"verdict.json": b"{}", "evidence/burst/samples.bin": b"\0" * 1000, "empty": b""}
    assert read_artifact(pack(*files.items(), method=method)) == files


def test_folders__are_skipped():
    assert read_artifact(pack(("evidence/", b""), ("evidence/a", b"1"))) == {"evidence/a": b"1"}


def test_empty_archive__holds_nothing():
    assert read_artifact(pack()) == {}


@pytest.mark.parametrize(
    "name",
    [
        "../verdict.json",
        "a/../../verdict.json",
        "/etc/passwd",
        "./verdict.json",
        "a//b",
        "..",
        "a\\..\\b",
        "C:verdict.json",
        "a\nb",
        "a\x1bb",
        "a\u202eb",
        "x" * 201,
    ],
)
def test_path__that_is_not_plain_is_refused(name):
    with pytest.raises(EvidenceError, match="at no plain relative path"):
        read_artifact(pack((name, b"x")))


def test_name_with_nul__is_refused():
    packed = pack(("verdict.json_hidden", b"x")).replace(b"verdict.json_", b"verdict.json\0")
    with pytest.raises(EvidenceError, match="at no plain relative path"):
        read_artifact(packed)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_link_or_device__is_refused(kind):
    with pytest.raises(EvidenceError, match="no plain file"):
        read_artifact(pack((member("verdict.json", kind | 0o777), b"/etc/passwd")))


def test_plain_file__with_its_mode_is_read():
    assert read_artifact(pack((member("a", stat.S_IFREG | 0o644), b"1"))) == {"a": b"1"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["verdict.json", "VERDICT.json"])
def test_name__that_stands_twice_is_refused(second):
    with pytest.raises(EvidenceError, match="twice"):
        read_artifact(pack(("verdict.json", b"1"), (second, b"2")))


@pytest.mark.parametrize(("count", "is_refused"), [(MAX_MEMBERS, False), (MAX_MEMBERS + 1, True)])
def test_too_many_files__are_refused(count, is_refused):
    packed = pack(*((str(number), b"") for number in range(count)))
    if is_refused:
        with pytest.raises(EvidenceError, match="more than 64 files"):
            read_artifact(packed)
    else:
        assert len(read_artifact(packed)) == count


def test_bomb__is_stopped_at_the_cap():
    packed = pack(("verdict.json", b"\0" * (MAX_UNPACKED_BYTES + 1)))
    assert len(packed) < 100_000
    with pytest.raises(EvidenceError, match="unpacks to more than"):
        read_artifact(packed)


def test_bomb_in_parts__is_stopped_at_the_cap_of_all_together(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    assert len(read_artifact(pack(("a", b"x" * 500), ("b", b"x" * 500)))) == 2
    with pytest.raises(EvidenceError, match="unpacks to more than"):
        read_artifact(pack(("a", b"x" * 500), ("b", b"x" * 501)))


def test_bomb__is_never_unpacked_whole(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1024**2)
    packed = pack(("verdict.json", bytes(32 * 1024**2)))
    tracemalloc.start()
    try:
        with pytest.raises(EvidenceError, match="unpacks to more than"):
            read_artifact(packed)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    finally:
        tracemalloc.stop()


def test_size_that_the_archive_states__is_not_believed(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    packed = bytearray(pack(("a", b"x" * 5000)))
    place = packed.rindex((5000).to_bytes(4, "little"))
    packed[place : place + 4] = (10).to_bytes(4, "little")
    with pytest.raises(EvidenceError, match="no intact zip"):
        read_artifact(bytes(packed))


def test_large_archive__is_not_opened():
    with pytest.raises(EvidenceError, match="the artifact is larger than"):
        read_artifact(b"\0" * (MAX_ARCHIVE_BYTES + 1))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression__is_refused(method):
    with pytest.raises(EvidenceError, match="packed in a way that is not read"):
        read_artifact(pack(("a", b"x"), method=method))


def test_encrypted_member__is_refused():
    packed = bytearray(pack(("a", b"x")))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(EvidenceError, match="packed in a way that is not read"):
        read_artifact(bytes(packed))


@pytest.mark.parametrize("packed", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18])
def test_garbage__is_refused(packed):
    with pytest.raises(EvidenceError, match="no intact zip"):
        read_artifact(packed)


def test_wrong_checksum__is_refused():
    packed = pack(("a", b"hello hello"), method=zipfile.ZIP_STORED).replace(b"hello hello", b"hello jello")
    with pytest.raises(EvidenceError, match="no intact zip"):
        read_artifact(packed)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_archive__is_read_or_refused_but_nothing_else(data):
    packed = bytearray(pack(("verdict.json", b'{"a": 1}' * 50), ("b/c", zlib.compress(b"x"))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(packed) - 1))
        packed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for damaged in (bytes(packed), bytes(packed[:cut])):
        try:
            files = read_artifact(damaged)
        except EvidenceError:
            continue
        assert all(not name.startswith("/") and ".." not in name.split("/") for name in files)
