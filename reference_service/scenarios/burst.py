"""Scenario 4, burst-load: a thousand people create deployments at once."""

from __future__ import annotations

from http import HTTPStatus

from locust import between, task

from drafts import draw_draft
from signed_in import SignedInUser, read_json


class BurstUser(SignedInUser):
    """1000 of them in the scenario."""

    wait_time = between(0.1, 0.5)

    @task
    def create_deployment(self) -> None:
        """Create one."""
        draft = draw_draft()
        with self.client.post("/api/v1/deployments", json=draft, catch_response=True) as response:
            created = read_json(response, HTTPStatus.CREATED)
            if created is not None and created["created_by"] != self.username:
                response.failure(f"created by {created['created_by']}")
