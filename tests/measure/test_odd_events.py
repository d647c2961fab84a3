"""Events that a scenario's own client fires with values that Locust does not document."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from http import HTTPStatus

import numpy as np
import pytest

from ci_gate.evidence.samples import ENDED_BY_CHECK, ENDED_WELL, NOT_HTTP
from ci_gate.measure.in_locust.odd_events import MAX_BYTES, OddEvents, name_endpoint, show_error
from tests.measure.test_recorder import rows_of

LIVED_S = 100.0


class Hostile:
    """Raises, whatever is asked of it."""

    def __repr__(self):
        raise ValueError("no")

    __float__ = __index__ = __str__ = __bool__ = __repr__


class Reply:
    def __init__(self, status):
        self.status_code = status


class HttpReply(Reply):
    """As of a client of Locust's own."""


class HostileReply:
    @property
    def status_code(self):
        raise KeyError("status")


@pytest.fixture
def events():
    clock = iter((0.0, LIVED_S, LIVED_S))
    return OddEvents(str, (HttpReply,), lambda: next(clock))


def read(events, now_s=1_700_000_000.0, **changes):
    values = {"start_time": None, "response_time": 5.0, "response_length": 10, "response": None}
    return events.read("MQ publish", now_s=now_s, **{**values, "failed": False, **changes})


@pytest.mark.parametrize(
    ("value", "response_ms"),
    [
        (5, 5.0),
        (np.float32(5), 5.0),
        (Decimal("5.5"), 5.5),
        (Fraction(1, 2), 0.5),
        (0, 0.0),
        (100_900, 100_900.0),
    ],
)
def test_response_time__any_kind_of_number_is_read(events, value, response_ms):
    got = read(events, response_time=value)
    assert (got.response_ms, got.start_s) == (response_ms, pytest.approx(1_700_000_000 - response_ms / 1000))
    assert (got.unread, events.take()) == ("", ())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-3, "-3"),
        (np.nan, "nan"),
        (float("inf"), "inf"),
        ("5.0", "'5.0'"),
        (None, "None"),
        (10**400, "1000"),
        (101_100, "101100"),  # longer than the process lives: microseconds, perhaps
        (5j, "5j"),
        (Hostile(), "Hostile (its repr raises ValueError)"),
    ],
)
def test_response_time__that_is_none_is_a_failure_and_noted(events, value, shown):
    got = read(events, response_time=value)
    assert (got.response_ms, got.start_s) == (0.0, 1_700_000_000.0)
    assert got.unread.startswith(f"response_time {shown}")
    (odd,) = events.take()
    assert (odd.endpoint, odd.argument, odd.count) == ("MQ publish", "response_time", 1)
    assert odd.value.startswith(shown)


def test_response_time__a_failure_may_have_none(events):
    values = {"start_time": None, "response_length": 0, "response": None}
    assert events.read("MQ publish", now_s=1.0, response_time=None, failed=True, **values).unread == ""
    assert events.take() == ()


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("age_s", [0.0, 3.25, LIVED_S])
def test_start_time__in_parts_of_a_second_since_the_epoch(events, scale, age_s):
    got = read(events, start_time=(1_700_000_000 - age_s) * scale)
    assert got.start_s == pytest.approx(1_700_000_000 - age_s, abs=0.001)
    assert events.take() == ()


@pytest.mark.parametrize("clock", [time.perf_counter, time.monotonic, lambda: Decimal(time.perf_counter())])
def test_start_time__of_the_other_clocks(events, clock):
    before_s = time.time()
    got = read(events, start_time=clock() - 3, now_s=time.time())
    assert before_s - 3.01 <= got.start_s <= time.time() - 2.99
    assert events.take() == ()


def test_start_time__of_another_clock_does_not_depend_on_when_the_event_is_looked_at(events):
    before_s = time.time()
    got = read(events, start_time=time.perf_counter() - 3, now_s=before_s - 0.5)
    assert before_s - 3.01 <= got.start_s <= time.time() - 2.99


@pytest.mark.parametrize(
    "value", [1_600_000_000, 1_700_000_002.0, -3, np.nan, "12:00", Hostile(), 1e300, time.process_time]
)
def test_start_time__of_no_clock_is_placed_by_the_firing_and_noted(events, value):
    got = read(events, start_time=value)
    assert got.start_s == 1_700_000_000 - 0.005
    assert got.unread == ""  # it was as fast as it says, whenever that was
    (odd,) = events.take()
    assert (odd.argument, odd.read_as) == ("start_time", "when the event was fired")


@pytest.mark.parametrize(
    ("value", "length"), [(7, 7), (np.int32(7), 7), (7.0, 7), (Decimal(7), 7), (True, 1), (None, 0), (0, 0)]
)
def test_length__any_kind_of_whole_number_is_read(events, value, length):
    assert read(events, response_length=value).length == length
    assert events.take() == ()


@pytest.mark.parametrize(
    ("value", "length"),
    [(10.5, 10), (-1, 0), (np.nan, 0), ("10", 0), (2**64, MAX_BYTES), (1e300, MAX_BYTES), (Hostile(), 0)],
)
def test_length__that_is_none_is_noted(events, value, length):
    got = read(events, response_length=value)
    assert (got.length, got.unread) == (length, "")
    assert [odd.argument for odd in events.take()] == ["response_length"]


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (None, NOT_HTTP),
        (object(), NOT_HTTP),
        (Reply("404"), 404),
        (Reply(HTTPStatus.OK), 200),
        (Reply(np.int64(503)), 503),
        (Reply(200.0), 200),
    ],
)
def test_status__is_read(events, response, status):
    assert read(events, response=response).status == status
    assert events.take() == ()


@pytest.mark.parametrize(
    ("response", "failed", "status"),
    [
        (Reply(0), False, NOT_HTTP),  # gRPC's OK
        (Reply(None), False, NOT_HTTP),
        (Reply(0), True, 0),
        (HttpReply(0), False, 0),  # the scenario called it a success
        (HttpReply(None), False, 0),
    ],
)
def test_status__of_nothing_is_no_reply_but_from_a_client_of_another_protocol(
    events, response, failed, status
):
    assert read(events, response=response, failed=failed).status == status
    assert events.take() == ()


@pytest.mark.parametrize(
    "response",
    [
        Reply("ok"),
        Reply(-1),
        Reply(NOT_HTTP),
        Reply(200.5),
        Reply(10**9),
        Reply(""),
        Reply(Hostile()),
        HostileReply(),
    ],
)
def test_status__that_is_none_is_a_failure_and_noted(events, response):
    got = read(events, response=response)
    assert (got.status, got.unread[:11]) == (NOT_HTTP, "status_code")
    assert [odd.argument for odd in events.take()] == ["status_code"]


def test_names__are_texts_whatever_they_are(events):
    assert events.name("GET", b"/items") == "GET /items"
    assert events.take() == ()
    assert events.name(None, ["a", "list"]) == "None ['a', 'list']"
    assert [(odd.argument, odd.value) for odd in events.take()] == [
        ("request_type", "None"),
        ("name", "['a', 'list']"),
    ]
    assert name_endpoint("GET", Hostile()) == "GET Hostile (its repr raises ValueError)"


def test_odd_values__are_counted_and_bounded():
    events = OddEvents(str, ())
    for number in range(150):
        for _ in range(2):
            events.read(
                f"MQ {number}", now_s=1.0, start_time=None, response_time=1, response_length=-number - 1,
                response=None, failed=False,
            )  # fmt: skip
    taken = events.take()
    assert len(taken) == 101
    assert (taken[0].value, taken[0].count) == ("-1", 2)
    assert (taken[-1].endpoint, taken[-1].count) == ("(other endpoints)", 100)


def test_errors__whose_repr_raises_still_say_what_they_are():
    assert show_error(ValueError("x")) == "ValueError('x')"
    assert show_error(Hostile()) == "Hostile (its repr raises ValueError)"


ODD_CLIENT = """
    import time, decimal
    from locust import User, constant, task

    class Odd(Exception):
        def __repr__(self):
            raise ValueError("no")
        __str__ = __repr__

    class Reply:
        def __init__(self, status, **more):
            self.status_code = status
            self.__dict__ |= more

    class Publisher(User):
        wait_time = constant(0.05)

        def fire(self, name, **more):
            values = {"request_type": "MQ", "name": name, "response_time": 5.0, "response_length": 1,
                      "exception": None, "context": {}}
            self.environment.events.request.fire(**{**values, **more})

        @task
        def publish(self):
            self.fire("plain")
            self.fire("half a byte", response_length=10.5)
            self.fire("negative", response_time=-3)
            self.fire("decimal", response_time=decimal.Decimal(5))
            self.fire("nan", response_time=float("nan"))
            self.fire("status", response=Reply("odd"))
            self.fire("own request", response=Reply(200, request=object()))
            self.fire("fine", response=Reply(0))
            self.fire("error", exception=Odd())
            self.fire(["a", "list"])
            self.fire("half \\ud800")
            self.fire("perf_counter", start_time=time.perf_counter() - 0.005)
            self.fire("milliseconds", start_time=time.time() * 1000 - 5)
            self.fire("long ago", start_time=12.5)
            self.environment.events.request.fire(request_type="MQ", name="bare")
"""


def test_odd_events__in_a_real_run_are_rows_like_others(run_locust):
    # Locust's own listener cannot add up some of them, which its exit code shows.
    recording = run_locust(ODD_CLIENT, users={"Publisher": 2}, status=2)
    names = [
        "plain",
        "half a byte",
        "negative",
        "decimal",
        "nan",
        "status",
        "error",
        "['a', 'list']",
        "half ?",
    ]
    names += ["perf_counter", "milliseconds", "long ago", "bare", "own request", "fine"]
    rows = {name: rows_of(recording, f"MQ {name}") for name in names}
    assert {len(each) for each in rows.values()} == {len(rows["plain"])}
    failed = {name for name, each in rows.items() if set(each["ending"]) == {ENDED_BY_CHECK}}
    assert failed == {"negative", "nan", "status", "error", "bare"}
    assert {name for name, each in rows.items() if set(each["ending"]) == {ENDED_WELL}} == set(names) - failed
    plain_s = rows["plain"]["start_s"]  # a task fires all of them before another fires any
    for name in ("perf_counter", "milliseconds", "long ago", "decimal"):
        start_s = rows[name]["start_s"]
        assert (start_s >= plain_s - 0.01).all()
        assert (start_s[:-1] <= plain_s[1:] + 0.01).all()
    odd = {(each.endpoint, each.argument): each for each in recording.totals.odd_values}
    assert set(odd) == {
        ("MQ half a byte", "response_length"),
        ("MQ negative", "response_time"),
        ("MQ nan", "response_time"),
        ("MQ status", "status_code"),
        ("MQ ['a', 'list']", "name"),
        ("MQ long ago", "start_time"),
        ("MQ bare", "response_time"),
    }
    assert odd["MQ half a byte", "response_length"].count == len(rows["plain"])
    assert {name for name, each in rows.items() if 0 in each["status"]} == set()
    assert recording.totals.listener_errors == 0  # the scenario has no listener
    assert {(each.endpoint, each.requests) for each in recording.totals.heard} == {
        (f"MQ {name}", len(each)) for name, each in rows.items()
    }
