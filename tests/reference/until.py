"""A second locustfile beside a scenario: ends the run when as much has happened as a test waits for.

UNTIL in the environment is a JSON object: how many requests of which ``METHOD name``, how many ``failures``.
"""

from __future__ import annotations

import json
import os
from collections import Counter

import gevent
from locust import events

WANTED = json.loads(os.environ["UNTIL"])
counts = Counter()
done = []


@events.request.add_listener
def count(request_type, name, exception, context, **_):
    counts[f"{request_type} {name}"] += 1
    counts["failures"] += exception is not None
    if not done and all(counts[each] >= number for each, number in WANTED.items()):
        done.append(gevent.spawn_later(1, stop))  # what users do and print after this request is waited for


@events.init.add_listener
def remember(environment, **_):
    done.clear()
    count.environment = environment


def stop():
    count.environment.runner.quit()
