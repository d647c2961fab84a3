"""Starts the service under test in the way thresholds.yaml says, waits until it is ready, and ends it."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from ci_gate.addresses import hide_credentials
from ci_gate.errors import BadInputError, OutsideError, Problem, ServiceError
from ci_gate.service.around import LOG_LINES, CommandAround, Surroundings
from ci_gate.service.awaiting import await_service, describe_ready
from ci_gate.service.beside import NamedProcess, ProcessesTogether
from ci_gate.service.environment import Placeholders, expand_env, expand_variables, find_ca
from ci_gate.service.log import open_log
from ci_gate.service.log_bound import keep_bounded
from ci_gate.service.process import Command, split_command, start_process
from ci_gate.service.ready import DEFAULT_PORTS
from ci_gate.service.running import RunningService
from ci_gate.thresholds import DEFAULT_PORT
from ci_gate.thresholds.commands import explain_no_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from ci_gate.service.container import GuardedContainer
    from ci_gate.service.environment import ServiceContext
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.service.log import ServiceLog
    from ci_gate.service.ready import Clock
    from ci_gate.service.running import Runtime
    from ci_gate.thresholds import Service

STOP_GRACE_S = 10.0
PORT_ATTEMPTS = 5
CONTAINER_STATE = "/tmp"  # noqa: S108 - inside a container that is removed with all it holds


@contextlib.contextmanager
def start_service(
    service: Service,
    placement: ServiceContext,
    *,
    watchdog: Watchdog,
    on_progress: Callable[[str], None] = lambda _: None,
    stop_grace_s: float = STOP_GRACE_S,
    clock: Clock = time,
) -> Iterator[RunningService]:
    """Yields the service once it is ready; leaving it, however, ends and removes all of it.

    ``on_progress`` is given lines that say what is going on. Raises BadInputError for a variable that is not
    set, ServiceError if the service does not get ready (with its last log lines), OutsideError if Docker or
    the disk does not do as asked.
    """
    find_ca(service, placement)
    log = open_log(placement.log_path)
    try:
        placement.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutsideError(f"cannot make the state folder {placement.state_dir}: {error.strerror}") from error
    start = _Start(
        service=service,
        placement=placement,
        watchdog=watchdog,
        on_progress=on_progress,
        grace_s=stop_grace_s,
        clock=clock,
    )
    with contextlib.ExitStack() as stack:
        yield STARTERS[service.kind](start, log, stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    service: Service
    placement: ServiceContext
    watchdog: Watchdog
    on_progress: Callable[[str], None]
    grace_s: float
    clock: Clock


def _start_command(start: _Start, log: ServiceLog, stack: contextlib.ExitStack) -> RunningService:
    fixed_port = start.service.fixed_port
    if fixed_port is not None:
        _check_free(fixed_port)
    for attempts_left in reversed(range(1 if fixed_port else PORT_ATTEMPTS)):
        with contextlib.ExitStack() as attempt:
            try:
                running = _start_on_port(start, fixed_port or find_free_port(), log, attempt)
            except ServiceError as error:
                if not attempts_left or not log.says_port_in_use():
                    raise error.with_hint(explain_no_shell(start.service.target)) from error
                start.on_progress("another program took the service's port: trying the next")
            else:
                stack.enter_context(attempt.pop_all())
                return running
        log = open_log(start.placement.log_path)
    raise AssertionError  # pragma: no cover - the last attempt returns or raises


def _start_on_port(start: _Start, port: int, log: ServiceLog, stack: contextlib.ExitStack) -> RunningService:
    service, placement = start.service, start.placement
    inside = _placeholders(start, port)
    env = expand_env(service, placement, inside)
    _run_before_start(start, inside)
    others = tuple(
        NamedProcess(
            name=name,
            process=stack.enter_context(
                start_process(
                    _make_command(start, text, f"processes.{name}", its_log, inside), start.watchdog
                )
            ),
            log=its_log,
        )
        for name, text in service.processes
        if (its_log := open_log(log.path.with_name(f"{log.path.stem}.processes.{name}.log")))
    )
    command = _make_command(start, service.target, "command", log, inside)
    main = stack.enter_context(start_process(command, start.watchdog))
    process = ProcessesTogether(main=main, others=others) if others else main
    return _await_running(start, inside.url, process, log=log, inside=inside, env=env)


def _make_command(start: _Start, text: str, key: str, log: ServiceLog, inside: Placeholders) -> Command:
    service, placement = start.service, start.placement
    words = split_command(text, service=service, placement=placement, key=key)
    return Command(
        words=tuple(inside.fill(word) for word in words),
        env={**placement.environ, **expand_env(service, placement, inside)},
        cwd=placement.repository,
        log=log,
        grace_s=start.grace_s,
    )


def _placeholders(start: _Start, port: int) -> Placeholders:
    """What they stand for on this machine."""
    scheme = "https" if start.service.ca else "http"
    state = str(start.placement.state_dir.resolve())
    url = f"{scheme}://127.0.0.1:{port}"
    return Placeholders(port=port, url=url, state=state, side=start.placement.side)


def _run_before_start(start: _Start, here: Placeholders) -> None:
    """On this machine, also for a container: what it makes is there before the service is."""
    service, placement = start.service, start.placement
    if service.before_start is None:
        return
    where = Surroundings(
        service=service,
        placement=placement,
        watchdog=start.watchdog,
        inside=here,
        env=expand_env(service, placement, here),
    )
    timeout_s = service.before_start_timeout_s
    CommandAround(key="before_start", text=service.before_start, timeout_s=timeout_s).run(where)


def _check_free(port: int) -> None:
    """Raises ServiceError where another program listens on the only port that the service can have."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"port {port} of service.port is taken: {error.strerror}; end the other program"
            ) from error


def _start_container(start: _Start, log: ServiceLog, stack: contextlib.ExitStack) -> RunningService:
    from ci_gate.service.container import published_url, start_container
    from ci_gate.service.image import connect_docker

    service, placement = start.service, start.placement
    port = service.port or DEFAULT_PORT
    here = _placeholders(start, port)
    inside = dataclasses.replace(here, state=CONTAINER_STATE)
    env = expand_env(service, placement, inside)
    _run_before_start(start, here)
    client = stack.enter_context(connect_docker(placement.environ))
    stack.enter_context(keep_bounded(log))
    container = stack.enter_context(
        start_container(
            client,
            _make_image(start, client),
            service=service,
            env=env,
            log=log,
            watchdog=start.watchdog,
            grace_s=start.grace_s,
            cpus=placement.cpus,
        )
    )
    try:
        url = published_url(container, port).replace("http", urlsplit(here.url).scheme, 1)
    except ServiceError as error:
        raise ServiceError(str(error), log.tail(LOG_LINES)) from error
    return _await_running(start, url, container, log=log, inside=inside, env=env)


def _use_url(start: _Start, log: ServiceLog, _stack: contextlib.ExitStack) -> RunningService:
    service, placement = start.service, start.placement
    target = expand_variables(service.target, at=service.at, placement=placement, where="service.url")
    url = target.strip().rstrip("/")
    port = _port_of(url, service, placement)
    inside = Placeholders(port=port, url=url, state=str(placement.state_dir.resolve()), side=placement.side)
    env = expand_env(service, placement, inside)
    return _await_running(start, url, None, log=log, inside=inside, env=env)


def _port_of(url: str, service: Service, placement: ServiceContext) -> int:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.hostname and parts.scheme in DEFAULT_PORTS and parts.port != 0:
            return parts.port or DEFAULT_PORTS[parts.scheme]
    raise BadInputError(
        Problem(
            file=placement.thresholds_file,
            line=service.at.line,
            column=service.at.column,
            message="service.url: what it stands for holds no valid scheme, host and port",
            allowed="such as http://127.0.0.1:8000",
        )
    )


def _make_image(start: _Start, client: DockerClient) -> str:
    from ci_gate.service.image import build_image, find_image

    service, placement = start.service, start.placement
    if service.kind == "dockerfile":
        start.on_progress(f"building {service.target}")
        return build_image(
            client, placement.repository / service.target, placement.repository, start.on_progress
        )
    reference = expand_variables(service.target, at=service.at, placement=placement, where="service.image")
    return find_image(client, reference, start.on_progress)


def _await_running(
    start: _Start,
    url: str,
    runtime: Runtime | None,
    *,
    log: ServiceLog,
    inside: Placeholders,
    env: dict[str, str],
) -> RunningService:
    service = start.service
    where = Surroundings(
        service=service,
        placement=start.placement,
        watchdog=start.watchdog,
        inside=inside,
        env=env,
        container=cast("GuardedContainer", runtime) if service.is_container else None,
    )
    start.on_progress(f"waiting for {hide_credentials(url)}{describe_ready(service.ready)}")
    ready_after_s = await_service(where, url, runtime, log=log, clock=start.clock)
    return RunningService(
        service=service,
        placement=start.placement,
        url=url,
        runtime=runtime,
        log=log,
        inside=inside,
        env=tuple(env.items()),
        ready_after_s=ready_after_s,
    )


STARTERS: Final = {
    "command": _start_command,
    "image": _start_container,
    "dockerfile": _start_container,
    "url": _use_url,
}
"""How each kind of service is started; what must end with it goes onto the stack."""


def find_free_port() -> int:
    """Free now: another program may take it before the service does."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
