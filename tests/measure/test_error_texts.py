"""Errors that are all different and long cost the generator little, and every one is counted."""

from __future__ import annotations

from collections import Counter

from ci_gate.evidence.samples import MAX_STRING_LENGTH
from ci_gate.measure.in_locust.error_texts import MAX_TEXTS, OTHER_ERRORS, ErrorCounts, ErrorTexts

LONG_ERRORS = """
import gevent
from locust import User, constant, events, task

class Client(User):
    wait_time = constant(60)

    @task
    def fail(self):
        gevent.sleep(1.5)  # the first reading is of a Locust that has had no error
        for number in range(5000):
            gevent.sleep(0)
            events.request.fire(
                request_type="GET", name="/", response_time=1.0, response_length=0, response=None,
                exception=ValueError(f"{number:05}" + "x" * 20_000), context={},
            )
        raise RuntimeError("the last")
"""


def test_long_errors__are_counted_and_take_no_memory(run_locust):
    recording = run_locust(LONG_ERRORS, users={"Client": 1}, duration_s=6.0)
    sizes = [reading.memory_bytes for reading in recording.readings]
    assert sizes[-1] - sizes[0] < 20 * 1024**2
    texts = Counter(recording.strings[number] for number in recording.samples["error"])
    assert sum(texts.values()) == 5000
    assert texts[OTHER_ERRORS] == 5000 - MAX_TEXTS
    assert max(map(len, texts)) <= MAX_STRING_LENGTH
    (endpoint,) = recording.totals.endpoints
    assert (endpoint.requests, endpoint.failures) == (5000, 5000)


def test_error_texts__known_ones_stay_themselves():
    texts = ErrorTexts()
    first = [texts.shorten(f"{number}") for number in range(MAX_TEXTS)]
    assert texts.shorten("new") == OTHER_ERRORS
    assert [texts.shorten(text) for text in first] == first


def test_error_counts__every_time_is_counted():
    counts = ErrorCounts(lambda text: text.replace("secret", "***"))
    for number in range(3 * MAX_TEXTS):
        counts.add("Buyer" if number % 3 else "Visitor", ValueError(f"secret {number}"))
    counts.add("Visitor", ValueError("secret 0"))
    totals = counts.totals()
    assert totals[0].error == "ValueError('*** 0')"
    assert totals[0].count == 2
    by_subject = Counter()
    for total in totals:
        by_subject[total.subject] += total.count
    assert by_subject == {"Buyer": 2 * MAX_TEXTS, "Visitor": MAX_TEXTS + 1}
    assert [total.error for total in totals].count(OTHER_ERRORS) == 2
    assert len(totals) == 102


def test_error_counts__few_are_told_as_they_are():
    counts = ErrorCounts(str)
    for _ in range(2):
        counts.add("Buyer", KeyError("a"))
    assert [(each.subject, each.error, each.count) for each in counts.totals()] == [
        ("Buyer", "KeyError('a')", 2)
    ]
