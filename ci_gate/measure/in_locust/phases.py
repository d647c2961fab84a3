"""Takes a Locust run through its phases and writes down when each began. Runs inside Locust.

started -> (users spawn, each ends its on_start) -> spawned -> (warm-up) -> steady -> (duration) -> stopping
-> (requests in flight are awaited) -> ended
"""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gevent
from locust import User

from ci_gate.addresses import hide_credentials
from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import RESET_CHECKS, LineWriter, RecordingPlan, write_json
from ci_gate.measure.in_locust.crew import READY, Alone, Pacer
from ci_gate.measure.in_locust.generator import GeneratorMeter
from ci_gate.measure.in_locust.leaving import find_caller
from ci_gate.measure.in_locust.notes import Notes, SampleKeeper
from ci_gate.measure.in_locust.shapes import ShapeRun
from ci_gate.measure.locustfile.own_hosts import keep_own_host

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import Events


_FIRST_POLL_S, _POLL_S = 0.01, 0.1  # a small number of users is there at once
_KEPT_ERRORS = 100
_SHAPE_ALLOWANCE, _SHAPE_ALLOWANCE_S = 1.1, 10.0  # beyond what was foreseen of a shape


class Conductor:
    """Sets the users that the plan names, and no others; starts, marks and ends the phases.

    Of several processes each has one; that of the master conducts, and the others follow.
    """

    def __init__(
        self,
        plan: RecordingPlan,
        folder: Path,
        samples: SampleKeeper,
        arrivals: Pacer | None,
        clean: Callable[[str], str] = hide_credentials,
        host: str | None = None,
    ) -> None:
        self._plan = plan
        self._arrivals = arrivals
        self._folder = folder
        self._samples = samples
        self._marks = LineWriter(folder / "marks.jsonl")
        self._notes = Notes(clean)
        self._all_spawned = False
        self._is_over = False
        self._is_quitting = False  # Locust itself ends, by a signal
        self._is_stopping = False
        self._shape: ShapeRun | None = None
        self._host = host  # of users that are no HTTP users
        self._crew = Alone()
        self._is_finished = False

    def take_role(self, crew: Alone, folder: Path) -> None:
        """Be one of several processes, which writes into ``folder``."""
        self._crew, self._folder = crew, folder
        self._marks.close()
        self._marks = LineWriter(folder / "marks.jsonl")

    def listen(self, events: Events) -> None:
        """Attach to the events of the Locust that is about to run."""
        events.init.add_listener(self._prepare)
        events.test_start.add_listener(self._begin)
        events.spawning_complete.add_listener(self._note_spawned)
        events.user_error.add_listener(self._note_user_error)
        events.test_stopping.add_listener(self._stop)
        events.quitting.add_listener(self.note_quitting)

    def _prepare(self, environment: Environment, **_more: Any) -> None:
        self._notes.listen()
        environment.shape_class = None  # thresholds.yaml says how many users run, nothing else
        environment.stop_timeout = self._plan.drain_s + 2 * _POLL_S  # self._end_drain comes first
        if self._plan.shape and self._crew.conducts:
            self._shape = ShapeRun(self._plan.shape, environment)
        elif not self._plan.shape:
            for user_class in environment.user_classes:
                user_class.fixed_count = self._plan.users[user_class.__name__]
        self._watch_starts()
        if self._plan.recording in RESET_CHECKS:
            self._notes.task_counts.watch()
        if self._arrivals and self._crew.runs_users:
            self._arrivals.pace()
        self._crew.join(environment, self)
        environment.events.quit.add_listener(functools.partial(self.finish, environment))

    def _watch_starts(self) -> None:
        """See how each user's on_start ends, once.

        Hence the hook is on the user, and not on its class: classes may inherit from each other, and
        ``super().on_start()`` would meet it again.
        """
        start: Any = User.start

        @functools.wraps(start)
        def watched_start(user: Any, group: Any) -> Any:
            user.on_start = functools.partial(self._run_on_start, user, user.on_start)
            return start(user, group)

        User.start = watched_start  # type: ignore[method-assign,assignment]

    def _run_on_start(self, user: Any, on_start: Callable[[], None]) -> None:
        user.on_start = on_start  # a scenario that calls it again, to log in anew, calls its own
        try:
            on_start()
        except Exception as error:
            self._notes.start_failures.add(type(user).__name__, error)
            raise
        setattr(user, READY, True)
        if self._arrivals:
            user.wait()  # for its first task too

    def _begin(self, environment: Environment, **_more: Any) -> None:
        runner = environment.runner
        for user_class in environment.user_classes:
            # After this event, Locust gives all of them the service's URL.
            own_host = keep_own_host(user_class, self._host)
            if own_host and not self._host:
                self._notes.own_hosts[user_class.__name__] = own_host
        if self._shape:
            # Locust waits for the end of a shape before it hears this signal itself.
            gevent.signal_handler(signal.SIGTERM, self.end, runner)
        self.mark("started")
        count, readings = functools.partial(self._crew.count_users, runner), self._folder / "readings.jsonl"
        meter = GeneratorMeter(readings, count, self._read_target, self._crew.report)
        gevent.spawn(meter.watch_lag)
        gevent.spawn(meter.write_readings)
        self._crew.watch(runner)
        if not self._crew.conducts:
            return
        if self._shape:
            gevent.spawn(self._conduct_shape, runner)
        else:
            gevent.spawn(self._conduct, runner)

    def _read_target(self) -> int | None:
        return self._shape.target_users if self._shape else None

    def _conduct_shape(self, runner: Any) -> None:
        """All of the shape after the warm-up is the steady phase; one that goes on too long is ended."""
        gevent.sleep(self._plan.warmup_s)
        if self._is_over:
            return
        self.begin_steady()
        if self._plan.shape and self._plan.shape.ends:
            gevent.sleep((_SHAPE_ALLOWANCE - 1) * self._plan.duration_s + _SHAPE_ALLOWANCE_S)
        gevent.sleep(self._plan.duration_s)
        self.end(runner)

    def end_by_loss(self, runner: Any) -> None:
        """End a load of which a process is lost: what it would still show is of no use."""
        self.mark("worker_lost")
        self.end(runner)

    def end(self, runner: Any) -> None:
        """End the load, if nothing has ended it yet."""
        if not self._is_over:
            self.end_phase()
            runner.quit()

    def _conduct(self, runner: Any) -> None:
        outcome = self._await_users(runner)
        self.mark(outcome)
        if outcome != "no_users":
            first_s = self._crew.begin_arrivals(self._arrivals) if self._arrivals else 0.0
            gevent.sleep(first_s + self._plan.ramp_s + self._plan.warmup_s)
            if self._is_over:
                return
            self.begin_steady()
            self._sleep_while_users_live(runner)
        self.end_phase()  # not by the event that follows: Locust takes its time until then
        runner.quit()

    def _await_users(self, runner: Any) -> Literal["spawned", "spawn_timeout", "no_users"]:
        deadline, poll_s = time.monotonic() + self._plan.spawn_timeout_s, _FIRST_POLL_S
        while time.monotonic() < deadline:
            gevent.sleep(poll_s)
            poll_s = min(2 * poll_s, _POLL_S)
            if not (self._all_spawned and self._crew.knows_users()):
                continue
            users, ready = self._crew.count_users(runner)
            if not users:
                return "no_users"
            if ready == sum(users.values()):
                return "spawned"
        return "spawn_timeout"

    def _sleep_while_users_live(self, runner: Any) -> None:
        deadline = time.monotonic() + self._plan.duration_s
        while (left_s := deadline - time.monotonic()) > 0 and self._crew.has_users(runner):
            gevent.sleep(min(left_s, 1.0))

    def begin_steady(self) -> None:
        """Mark the beginning of what is judged."""
        self.mark("steady")
        self._crew.announce("steady")
        self._samples.begin_steady()

    def end_phase(self) -> None:
        """Mark the end of the load, once."""
        if not self._is_over:
            self._is_over = self._notes.leavers.is_over = True
            self.mark("stopping")
            self._crew.announce("end")
            self._samples.write_unsent()

    def note_quitting(self, **_more: Any) -> None:
        """Locust ends by itself from now on."""
        self._is_quitting = True

    def _stop(self, environment: Environment, **_more: Any) -> None:
        if self._is_stopping:  # a master stops again, where the word of a worker came late
            return
        self._is_stopping = True
        where = find_caller()
        if self._shape and self._shape.has_ended and not where:
            self._notes.shape_ended = not self._is_over
        elif not self._is_over and not self._is_quitting and not self._crew.has_lost():
            self._notes.note_stop(where)
        self.end_phase()
        gevent.spawn_later(self._plan.drain_s, self._end_drain, environment.runner)

    def _end_drain(self, runner: Any) -> None:
        self._samples.note_waiting()
        runner.user_greenlets.kill(block=False)

    def _note_spawned(self, **_more: Any) -> None:
        self._all_spawned = True

    def _note_user_error(self, user_instance: Any, exception: BaseException, **_more: Any) -> None:
        user = getattr(user_instance, "user", user_instance)  # from a task, Locust names its TaskSet
        if getattr(user, READY, False):
            self._notes.task_errors.add(type(user).__name__, exception)

    def mark(self, name: Any) -> None:
        """Write that a phase begins now."""
        self._marks.write(Mark(name=name, wall_s=time.time(), monotonic_s=time.monotonic()))

    def finish(self, environment: Environment, **_more: Any) -> None:
        """Write what is left, with Locust's own totals, once."""
        if self._is_finished:
            return
        self._is_finished = True
        self._samples.finish()
        write_json(self._folder / "totals.json", self._notes.make_totals(environment, self._samples))
        self.mark("ended")
