"""Processes that use CPU beside what is measured."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

BURNS = """
import os, sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
print(os.getpid(), flush=True)
while time.process_time() < 20:
    pass
"""


@contextlib.contextmanager
def burning(name, *, detached):
    """A process that uses what it gets of a core: in a session of its own below init, or a child of ours."""
    wrapper = ["setsid", "--fork"] if detached else []
    command = [*wrapper, sys.executable, "-c", BURNS, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGKILL)
