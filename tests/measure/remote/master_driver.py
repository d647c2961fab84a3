"""A Locust master with the sockets of `in_locust.remote`. It prints its workers.

python -m tests.measure.remote.master_driver PORT SECRET FOLDER [ADDRESS WORKERS]
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import gevent
from gevent import fileobject, monkey

monkey.patch_all()

from locust.env import Environment  # noqa: E402

from ci_gate.measure.in_locust.remote import conduct  # noqa: E402
from ci_gate.measure.target import Crew, Target  # noqa: E402
from tests.measure.conftest import make_plan  # noqa: E402


class Conductor:
    def take_role(self, crew, folder):
        pass


def main() -> None:
    port, secret, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    host, workers = sys.argv[4] if sys.argv[4:] else "127.0.0.1", int((sys.argv[5:] or ["2"])[0])
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    plan = make_plan("visits.py", {"Visitor": workers}, processes=workers, remote=True)
    crew = Crew(host=host, port=port, secret=secret, recording="0" * 32, files={"visits.py": "a" * 64})
    target = Target(url="http://127.0.0.1:9", secrets=("a secret of the service",), crew=crew)
    conduct(plan, folder, target, Conductor())
    runner = Environment().create_master_runner(host, port)
    print("[]", flush=True)
    ending = gevent.spawn(fileobject.FileObject(sys.stdin.buffer).read)
    before: list[str] = []
    while not ending.dead:
        now = sorted(runner.clients)
        if now != before:
            print(json.dumps(now), flush=True)
        before = now
        gevent.sleep(0.02)


if __name__ == "__main__":
    main()
