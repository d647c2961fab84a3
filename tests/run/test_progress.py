from __future__ import annotations

import io

from ci_gate.measure.live import Progress
from ci_gate.run.progress import ProgressPrinter, describe, format_duration

MOMENT = Progress(phase="steady", users=100, requests=12345, failures=2, rate_per_s=80.4, p95_ms=12.3)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_progress__a_log_gets_a_line_every_ten_seconds():
    out, clock = io.StringIO(), Clock()
    printer = ProgressPrinter(out, clock=clock)
    printer.start("checkout", 65)
    for clock.now_s in range(1, 26):
        printer.show(describe(MOMENT))
    printer.finish()
    assert out.getvalue().splitlines() == [
        "checkout: about 1m 05s",
        "    10 s  steady, 100 users, 12,345 requests, 80/s, p95 12 ms, 2 failures",
        "    20 s  steady, 100 users, 12,345 requests, 80/s, p95 12 ms, 2 failures",
    ]


def test_progress__a_terminal_has_one_line_rewritten():
    out, clock = Terminal(), Clock()
    printer = ProgressPrinter(out, clock=clock)
    printer.start("checkout", 5)
    printer.show("a long line")
    printer.show("short")
    printer.say("something that stays")
    assert out.getvalue().count("\n") == 2
    assert out.getvalue().endswith("\r" + " " * len("     0 s  short") + "\rsomething that stays\n")


def test_progress__quiet_says_nothing():
    out = io.StringIO()
    printer = ProgressPrinter(out, quiet=True)
    printer.start("checkout", 5)
    printer.show("a line")
    printer.finish()
    assert out.getvalue() == ""


def test_progress__before_the_first_reply():
    waiting = Progress(phase="starting", users=0, requests=0, failures=0, rate_per_s=None, p95_ms=None)
    assert describe(waiting) == "starting, 0 users, 0 requests, 0 failures"


def test_format_duration():
    assert [format_duration(seconds) for seconds in (0, 59.4, 60, 325)] == ["0 s", "59 s", "1m 00s", "5m 25s"]
