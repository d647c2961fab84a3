"""Task sets in task sets, the inner ones with tasks by weight; all tasks make one request each."""

import iterations  # noqa: F401
from locust import FastHttpUser, TaskSet, constant, task


class Forum(TaskSet):
    wait_time = constant(0.01)

    @task(2)
    class Thread(TaskSet):
        @task
        def read(self):
            self.client.get("/ok", name="/thread")
            self.interrupt()

    @task
    def leave(self):
        self.client.get("/ok", name=f"/left by {type(self.user).__name__} of {type(self.parent).__name__}")
        self.interrupt(reschedule=False)

    def on_start(self):
        self.schedule_task(self.tasks[0])  # one thread at least, then whatever comes until it leaves
        self.tasks = [Forum.leave]


class Reader(FastHttpUser):
    wait_time = constant(0.01)
    tasks = {Forum: 1}  # noqa: RUF012 - as Locust's documentation has it
