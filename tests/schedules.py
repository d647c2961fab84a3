"""The arrivals of a recording against their schedule."""

from __future__ import annotations

import numpy as np


def assert_each_arrival_once(recording, schedule, off_s):
    """Each is there once, by the end of the load, and off by ``off_s`` at most."""
    intended_s = np.sort(recording.samples["intended_s"])
    # After the end one process may go on for longer than another.
    due_s = intended_s[intended_s <= recording.mark("stopping").wall_s]
    planned_s = np.array([schedule.start_of(number) for number in range(len(due_s))])
    assert np.allclose(due_s - due_s[0], planned_s, atol=off_s)
