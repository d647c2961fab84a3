# ruff: noqa: S311  # load is drawn at random; nothing here is a secret
"""Scenario 2, cab-approvals: members of change advisory boards work through their board's queue.

Two of the 50 users share each of 25 boards, as reset seeds them. Each decides on real ids of the list that
it saw last, so now and then the other one was faster: that is a 409, which thresholds.yaml accepts.
"""

from __future__ import annotations

import random
from http import HTTPStatus

from locust import between, task

from signed_in import NothingKnownError, SignedInUser, read_json

APPROVALS = "/api/v1/approvals"
BOARD_COUNT = 25
PAGE_SIZE = 120
MIN_PENDING = 100


class CabUser(SignedInUser):
    """50 of them in the scenario."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Sign in, and read the queue for the first time."""
        super().on_start()
        self.board = self.number % BOARD_COUNT + 1
        self.pending_ids: set[int] = set()
        self.list_pending()

    @task(4)
    def list_pending(self) -> None:
        """The oldest of this board; 100 or more of them must be there."""
        path = f"{APPROVALS}?board={self.board}&limit={PAGE_SIZE}"
        with self.client.get(path, name=APPROVALS, catch_response=True) as response:
            page = read_json(response, HTTPStatus.OK)
            if page is None:
                return
            self.pending_ids = {item["id"] for item in page["items"]}
            if len(self.pending_ids) < MIN_PENDING:
                response.failure(f"{len(self.pending_ids)} pending, the scenario needs {MIN_PENDING}")

    @task(3)
    def approve(self) -> None:
        """Approve one."""
        self._decide("approve", "approved")

    @task(1)
    def reject(self) -> None:
        """Reject one."""
        self._decide("reject", "rejected")

    def _decide(self, action: str, outcome: str) -> None:
        if not self.pending_ids:
            raise NothingKnownError("no approval was listed as pending")
        chosen = random.choice(tuple(self.pending_ids))
        self.pending_ids.discard(chosen)
        path = f"{APPROVALS}/{chosen}/{action}"
        with self.client.post(path, name=f"{APPROVALS}/{{id}}/{action}", catch_response=True) as response:
            if response.status_code == HTTPStatus.CONFLICT:
                response.success()
                return
            decided = read_json(response, HTTPStatus.OK)
            if decided is None:
                return
            expected = {"id": chosen, "status": outcome, "decided_by": self.username}
            if expected.items() - decided.items():
                response.failure(f"expected {expected}, got {decided}")
