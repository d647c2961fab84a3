from __future__ import annotations

import threading
import time

import pytest

from ci_gate.service.guard.containers import remove_containers, remove_until_settled
from tests.images import connect_engine, python_image
from tests.service.services import unique

pytestmark = pytest.mark.docker


def test_remove_until_settled__also_removes_what_the_engine_creates_a_little_later():
    label = unique()
    image = python_image()
    with connect_engine() as engine:

        def create_late() -> None:
            time.sleep(0.7)
            engine.containers.create(image, ["true"], labels={"test": label})

        late = threading.Thread(target=create_late)
        late.start()
        remove_until_settled([f"test={label}"])
        late.join()
        assert engine.containers.list(all=True, filters={"label": f"test={label}"}) == []


def test_remove_containers__removes_those_with_the_label_and_no_other():
    ours, other = unique(), unique()
    image = python_image()
    with connect_engine() as engine:
        for label in (ours, ours, other):
            engine.containers.create(image, ["true"], labels={"test": label})
        try:
            assert remove_containers(engine, f"test={ours}") == 2
            assert remove_containers(engine, f"test={ours}") == 0
        finally:
            assert remove_containers(engine, f"test={other}") == 1
