"""What a scenario says of Locust itself: what it loads, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AUTO: Final = "auto"
"""The number of Locust's processes where the machine decides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocustSettings:
    """What Locust loads, and what it is given beside users and service. Variables are not resolved yet."""

    locustfiles: tuple[str, ...]  # Python files, and folders, which end with /
    directory: str = ""  # the working folder of Locust's process, in the repository
    env: tuple[tuple[str, str], ...] = ()
    args: tuple[str, ...] = ()  # of its command line, for options that the locustfile adds
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    host: str | None = None  # of users that are no HTTP users
    shape: str | None = None  # the LoadTestShape that says how many users run; then the scenario names none

    @property
    def name(self) -> str:
        """All files and folders in one text, as Locust's own option takes them."""
        return ",".join(self.locustfiles)
