from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from ci_gate.report.output import CleanStream, clean_output, write_command, write_document


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a table\n\twith tabs, ümlauts, 漢字 and …\n", "a table\n\twith tabs, ümlauts, 漢字 and …\n"),
        ("::add-mask::x", ": :add-mask::x"),
        ("fine\n \u00a0::set-env name=x::y", "fine\n \u00a0: :set-env name=x::y"),
        ("std::vector and a::b", "std::vector and a::b"),
        ("a ##[group] b", "a ## [group] b"),
        ("a\r::add-mask::x", "a\ufffd::add-mask::x"),
        ("a\u2028::x\u2029\x0b\x0c\x85", "a\ufffd::x\ufffd\ufffd\ufffd\ufffd"),
        ("\x1b[2J\x1b]0;title\x07", "\ufffd[2J\ufffd]0;title\ufffd"),
        ("\u202egnp.exe\u2066\u200f\ufeff", "\ufffdgnp.exe\ufffd\ufffd\ufffd"),
        ("\udc80", "\ufffd"),
        ("", ""),
    ],
)
def test_clean_output__shows_and_does_nothing(text, shown):
    assert clean_output(text) == shown
    assert clean_output(shown) == shown


@pytest.mark.parametrize("text", ["::add-mask::x", "a ##[group] b", "x\n\n  ::y::z", "\n" * 50 + "::a"])
def test_stream__cleans_what_comes_in_pieces(text):
    out = io.StringIO()
    stream = CleanStream(out)
    for character in text:
        stream.write(character)
    assert out.getvalue() == clean_output(text)


def test_stream__writes_commands_of_ours_on_a_line_of_their_own():
    out = io.StringIO()
    stream = CleanStream(out)
    stream.write("begun")
    write_command(stream, "::error file=a::b\n::add-mask::x\x1b")
    stream.write("::no")
    write_document(stream, "\n::root {}\n")
    assert out.getvalue() == "begun\n::error file=a::b ::add-mask::x\ufffd\n: :no\n::root {}\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("out", "shown"), [(Terminal(), "\r   1s  a\ufffdb\r    \r"), (io.StringIO(), "\ufffd   1s")]
)
def test_progress__is_rewritten_on_a_terminal_alone(out, shown):
    stream = CleanStream(out)
    stream.write("\r   1s  a\rb")
    stream.write("\r    \r")
    assert out.getvalue().startswith(shown)


def test_ascii_terminal__gets_escapes_and_ends_no_run(tmp_path):
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-m", "ci_gate", "check", "--thresholds", str(tmp_path / "ümlaut ✅")],
        env=environ,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.isascii()) == (2, True)
    assert b"\\xfcmlaut \\u2705" in done.stderr
