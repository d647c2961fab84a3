"""A container of the service: guarded by its label before it is created, removed whatever happens."""

from __future__ import annotations

import contextlib
import math
import signal
import struct
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException, NotFound
from docker.types import LogConfig
from requests import RequestException

from ci_gate.errors import OutsideError, ServiceError
from ci_gate.evidence.readings import KILLED_FOR_MEMORY
from ci_gate.service.guard.containers import remove_containers
from ci_gate.service.image import explain_docker_errors
from ci_gate.service.process import describe_status
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container

    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.service.log import ServiceLog
    from ci_gate.thresholds import Service

LABEL = "ci-gate.run"
LOG_DRAIN_S = 5.0
EVENT_DELAY_S = 2.0
_SIGNAL_BASE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedContainer:
    """``started_at`` changes when something else restarts it."""

    client: DockerClient
    container: Container
    started_at: str
    memory_bytes: int | None
    log_copy: threading.Thread

    @property
    def container_id(self) -> str:
        return str(self.container.id)

    def process_ids(self) -> tuple[int, ...]:
        """The container's first process as the host sees it; empty once it has ended."""
        pid = self._state().get("Pid", 0)
        return (pid,) if pid else ()

    def exit_status(self) -> int | None:
        """None while it runs."""
        state = self._state()
        return None if state.get("Running") else int(state.get("ExitCode", -1))

    def ended(self) -> str | None:
        """How it ended in words, None while it runs."""
        state = self._state()
        if state.get("Running"):
            return None
        self.log_copy.join(LOG_DRAIN_S)
        return self._describe_end(state)

    def restarts(self) -> int:
        """How often something else has started it again."""
        state = self._state()
        count = int(self.container.attrs.get("RestartCount", 0))
        return count + int(state.get("StartedAt", self.started_at) != self.started_at)

    def run_inside(
        self, words: tuple[str, ...], env: Mapping[str, str], timeout_s: float, log: ServiceLog
    ) -> int | None:
        """Runs a command in the container and logs what it prints. Its exit status, None while it runs."""
        with explain_docker_errors("run a command in the container"):
            api = self.client.api
            exec_id = api.exec_create(self.container_id, list(words), environment=dict(env))["Id"]
            output = api.exec_start(exec_id, stream=True)
            reader = threading.Thread(target=_append_all, args=(output, log), daemon=True)
            reader.start()
            reader.join(timeout_s)
            output.close()
            reader.join(LOG_DRAIN_S)
            # close() alone leaves the socket to the garbage collector.
            getattr(output, "_response", output).close()
            state = api.exec_inspect(exec_id)
            return None if state["Running"] else int(state["ExitCode"])

    def _describe_end(self, state: dict[str, Any]) -> str:
        if state.get("OOMKilled") or self._has_run_out_of_memory(state):
            limit = f" of {format_exact(self.memory_bytes / 2**20)} MiB" if self.memory_bytes else ""
            return f"{KILLED_FOR_MEMORY}{limit}"
        if not state:
            return "its container was removed by something else"
        status = int(state.get("ExitCode", 0))
        error = f" ({state['Error']})" if state.get("Error") else ""
        return describe_status(_SIGNAL_BASE - status if status > _SIGNAL_BASE else status) + error

    def _has_run_out_of_memory(self, state: dict[str, Any]) -> bool:
        """What the state of a container lacks if its end came before the event, which follows soon."""
        if not self.memory_bytes or state.get("ExitCode") != _SIGNAL_BASE + signal.SIGKILL:
            return False
        began_s, ended_s = (
            datetime.fromisoformat(state[moment]).timestamp() for moment in ("StartedAt", "FinishedAt")
        )
        with contextlib.suppress(DockerException, RequestException):
            events = self.client.api.events(
                since=math.floor(began_s),
                until=math.ceil(ended_s + EVENT_DELAY_S),
                filters={"container": self.container_id, "event": "oom"},
                decode=True,
            )
            with contextlib.closing(events):
                return next(events, None) is not None
        return False

    def _state(self) -> dict[str, Any]:
        """Empty if the container is no more."""
        with explain_docker_errors("inspect the container"):
            try:
                self.container.reload()
            except NotFound:
                return {}
        return dict(self.container.attrs["State"])


@contextlib.contextmanager
def start_container(  # noqa: PLR0913 - each by its name
    client: DockerClient,
    image: str,
    *,
    service: Service,
    env: Mapping[str, str],
    log: ServiceLog,
    watchdog: Watchdog,
    grace_s: float,
    cpus: tuple[int, ...] = (),
) -> Iterator[GuardedContainer]:
    """Runs an image with the limits of ``service``, its port published on a free one of 127.0.0.1 only.

    It runs on ``cpus``, on all of them where there are none.
    Raises ServiceError if it does not start, and OutsideError if the engine does not do as asked.
    """
    run_id = uuid.uuid4().hex
    label = f"{LABEL}={run_id}"
    guards = watchdog.guard_container(label), watchdog.guard_log(log.path)
    container: Container | None = None
    running: GuardedContainer | None = None
    try:
        with explain_docker_errors("create the service's container"):
            container = client.containers.create(image, **_options(service, env, run_id, cpus))
        running = _begin(client, container, service, log)
        yield running
    finally:
        with explain_docker_errors(f"remove the service's container (label {label})"):
            if container is not None:
                _stop(container, grace_s)
            if running is not None:
                running.log_copy.join(LOG_DRAIN_S)
            remove_containers(client, label)
        # A creation that was interrupted may still go on in the engine: then the watchdog looks again.
        if container is not None:
            watchdog.release(*guards)


def published_url(running: GuardedContainer, port: int) -> str:
    """``http://127.0.0.1:PORT``. Raises ServiceError if it ended too soon to have one."""
    bindings = running.container.ports.get(f"{port}/tcp")
    if not bindings:
        how = running.ended() or f"port {port} is not published"
        raise ServiceError(f"the service ended before it was ready: {how}")
    return f"http://127.0.0.1:{bindings[0]['HostPort']}"


def _options(service: Service, env: Mapping[str, str], run_id: str, cpus: tuple[int, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "labels": {LABEL: run_id},
        "environment": dict(env),
        "ports": {f"{service.port}/tcp": ("127.0.0.1", None)},
        "init": True,
        # The engine's own copy, which goes with the container, must not fill the disk. When the engine begins
        # a new file, it loses what was printed last: hence files far larger than what a service should say.
        "log_config": LogConfig(type="json-file", config={"max-size": "256m", "max-file": "2"}),
        # For databases that run beside ci-gate.
        "extra_hosts": {"host.docker.internal": "host-gateway"},
    }
    if cpus:
        options["cpuset_cpus"] = ",".join(map(str, cpus))
    if service.cpus is not None:
        options["nano_cpus"] = round(service.cpus * 1e9)
    if service.memory_bytes is not None:
        # The second includes swap: equal means none.
        options |= {"mem_limit": service.memory_bytes, "memswap_limit": service.memory_bytes}
    return options


def _begin(client: DockerClient, container: Container, service: Service, log: ServiceLog) -> GuardedContainer:
    try:
        with explain_docker_errors("start the service's container"):
            container.start()
            container.reload()
            thread = _copy_log(container, log)
    except OutsideError as error:
        raise ServiceError(str(error)) from error
    return GuardedContainer(
        client=client,
        container=container,
        started_at=container.attrs["State"]["StartedAt"],
        memory_bytes=service.memory_bytes,
        log_copy=thread,
    )


def _copy_log(container: Container, log: ServiceLog) -> threading.Thread:
    lines = container.logs(stream=True, follow=True, stdout=True, stderr=True)

    def copy() -> None:
        try:
            with log.path.open("ab", 0) as file:
                for chunk in lines:
                    file.write(chunk)
        except Exception:  # noqa: BLE001, S110 - whatever breaks the copy of a log must not break the run
            pass
        finally:
            lines.close()

    thread = threading.Thread(target=copy, name="service log", daemon=True)
    thread.start()
    return thread


def _stop(container: Container, grace_s: float) -> None:
    with contextlib.suppress(NotFound):
        container.stop(timeout=max(0, round(grace_s)))


def _append_all(chunks: Iterator[bytes], log: ServiceLog) -> None:
    with (
        contextlib.suppress(OSError, DockerException, RequestException, struct.error, ValueError),
        log.path.open("ab", 0) as file,
    ):
        for chunk in chunks:
            file.write(chunk)
