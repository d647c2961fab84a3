from __future__ import annotations

import pytest
import requests

from ci_gate.github.api.transport import Patience, Transport
from tests.github.fake_github import FakeGitHub
from tests.github.fake_state import Pull


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def patience(self, total_s: float = 300.0) -> Patience:
        return Patience(
            sleep=self.sleep,
            jitter=lambda: 1.0,
            monotonic_s=lambda: self.now_s,
            wall_s=lambda: self.now_s,
            total_s=total_s,
        )


@pytest.fixture
def github():
    """A fake GitHub; the test fails if any request or reply was not as GitHub documents."""
    with FakeGitHub() as fake:
        yield fake
        assert fake.state.description.violations == []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session():
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture
def connect(github, clock, session):
    """A transport to the fake; ``connect(token=...)`` for another actor."""

    def make(token="token", total_s=300.0):
        return Transport(session, base_url=github.url, token=token, patience=clock.patience(total_s))

    return make


@pytest.fixture
def issue(github):
    """A GitHub with pull request 7."""
    github.state.pulls.append(Pull(number=7, sha="a" * 40))
    return github
