"""The ephemeral service under test: a command, an image, a Dockerfile or a URL; always removed."""

from ci_gate.service.environment import Placement
from ci_gate.service.reset import run_before_each
from ci_gate.service.running import RunningService
from ci_gate.service.start import start_service

__all__ = ["Placement", "RunningService", "run_before_each", "start_service"]
