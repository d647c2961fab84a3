"""`ci-gate worker`: waits for a master, runs Locust's worker for it, and sends what that records.

It is a process beside Locust, so that sending costs the load nothing, and what a killed Locust has written
still arrives.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

import ci_gate
from ci_gate.addresses import keep_secret
from ci_gate.errors import OutsideError, UsageError
from ci_gate.evidence.clocks import CLOCK_FILE, ClockReading
from ci_gate.evidence.delivery import DELIVERY_FILE, Delivery
from ci_gate.evidence.processes import WORKER
from ci_gate.evidence.recording import LineWriter, recording_folder, write_json
from ci_gate.measure import AWAITED_HOST
from ci_gate.measure.load_run import locust_command
from ci_gate.measure.remote.connection import Connection
from ci_gate.measure.remote.desk import MAX_SILENCE_S
from ci_gate.measure.remote.files import compare_files, hash_files
from ci_gate.measure.remote.messages import (
    Acknowledgement,
    Done,
    Ended,
    Hello,
    Ping,
    Pong,
    Refusal,
    Unknown,
    Wait,
    Work,
)
from ci_gate.measure.remote.outbox import Outbox
from ci_gate.measure.remote.sending import Sending
from ci_gate.measure.target import Membership
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.log import open_log
from ci_gate.service.process import Command, GuardedProcess, start_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_gate.addresses import HostPort

_ASK_EVERY_S: Final = 1.0
_POLL_S: Final = 0.1
_GRACE_S: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Where the master is, and what is here: the folder of the locustfiles, and where evidence goes.

    ``wait_s`` is how long a master that does not answer is waited for.
    """

    master: HostPort
    secret: str
    name: str
    repository: Path
    out: Path
    environ: Mapping[str, str]
    wait_s: float


def run_worker(options: WorkerOptions, say: Callable[[str], None]) -> None:
    """Work for the master until it says that there is no more to do; ``say`` gets a line for each event.

    Raises UsageError where the folder is another than the master's, OutsideError where no master is there or
    one has not got all that was recorded.
    """
    with Watchdog() as watchdog:
        _Agent(options, watchdog, say).run()


class _Agent:
    def __init__(self, options: WorkerOptions, watchdog: Watchdog, say: Callable[[str], None]) -> None:
        self._options = options
        self._watchdog = watchdog
        self._say = say
        self._sending = Sending()
        self._last_ping_s = 0.0
        self._clock: LineWriter | None = None

    def run(self) -> None:
        options = self._options
        self._say(f"waiting for a master at {options.master}")
        with Connection(options.master, options.secret) as connection:
            why, done = "", set[str]()
            asked_s = 0.0
            while connection.silence_s() < options.wait_s:
                if time.monotonic() - asked_s > _ASK_EVERY_S:
                    asked_s = time.monotonic()
                    connection.send(Hello(version=ci_gate.__version__, name=options.name))
                self._sending.send(connection.send)
                match self._receive(connection, _POLL_S):
                    case Work() as work if work.recording not in done:
                        done.add(work.recording)
                        self._work(connection, work)
                    case Done():
                        self._leave(connection)
                        return
                    case Wait() as wait if wait.why not in {"", why}:
                        why = wait.why
                        self._say(f"nothing to do yet: {why}")
        self._complain(f"no master at {options.master} for {options.wait_s:.0f} s")

    def _leave(self, connection: Connection) -> None:
        self._sending.end_run()
        while self._sending.send(connection.send) and self._sending.is_arriving():
            self._receive(connection, _POLL_S)
        if self._sending.kept():
            self._complain("the run is over")
        self._say("the run is over")

    def _complain(self, why: str) -> NoReturn:
        kept = ", ".join(map(str, self._sending.kept()))
        raise OutsideError(f"{why}; not all has arrived there of {kept}" if kept else why)

    def _work(self, connection: Connection, work: Work) -> None:
        try:
            self._check(work)
        except UsageError as error:
            connection.send(Refusal(why=str(error)[:500]))
            raise
        folder = _make_folder(recording_folder(self._options.out, work.plan) / WORKER.format(work.number))
        self._say(f"{work.plan.scenario}: worker {work.number} of {work.plan.processes}")
        outbox = Outbox(folder, work.recording, work.number)
        write_json(folder / "plan.json", work.plan)
        self._sending.add(folder, outbox)
        with LineWriter(folder / CLOCK_FILE) as self._clock:
            with start_process(self._make_command(work, folder), self._watchdog) as process:
                target = msgspec.structs.replace(work.target, membership=self._make_membership(work))
                process.write_input(msgspec.json.encode(target))
                is_heard = self._follow(connection, process, work.recording)
            connection.send(Ended(recording=work.recording, number=work.number))
            outbox.close()
            if is_heard:
                self._deliver(connection, outbox, work.recording)
            write_json(
                folder / DELIVERY_FILE,
                Delivery(machine=self._options.name, rows=outbox.rows, sent_again=outbox.sent_again),
            )
            outbox.send_last(DELIVERY_FILE)
            if is_heard:
                self._deliver(connection, outbox, work.recording)
        self._clock = None
        self._sending.send(connection.send)
        if self._sending.is_kept(folder):
            self._say(f"{work.plan.scenario}: not all has arrived at the master; it is kept in {folder}")

    def _check(self, work: Work) -> None:
        """Raises UsageError where what is here is not what the master has, or leads out of the folder."""
        root = self._options.repository.resolve()
        keep_secret(*work.target.secrets)
        files = [each for each in work.plan.locustfile.split(",") if each]
        for name in (*files, work.plan.directory):
            if not (root / name).resolve().is_relative_to(root):
                raise UsageError(f"{name} is not in the folder {root}")
        folder = recording_folder(self._options.out, work.plan)
        if not folder.resolve().is_relative_to(self._options.out.resolve()):
            raise UsageError(f"no name of a scenario: {work.plan.scenario!r}")
        if difference := compare_files(hash_files(root, files), work.files):
            raise UsageError(f"{self._options.repository} is not what the master has: {difference}")

    def _make_command(self, work: Work, folder: Path) -> Command:
        return Command(
            words=locust_command(work.plan, folder.resolve(), AWAITED_HOST),
            env=self._options.environ,
            cwd=self._options.repository / work.plan.directory,
            log=open_log(folder / "locust.log"),
            grace_s=_GRACE_S,
            reads_input=True,
        )

    def _make_membership(self, work: Work) -> Membership:
        host, port = self._options.master
        return Membership(
            host=host, port=port, secret=self._options.secret, number=work.number, ticket=work.ticket
        )

    def _follow(self, connection: Connection, process: GuardedProcess, recording: str) -> bool:
        """Until Locust has ended, or there is no master for it any more; whether one is still heard of."""
        connection.heard_s = time.monotonic()  # nobody listened while Locust was started
        while process.exit_status() is None and not self._sending.is_without(recording):
            self._sending.send(connection.send)
            if isinstance(self._receive(connection, _POLL_S), Done):
                break
            if connection.silence_s() > MAX_SILENCE_S:
                self._say(f"nothing was heard of the master for {MAX_SILENCE_S:.0f} s: the load is ended")
                return False
        return True

    def _deliver(self, connection: Connection, outbox: Outbox, recording: str) -> None:
        """Until the master has all of it, or is gone."""
        connection.heard_s = time.monotonic()
        while (
            not outbox.is_empty()
            and connection.silence_s() < MAX_SILENCE_S
            and not self._sending.is_without(recording)
        ):
            self._sending.send(connection.send)
            self._receive(connection, _POLL_S)

    def _receive(self, connection: Connection, timeout_s: float) -> Work | Wait | Done | None:
        """The next answer, with those taken note of that are about files and clocks."""
        if time.monotonic() - self._last_ping_s > _ASK_EVERY_S:
            self._last_ping_s = time.monotonic()
            connection.send(Ping(monotonic_s=time.monotonic()))
        answer = connection.receive(timeout_s)
        while isinstance(answer, Acknowledgement | Unknown | Pong):
            if isinstance(answer, Pong):
                self._note_clock(answer)
            else:
                self._sending.note(answer)
            answer = connection.receive(0)
        return answer

    def _note_clock(self, pong: Pong) -> None:
        now_s, wall_s = time.monotonic(), time.time()
        round_trip_s = now_s - pong.asked_s
        if self._clock is not None and 0 <= round_trip_s < MAX_SILENCE_S:
            self._clock.write(
                ClockReading(
                    wall_s=wall_s - round_trip_s / 2,
                    monotonic_s=now_s - round_trip_s / 2,
                    master_wall_s=pong.wall_s,
                    master_monotonic_s=pong.monotonic_s,
                    round_trip_s=round_trip_s,
                )
            )


def _make_folder(wanted: Path) -> Path:
    """A new folder of that name, or with a number behind it. Raises OutsideError."""
    for number in range(1, 1000):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutsideError(f"cannot make the folder {folder}: {error.strerror}") from error
        return folder
    raise OutsideError(f"{wanted} is there a thousand times")
