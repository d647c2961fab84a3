"""The reference service's command line: ``python -m reference_service.service --port 8000``, or ``reset``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence

import uvicorn

from reference_service.seed import ensure_state, reset_state
from reference_service.settings import Settings, SettingsError, parse_settings

_BACKLOG = 2048
_EXIT_BAD_SETTINGS = 2


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serve until a signal, or reset the state; returns the exit code."""
    options = _parse_arguments(arguments)
    try:
        settings = parse_settings(environment)
        if options.action == "reset":
            reset_state(settings)
        else:
            serve(settings, host=options.host, port=options.port, workers=options.workers)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_BAD_SETTINGS
    return 0


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError for several workers without Redis.

    Nothing listens before the database is there and filled; each worker listens when it can serve.
    """
    if workers > 1 and settings.redis_url is None:
        raise SettingsError("REDIS_URL: needed by more than one worker, for sessions that all of them know")
    ensure_state(settings)
    with contextlib.ExitStack() as stack:
        if workers > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-metrics-"))
            # Read by prometheus-client when the workers import it.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "reference_service.app:build_app_from_environment",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            loop="uvloop",
            http="httptools",
            backlog=_BACKLOG,
            access_log=False,
            # Nothing in front of the service may say which address a request comes from.
            proxy_headers=False,
            log_level="warning",
        )


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reference_service.service", description=__doc__)
    parser.add_argument("action", nargs="?", choices=("serve", "reset"), default="serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ))
