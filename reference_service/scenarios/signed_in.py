"""The user that all four scenarios build on: signs in once, as a seeded user of its own."""

from __future__ import annotations

import os
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

from locust import FastHttpUser

if TYPE_CHECKING:
    from locust.contrib.fasthttp import ResponseContextManager
    from locust.env import Environment

SEED_USERS = int(os.environ.get("SEED_USERS") or "1000")
SEED_PASSWORD = os.environ.get("SEED_PASSWORD") or "correct horse battery staple"

_numbers = count()


class SignInError(Exception):
    """The user could not sign in, and ends."""


class NothingKnownError(Exception):
    """The replies so far named nothing that the task could use; the task ends, and Locust counts it."""


class SignedInUser(FastHttpUser):
    """Bears its token on every request. ``number`` counts the users of this process from 0."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.number = next(_numbers)
        self.username = f"user-{self.number % SEED_USERS:04}"

    def on_start(self) -> None:
        """Sign in. Raises SignInError, which Locust logs and which ends this user."""
        credentials = {"username": self.username, "password": SEED_PASSWORD}
        with self.client.post("/api/v1/login", json=credentials, catch_response=True) as response:
            session = read_json(response, HTTPStatus.OK)
            if session is None:
                raise SignInError(f"{self.username}: login answered {response.status_code}")
            self.client.auth_header = f"Bearer {session['token']}"


def read_json(response: ResponseContextManager, expected: HTTPStatus) -> Any:  # noqa: ANN401
    """The reply's JSON. None where the status is another one or the body no JSON; that is then a failure."""
    if response.status_code != expected:
        response.failure(f"answered {response.status_code} instead of {expected.value}")
        return None
    try:
        return response.json()
    except ValueError:
        response.failure("the body is no JSON")
        return None
