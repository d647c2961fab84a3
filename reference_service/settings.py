"""The service's configuration: a frozen value, parsed from a given mapping and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reference_service.faults import NO_FAULTS, Faults, parse_faults
from reference_service.quantities import Rate, parse_count, parse_duration_s, parse_rate

DEFAULT_DATABASE_URL = "sqlite:///reference.sqlite3"


class SettingsError(ValueError):
    """The environment asks for something that cannot be. Names every wrong variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. ``redis_url`` None: sessions and throttling live in this process."""

    database_url: str = DEFAULT_DATABASE_URL
    redis_url: str | None = None
    pool_size: int = 5
    pool_timeout_s: float = 5.0
    throttle_user: Rate | None = None
    throttle_address: Rate | None = None
    session_lifetime_s: float = 8 * 3600.0
    faults: Faults = NO_FAULTS
    seed_users: int = 1000
    seed_pending: int = 10_000
    seed_password: str = field(default="correct horse battery staple", repr=False)


_FIELDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "DATABASE_URL": ("database_url", str),
    "REDIS_URL": ("redis_url", str),
    "POOL_SIZE": ("pool_size", parse_count),
    "POOL_TIMEOUT_S": ("pool_timeout_s", lambda text: parse_duration_s(f"{text}s")),
    "THROTTLE_USER": ("throttle_user", parse_rate),
    "THROTTLE_ADDRESS": ("throttle_address", parse_rate),
    "SESSION_LIFETIME": ("session_lifetime_s", parse_duration_s),
    "FAULTS": ("faults", parse_faults),
    "SEED_USERS": ("seed_users", parse_count),
    "SEED_PENDING": ("seed_pending", parse_count),
    "SEED_PASSWORD": ("seed_password", str),
}


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from the variables of ``_FIELDS``; absent or empty ones keep their default.

    Raises SettingsError that lists every wrong variable.
    """
    values: dict[str, object] = {}
    wrong: list[str] = []
    for variable, (name, parse) in _FIELDS.items():
        text = environment.get(variable, "")
        if not text:
            continue
        try:
            values[name] = parse(text)
        except ValueError as error:
            wrong.append(f"{variable}: {error}")
    if not str(values.get("database_url", "sqlite:")).startswith(("sqlite:", "postgresql:")):
        wrong.append("DATABASE_URL: must begin with sqlite:/// or postgresql://")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return Settings(**values)  # type: ignore[arg-type]  # each parser returns its field's type
