"""Starts a service and stays in it, to be killed: ``driver.py KIND TARGET FOLDER [GRACE_S]``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.start import start_service
from ci_gate.thresholds import Position, Ready, Service


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def terminate(*_: object) -> None:
    sys.exit(143)


def main() -> None:
    kind, target, folder, *grace = sys.argv[1:]
    signal.signal(signal.SIGTERM, terminate)
    # A parent that was itself run in the background passes on that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    service = Service(
        kind=kind,  # type: ignore[arg-type]
        target=target,
        ready=Ready(path="/"),
        ready_timeout_s=30,
        port=8000 if kind != "command" else None,
        env=(),
        needs=None,
        before_start=None,
        before_start_timeout_s=60,
        before_each=None,
        before_each_timeout_s=60,
        processes=(),
        ca=None,
        cpus=None,
        memory_bytes=None,
        at=Position(line=1, column=1),
    )
    placement = ServiceContext(
        side="head",
        repository=Path(folder),
        state_dir=Path(folder, "state"),
        log_path=Path(folder, "service.log"),
        environ=dict(os.environ),
    )
    with Watchdog() as watchdog:
        say("starting")
        grace_s = float(grace[0]) if grace else 10.0
        with start_service(service, placement, watchdog=watchdog, stop_grace_s=grace_s):
            say("ready")
            time.sleep(60)


if __name__ == "__main__":
    main()
