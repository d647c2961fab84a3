# ruff: noqa: S311  # load is drawn at random; nothing here is a secret
"""Scenario 1, concurrent-deployments: people create deployments, list them and look at one."""

from __future__ import annotations

import random
from collections import deque
from http import HTTPStatus

from locust import between, task

from drafts import draw_draft
from signed_in import NothingKnownError, SignedInUser, read_json

DEPLOYMENTS = "/api/v1/deployments"


class DeploymentUser(SignedInUser):
    """100 of them in the scenario."""

    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        """Sign in, and learn ids that exist."""
        super().on_start()
        self.known_ids: deque[int] = deque(maxlen=50)
        self.list_deployments()

    @task(3)
    def create_deployment(self) -> None:
        """Create one, and remember its id."""
        draft = draw_draft()
        with self.client.post(DEPLOYMENTS, json=draft, catch_response=True) as response:
            created = read_json(response, HTTPStatus.CREATED)
            if created is None:
                return
            if created["application"] != draft["application"] or created["created_by"] != self.username:
                response.failure("created something else")
                return
            self.known_ids.append(created["id"])

    @task(1)
    def list_deployments(self) -> None:
        """The newest 50."""
        with self.client.get(DEPLOYMENTS, catch_response=True) as response:
            page = read_json(response, HTTPStatus.OK)
            if page is None:
                return
            if not page["items"]:
                response.failure("the list is empty")
                return
            self.known_ids.append(random.choice(page["items"])["id"])

    @task(1)
    def get_deployment(self) -> None:
        """One that was created before, by this user or another."""
        if not self.known_ids:
            raise NothingKnownError("no deployment was listed or created")
        wanted = random.choice(self.known_ids)
        with self.client.get(
            f"{DEPLOYMENTS}/{wanted}", name=f"{DEPLOYMENTS}/{{id}}", catch_response=True
        ) as response:
            found = read_json(response, HTTPStatus.OK)
            if found is not None and found["id"] != wanted:
                response.failure(f"answered deployment {found['id']} instead of {wanted}")
