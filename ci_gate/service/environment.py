"""What thresholds.yaml leaves open about a service: placeholders and ${VARIABLE}."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from ci_gate.addresses import find_secrets
from ci_gate.errors import BadInputError, Problem
from ci_gate.thresholds import DEFAULT_FILE, PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_gate.thresholds import Position, Service

# Not after a dollar sign: ${port} is a variable.
_PLACEHOLDER = re.compile(rf"(?<!\$)\{{({'|'.join(PLACEHOLDERS)})\}}")
_PASSWORD = re.compile(r"\bpassword\s*=\s*'?([^'\s]+)", re.IGNORECASE)
_VARIABLE = re.compile(
    r"\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<malformed>[^}]*\}?))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """Where a service is started, and as which side of a comparison.

    ``environ`` is ci-gate's own environment. ``log_path`` is appended to. ``thresholds_file`` is the name
    that Problems carry. ``cpus`` are those that a container may use, () for all.
    """

    side: str
    repository: Path
    state_dir: Path
    log_path: Path
    environ: Mapping[str, str] = field(repr=False)
    thresholds_file: str = DEFAULT_FILE
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """What each ``{placeholder}`` stands for to the process that reads it."""

    port: int
    url: str
    state: str
    side: str

    @property
    def side_index(self) -> int:
        """A number of its own for each side, as Redis wants it for its databases."""
        return 0 if self.side == "base" else 1

    def fill(self, text: str) -> str:
        """Other braces stay as they are, so that JSON can stand in a value."""
        return _PLACEHOLDER.sub(lambda match: str(getattr(self, match[1])), text)


def expand_variables(text: str, *, at: Position, placement: ServiceContext, where: str) -> str:
    """Resolves ``${VAR}`` and ``${VAR:-default}``; as in a shell, the default also replaces an empty value.

    ``where`` names the key in thresholds.yaml, ``at`` is what Problems point at.
    Raises BadInputError for a variable that is not set.
    """

    def resolve(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name is None:
            raise _problem(
                at, placement, f"{where}: {match[0]} is no variable", "${NAME} or ${NAME:-default}"
            )
        value = placement.environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            message = f"{where}: the environment variable {name} is not set"
            raise _problem(at, placement, message, f"set it, or give a default: ${{{name}:-...}}")
        return value

    return _VARIABLE.sub(resolve, text)


def expand_env(service: Service, placement: ServiceContext, placeholders: Placeholders) -> dict[str, str]:
    """The values of ``service.env``, all resolved. Raises BadInputError."""
    return {
        key: expand_text(value, placeholders, at=service.at, placement=placement, where=f"service.env.{key}")
        for key, value in service.env
    }


def expand_text(
    text: str, placeholders: Placeholders, *, at: Position, placement: ServiceContext, where: str
) -> str:
    """Placeholders and variables resolved. Raises BadInputError as `expand_variables` does.

    Placeholders are filled before *and* after variables are expanded: a default may hold one, and so may a
    variable (``DATABASE_URL=postgresql://localhost/app_{side}`` gives each side its own database).
    """
    return placeholders.fill(
        expand_variables(placeholders.fill(text), at=at, placement=placement, where=where)
    )


def expand_loosely(text: str, placeholders: Placeholders, environ: Mapping[str, str]) -> str:
    """The same before any run: a variable that is not set, or is none, is empty."""

    def resolve(match: re.Match[str]) -> str:
        return environ.get(match["name"] or "") or match["default"] or ""

    return placeholders.fill(_VARIABLE.sub(resolve, placeholders.fill(text)))


def find_secret_values(texts: Iterable[str], environ: Mapping[str, str], public: str) -> tuple[str, ...]:
    """What of the environment these texts of thresholds.yaml bring in that nobody else is to read.

    Of a URL only its credentials and the values of its query; of a connection string, its password. What
    stands in ``public``, the file itself, is no secret, and neither is the path of a file that is there.
    """
    names = {match["name"] for text in texts for match in _VARIABLE.finditer(text) if match["name"]}
    values = {environ[name].strip() for name in names if environ.get(name)}
    found = {secret for value in values for secret in _secrets_in(value)}
    return tuple(sorted(secret for secret in found if secret not in public))


def _secrets_in(value: str) -> Iterator[str]:
    if "://" in value and len(value.split()) == 1:
        yield from find_secrets((value,))
        with contextlib.suppress(ValueError):
            yield from (inner for _, inner in parse_qsl(urlsplit(value).query))
    elif passwords := _PASSWORD.findall(value):
        yield from passwords
    elif not (value.startswith("/") and os.path.exists(value)):  # noqa: PTH110 - any text at all
        yield value


def find_ca(service: Service, placement: ServiceContext) -> Path | None:
    """The file of ``service.ca``, None where there is none. Raises BadInputError where it is not there."""
    if service.ca is None:
        return None
    path = placement.repository / service.ca
    if not path.is_file():
        raise _problem(
            service.at, placement, f"service.ca: {path} is no file", "a file of certificates (PEM)"
        )
    return path


def reset_env(placeholders: Placeholders) -> dict[str, str]:
    """The variables of ``before_each`` beside the service's own environment."""
    return {
        "CI_GATE_URL": placeholders.url,
        "CI_GATE_PORT": str(placeholders.port),
        "CI_GATE_STATE": placeholders.state,
        "CI_GATE_SIDE": placeholders.side,
    }


def _problem(at: Position, placement: ServiceContext, message: str, allowed: str) -> BadInputError:
    return BadInputError(
        Problem(
            file=placement.thresholds_file,
            line=at.line,
            column=at.column,
            message=message,
            allowed=allowed,
        )
    )
