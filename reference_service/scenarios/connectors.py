# ruff: noqa: S311  # load is drawn at random; nothing here is a secret
"""Scenario 3, connector-scaling: deployments are published to five planes, checked and remediated."""

from __future__ import annotations

import random
from collections import deque
from http import HTTPStatus

from locust import between, task

from signed_in import NothingKnownError, SignedInUser, read_json

CONNECTORS = "/api/v1/connectors"
PLANES = ("intune", "jamf", "sccm", "landscape", "ansible")


class ConnectorUser(SignedInUser):
    """200 of them in the scenario."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Sign in, and learn which deployments may be published and what has been."""
        super().on_start()
        self.deployment_ids: tuple[int, ...] = ()
        self.publications: deque[tuple[str, int]] = deque(maxlen=50)  # plane and id
        self._list_approved()
        self.read_status()

    @task(2)
    def publish_to_intune(self) -> None:
        """Publish to Microsoft Intune."""
        self._publish("intune")

    @task(2)
    def publish_to_jamf(self) -> None:
        """Publish to Jamf."""
        self._publish("jamf")

    @task(2)
    def publish_to_sccm(self) -> None:
        """Publish to SCCM."""
        self._publish("sccm")

    @task(2)
    def publish_to_landscape(self) -> None:
        """Publish to Landscape."""
        self._publish("landscape")

    @task(2)
    def publish_to_ansible(self) -> None:
        """Publish to Ansible."""
        self._publish("ansible")

    @task(1)
    def read_status(self) -> None:
        """One plane's state and latest publications."""
        plane = random.choice(PLANES)
        name = f"{CONNECTORS}/{{plane}}/status"
        with self.client.get(f"{CONNECTORS}/{plane}/status", name=name, catch_response=True) as response:
            status = read_json(response, HTTPStatus.OK)
            if status is None:
                return
            if status["plane"] != plane or not status["publications"]:
                response.failure(f"no publications of {plane}")
                return
            self.publications.append((plane, random.choice(status["publications"])["id"]))

    @task(1)
    def remediate(self) -> None:
        """Apply a known publication again."""
        if not self.publications:
            raise NothingKnownError("no publication was listed or made")
        plane, publication_id = random.choice(self.publications)
        name = f"{CONNECTORS}/{{plane}}/remediate"
        body = {"publication_id": publication_id}
        with self.client.post(
            f"{CONNECTORS}/{plane}/remediate", name=name, json=body, catch_response=True
        ) as response:
            remediated = read_json(response, HTTPStatus.OK)
            if remediated is not None and remediated["status"] != "remediated":
                response.failure(f"is {remediated['status']}")

    def _list_approved(self) -> None:
        path = "/api/v1/deployments"
        with self.client.get(f"{path}?status=approved", name=path, catch_response=True) as response:
            page = read_json(response, HTTPStatus.OK)
            self.deployment_ids = tuple(item["id"] for item in page["items"]) if page else ()

    def _publish(self, plane: str) -> None:
        if not self.deployment_ids:
            raise NothingKnownError("no approved deployment was listed")
        body = {"deployment_id": random.choice(self.deployment_ids)}
        with self.client.post(f"{CONNECTORS}/{plane}/publish", json=body, catch_response=True) as response:
            published = read_json(response, HTTPStatus.CREATED)
            if published is None:
                return
            if published["plane"] != plane or published["status"] != "published":
                response.failure(f"expected a publication on {plane}, got {published}")
                return
            self.publications.append((plane, published["id"]))
