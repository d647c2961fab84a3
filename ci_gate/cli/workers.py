"""`ci-gate worker`, and what `ci-gate run` is told of workers on other machines."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_gate.addresses import HostPort, keep_secret, parse_host_port
from ci_gate.cli.options import service_environment
from ci_gate.errors import EXIT_PASS, BadInputError, Problem, UsageError
from ci_gate.evidence.processes import MAX_PROCESSES
from ci_gate.run.progress import ProgressPrinter
from ci_gate.thresholds.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_gate.run.plan import RemoteWorkers
    from ci_gate.thresholds import Thresholds

_DEFAULT_ADDRESS: Final = "127.0.0.1:5557"
_FOLDER: Final = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE: Final = click.Path(path_type=Path, dir_okay=False)

secret_option = click.option(
    "--secret-file",
    type=_FILE,
    help="Holds the secret that master and workers share.  [default: the variable CI_GATE_WORKER_SECRET]",
)


def read_address(_context: object, _parameter: object, text: str) -> HostPort:
    """What an option says. Raises BadParameter for anything but ADDRESS:PORT."""
    try:
        return parse_host_port(text)
    except ValueError:
        raise click.BadParameter(f"{text} (allowed: ADDRESS:PORT, such as 10.0.0.1:5557)") from None


def _read_bind(context: object, parameter: object, text: str) -> HostPort:
    address = read_address(context, parameter, text)
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise click.BadParameter(f"{text} (allowed: an IP address of this machine, and a port)") from None
    return address


def workers_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options of `ci-gate run` about workers on other machines."""
    workers = click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(1, MAX_PROCESSES),
        help="So many `ci-gate worker` on other machines put the load on (docs/workers.md).",
    )
    bind = click.option(
        "--bind",
        metavar="ADDRESS:PORT",
        default=_DEFAULT_ADDRESS,
        callback=_read_bind,
        show_default=True,
        help="Where the workers find this machine. Of a private network.",
    )
    return workers(bind(secret_option(command)))


def read_remote_workers(
    thresholds: Thresholds,
    *,
    workers: int | None,
    bind: HostPort,
    secret_file: Path | None,
    base: str | None,
    processes: int | str | None,
) -> RemoteWorkers | None:
    """What these options say; None without ``workers``. Raises UsageError and BadInputError."""
    if workers is None:
        return None
    service = thresholds.service
    problems = [
        Problem(
            file=thresholds.file,
            line=each.at.line,
            column=each.at.column,
            message=f"{each.name!r} cannot be compared with base by workers on other machines",
            allowed="--workers without --base, or --processes",
        )
        for each in thresholds.scenarios
        if each.regression
    ]
    if base and problems:
        raise BadInputError(*problems)
    if processes is not None:
        raise UsageError("--workers and --processes say the same twice: start several workers on a machine")
    if service.ca:
        raise UsageError("--workers cannot be used with service.ca: workers check by their own certificates")
    if not bind.is_loopback() and service.kind != "url":
        raise UsageError(
            "workers on other machines cannot reach a service that ci-gate starts at 127.0.0.1: give its "
            "address there as service.url"
        )
    from ci_gate.run.plan import RemoteWorkers

    return RemoteWorkers(address=bind, secret=_take_secret(secret_file))


def _take_secret(secret_file: Path | None) -> str:
    from ci_gate.measure.remote.secret import read_secret

    secret = read_secret(secret_file, click.get_current_context().obj)
    keep_secret(secret)
    return secret


@click.command("worker")
@click.option(
    "--master",
    metavar="ADDRESS:PORT",
    required=True,
    callback=read_address,
    help="Where `ci-gate run --workers` listens (its --bind).",
)
@click.option(
    "--folder",
    type=_FOLDER,
    default=Path(),
    help="The repository: it has the same locustfiles as the master's.  [default: the current one]",
)
@secret_option
@click.option("--name", help="What reports call this machine.  [default: its host name]")
@click.option("--wait", "wait_text", default="5m", show_default=True, help="How long a master is waited for.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it keeps what it records.  [default: ci-gate-out/worker-<time>]",
)
def worker_command(
    master: HostPort,
    folder: Path,
    secret_file: Path | None,
    name: str | None,
    wait_text: str,
    out: Path | None,
) -> int:
    """Put load on for a `ci-gate run --workers` on another machine, until that run is over.

    The locustfiles must be here already, below --folder: what differs from the master's is refused. Both
    sides prove that they know the secret before anything runs, and what they send is encrypted. The network
    must be a private one all the same: see docs/workers.md.
    """
    from ci_gate.measure.remote.agent import WorkerOptions, run_worker

    try:
        wait_s = parse_duration_s(wait_text)
    except ValueError:
        raise click.BadParameter(f"{wait_text} (allowed: a duration, such as 5m)") from None
    secret = _take_secret(secret_file)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ")
    progress = ProgressPrinter(sys.stderr)
    options = WorkerOptions(
        master=master,
        secret=secret,
        name=(name or socket.gethostname())[:200],
        repository=folder,
        out=out or Path("ci-gate-out") / f"worker-{now}",
        environ=service_environment(),
        wait_s=wait_s,
    )
    run_worker(options, progress.say)
    return EXIT_PASS
