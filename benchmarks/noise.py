"""CPU noise made on purpose, as of other work on the same machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from collections.abc import Iterator


def burn_in_bursts() -> None:
    """Keep one core busy for 0.2 to 3 s, then pause for as long, again and again. Never returns."""
    draw = random.SystemRandom()  # other bursts in every run, lest one chance be measured many times
    while True:
        until = time.monotonic() + draw.uniform(0.2, 3)
        while time.monotonic() < until:
            pass
        time.sleep(draw.uniform(0.2, 3))


@contextlib.contextmanager
def noise(*, wanted: bool) -> Iterator[None]:
    """Two processes that each keep a core busy half of the time."""
    context = multiprocessing.get_context("fork")
    makers = [context.Process(target=burn_in_bursts, daemon=True) for _ in range(2 * wanted)]
    for maker in makers:
        maker.start()
    try:
        yield
    finally:
        for maker in makers:
            maker.kill()
            maker.join()
