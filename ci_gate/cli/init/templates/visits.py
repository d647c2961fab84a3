"""A workload: what one visitor does. Any Locust file will do, unmodified."""

from locust import FastHttpUser, between, task


class Visitor(FastHttpUser):
    """thresholds.yaml says how many of them run."""

    wait_time = between(0.5, 1.5)

    # def on_start(self):
    #     A login that fails must end the user, or else every other request measures an error page:
    #     reply = self.client.post("/login", json={"username": "...", "password": "..."})
    #     reply.raise_for_status()

    @task
    def visit(self):
        """Give requests with ids in their path a name: self.client.get(path, name="/items/{id}")."""
        with self.client.get("/", catch_response=True) as reply:
            if not reply.content:
                reply.failure("the page is empty")
