"""What is noted of a run beside its samples, and written at its end. Runs inside Locust."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import locust

from ci_gate.addresses import hide_credentials
from ci_gate.evidence.readings import EarlyStop, EndpointTotal, ErrorCount, ExitCode, OddValue, Totals
from ci_gate.evidence.samples import storable
from ci_gate.measure.in_locust.error_texts import ErrorCounts
from ci_gate.measure.in_locust.leaving import Leavers
from ci_gate.measure.in_locust.locust_log import ListenerErrors
from ci_gate.measure.in_locust.odd_events import name_endpoint, show_value
from ci_gate.measure.in_locust.task_counts import TaskCounts
from ci_gate.measure.locustfile.printed import LastWords

if TYPE_CHECKING:
    from locust.env import Environment

    from ci_gate.measure.in_locust.answers import Answers

_KEPT_ERRORS: Final = 100


class SampleKeeper(Protocol):
    """What the conductor needs of the recorder."""

    answers: Answers

    def begin_steady(self) -> None: ...

    def count_heard(self) -> tuple[EndpointTotal, ...]: ...

    def take_odd_values(self) -> tuple[OddValue, ...]: ...

    def note_waiting(self) -> None: ...

    def write_unsent(self) -> None: ...

    def finish(self) -> None: ...


class Notes:
    """Users that failed or left, exceptions, what the locustfile said. ``clean`` takes secrets out."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean  # what is recorded is read by many
        self.start_failures = ErrorCounts(clean)
        self.task_errors = ErrorCounts(clean)
        self.leavers = Leavers()
        self.own_hosts: dict[str, str] = {}
        self.shape_ended = False
        self._stopped: EarlyStop | None = None
        self._listener_errors = ListenerErrors()
        self._last_words = LastWords(clean)
        self.task_counts = TaskCounts()

    def listen(self) -> None:
        """Attach to Locust once it is set up: before, it sets logging up anew."""
        logging.getLogger().addHandler(self._listener_errors)
        self._last_words.listen()
        self.leavers.watch()

    def note_stop(self, where: str) -> None:
        """The locustfile ends the test right now; ``where`` is as in `EarlyStop`."""
        self._stopped = EarlyStop(where=storable(self._clean(where)), printed=self._find_printed())

    def make_totals(self, environment: Environment, samples: SampleKeeper) -> Totals:
        """All of it, with Locust's own totals."""
        return Totals(
            endpoints=tuple(
                EndpointTotal(
                    endpoint=storable(hide_credentials(name_endpoint(method, name))),
                    requests=entry.num_requests,
                    failures=entry.num_failures,
                )
                for (name, method), entry in environment.stats.entries.items()
                if isinstance(name, str | bytes)
                and isinstance(method, str | bytes)  # to Locust 1 and 1.0 are one
            ),
            heard=samples.count_heard(),
            odd_values=samples.take_odd_values(),
            start_failures=self.start_failures.totals(),
            task_errors=self.task_errors.totals(),
            other_hosts=samples.answers.other_hosts,
            redirects=samples.answers.redirects(),
            own_hosts=self.own_hosts,
            exit_code=self._find_exit_code(environment.process_exit_code),
            stopped=self._stopped,
            tasks=self.task_counts.totals(),
            shape_ended=self.shape_ended,
            left_users=dict(self.leavers.counts),
            listener_errors=self._listener_errors.count,
            listener_texts=self._count_errors(self._listener_errors.texts),
            locust_version=locust.__version__,
        )

    def _count_errors(self, counter: Counter[tuple[str, str]]) -> tuple[ErrorCount, ...]:
        return tuple(
            ErrorCount(subject=subject, error=storable(self._clean(text)), count=count)
            for (subject, text), count in counter.most_common(_KEPT_ERRORS)
        )

    def _find_exit_code(self, code: Any) -> ExitCode | None:
        """What the locustfile made Locust end with, unless that is success."""
        if code is None or code == 0:
            return None
        return ExitCode(code=storable(show_value(code)), printed=self._find_printed())

    def _find_printed(self) -> tuple[str, ...]:
        return tuple(storable(self._clean(line)) for line in self._last_words.lines)
