"""A WebSocket: each message and its answer is a request, reported by hand."""

import os
import time

import iterations  # noqa: F401
import websocket
from locust import User, constant, task


class Talker(User):
    wait_time = constant(0.01)

    def on_start(self):
        self.socket = websocket.create_connection(os.environ["WS_URL"])

    def on_stop(self):
        self.socket.close()

    @task
    def talk(self):
        started_s = time.perf_counter()
        self.socket.send("hello")
        answer = self.socket.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="hello",
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=len(answer),
            exception=None,
            context={},
        )
