"""What services need around them, such as a database: compose starts it, and all of it is removed."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ci_gate.errors import BadInputError, OutsideError, Problem, ServiceError
from ci_gate.service.log import ServiceLog, open_log
from ci_gate.service.process import Command, start_process
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container

    from ci_gate.service.environment import ServiceContext
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.thresholds import Needs, Service

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
UP_TIMEOUT_S = 900.0
"""For pulling and building images."""
DOWN_TIMEOUT_S = 120.0
LOG_LINES = 20
_POLL_S = 0.2
_IN_NAMES = re.compile(r"[^A-Za-z0-9]")
_SHARED = "both sides"
_PORT_HINT = "; publish the container's port alone, as in `ports: ['5432']`: a free one is then taken here"


class NeedsAround:
    """A context manager: each is started when it is first asked for, and stays until the context is left."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._stack = contextlib.ExitStack()
        self._started: dict[str, Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self,
        needs: Needs,
        service: Service,
        placement: ServiceContext,
        on_progress: Callable[[str], None],
    ) -> Mapping[str, str]:
        """The variables that say where they are: DB_HOST, DB_PORT, and DB_PORT_5432 for each port.

        Started once for both sides, or for each of them. Raises BadInputError where there is no such file,
        OutsideError where compose or the engine is missing or does not do as asked, ServiceError where one of
        them does not get healthy.
        """
        side = placement.side if needs.per_side else _SHARED
        if side not in self._started:
            on_progress(f"starting {', '.join(needs.services)} of {needs.compose}")
            context = start_needs(needs, service, placement, self._watchdog)
            self._started[side] = self._stack.enter_context(context)
        host = "host.docker.internal" if service.is_container else "127.0.0.1"
        ports = self._started[side]
        hosts = {f"{name.removesuffix('_PORT')}_HOST": host for name in ports if name.endswith("_PORT")}
        return {**ports, **hosts}


@contextlib.contextmanager
def start_needs(
    needs: Needs, service: Service, placement: ServiceContext, watchdog: Watchdog
) -> Iterator[Mapping[str, str]]:
    """Yields the ports once all are healthy; leaving it removes them, their volumes and their network."""
    from ci_gate.service.guard.containers import remove_containers
    from ci_gate.service.image import connect_docker, explain_docker_errors

    if not (placement.repository / needs.compose).is_file():
        raise BadInputError(
            Problem(
                file=placement.thresholds_file,
                line=service.at.line,
                column=service.at.column,
                message=f"service.needs: there is no {needs.compose}",
                allowed="the path of a compose file from the folder of thresholds.yaml",
            )
        )
    project = f"cigate{uuid.uuid4().hex[:16]}"
    compose = _Compose(needs=needs, placement=placement, watchdog=watchdog, project=project)
    with connect_docker(placement.environ) as client:
        program = compose.find_program()
        label = f"{PROJECT_LABEL}={project}"
        guard = watchdog.guard_container(label)
        try:
            compose.run(program, ("up", "-d", *needs.services), UP_TIMEOUT_S)
            with explain_docker_errors("look at what the service needs"):
                containers = _await_healthy(client, needs, label)
            yield dict(_find_ports(containers))
        finally:
            with contextlib.suppress(ServiceError):
                compose.run(program, ("down", "--volumes"), DOWN_TIMEOUT_S)
            with explain_docker_errors(f"remove what the service needs (label {label})"):
                remove_containers(client, label)
            watchdog.release(guard)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compose:
    needs: Needs
    placement: ServiceContext
    watchdog: Watchdog
    project: str

    def find_program(self) -> tuple[str, ...]:
        """Version 2, a plug-in of docker's client, or version 1. Raises OutsideError for neither."""
        path = self.placement.environ.get("PATH")
        if shutil.which("docker", path=path) and self._run(("docker", "compose", "version"), 30.0)[0] == 0:
            return "docker", "compose"
        if shutil.which("docker-compose", path=path):
            return ("docker-compose",)
        raise OutsideError(
            "service.needs takes `docker compose` or `docker-compose`, and neither is installed here; "
            "without them, start what the service needs beside ci-gate"
        )

    def run(self, program: tuple[str, ...], words: tuple[str, ...], timeout_s: float) -> None:
        """Raises ServiceError with the last lines of compose where it fails or takes too long."""
        command = (*program, "-p", self.project, "-f", self.needs.compose, *words)
        status, log = self._run(command, timeout_s)
        if status == 0:
            return
        how = "failed" if status is not None else f"did not end within {format_exact(timeout_s)} s"
        hint = _PORT_HINT if log.says_port_in_use() else ""
        message = f"service.needs: `{' '.join((*program, *words))}` {how}{hint}"
        raise ServiceError(message, log.tail(LOG_LINES), log.path.name)

    def _run(self, words: tuple[str, ...], timeout_s: float) -> tuple[int | None, ServiceLog]:
        placement = self.placement
        log = open_log(placement.log_path.with_name(f"{placement.log_path.stem}.needs.log"))
        command = Command(words=words, env=placement.environ, cwd=placement.repository, log=log, grace_s=10.0)
        with start_process(command, self.watchdog) as process:
            return process.wait(timeout_s), log


def _await_healthy(client: DockerClient, needs: Needs, label: str) -> list[Container]:
    """The containers of the services, once each is healthy, or runs where it has no health check."""
    deadline = time.monotonic() + needs.timeout_s
    while True:
        containers = client.containers.list(all=True, filters={"label": label})
        waiting = [problem for each in containers if (problem := _describe_unhealthy(each))]
        if containers and not waiting:
            return list(containers)
        if time.monotonic() > deadline:
            what = "; ".join(waiting) or "it started no container"
            raise ServiceError(
                f"service.needs was not healthy after {format_exact(needs.timeout_s)} s: {what}",
                "\n".join(_last_lines(each) for each in containers if _describe_unhealthy(each)),
                "the containers",
            )
        time.sleep(_POLL_S)


def _describe_unhealthy(container: Container) -> str:
    """Empty where it is healthy. Raises ServiceError for one that has ended badly."""
    name, state = _name(container), container.attrs["State"]
    if state.get("Status") == "exited":
        if state.get("ExitCode") == 0:  # one that prepares the others, and is done
            return ""
        message = f"service.needs: {name} ended: exit status {state.get('ExitCode')}"
        raise ServiceError(message, _last_lines(container), name)
    health = (state.get("Health") or {}).get("Status", "healthy" if state.get("Running") else "not running")
    return "" if health == "healthy" else f"{name} is {health}"


def _last_lines(container: Container) -> str:
    return container.logs(tail=LOG_LINES).decode(errors="replace").strip()


def _name(container: Container) -> str:
    return str(container.labels.get(SERVICE_LABEL, container.name))


def _find_ports(containers: list[Container]) -> Iterator[tuple[str, str]]:
    for container in containers:
        name = _IN_NAMES.sub("_", _name(container)).upper()
        published = {
            int(port.partition("/")[0]): bindings[0]["HostPort"]
            for port, bindings in (container.attrs["NetworkSettings"]["Ports"] or {}).items()
            if bindings
        }
        if published:
            yield f"{name}_PORT", published[min(published)]
        yield from ((f"{name}_PORT_{port}", at) for port, at in published.items())
