"""gRPC: an interceptor reports every call, as Locust's documentation has it."""

import contextlib
import os
import time

import grpc
import grpc.experimental.gevent
import iterations  # noqa: F401
from locust import User, constant, task

grpc.experimental.gevent.init_gevent()


class Reporter(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, environment):
        self.environment = environment

    def intercept_unary_unary(self, continuation, details, request):
        started_s, error, length = time.perf_counter(), None, 0
        reply = continuation(details, request)
        try:
            length = len(reply.result())
        except grpc.RpcError as raised:
            error = raised
        self.environment.events.request.fire(
            request_type="grpc",
            name=details.method,
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=length,
            exception=error,
            context={},
        )
        return reply


class Caller(User):
    wait_time = constant(0.01)

    def __init__(self, environment):
        super().__init__(environment)
        channel = grpc.insecure_channel(os.environ["GRPC_TARGET"])
        self.channel = grpc.intercept_channel(channel, Reporter(environment))

    @task
    def call(self):
        for method in ("/shop.Orders/List", "/shop.Orders/Missing"):
            with contextlib.suppress(grpc.RpcError):
                self.channel.unary_unary(method)(b"x")
