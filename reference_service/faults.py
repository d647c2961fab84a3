"""Faults that FAULTS switches on to test the gate: ``FAULTS=extra_cpu=3ms,tiny_pool``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference_service.quantities import Rate, parse_count, parse_duration_s, parse_rate, parse_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Which faults are on, each with its strength; None or False is off. README.md describes each."""

    tiny_pool: float | None = None  # seconds for which each unit of work keeps the only connection
    open_transaction: float | None = None  # seconds for which each unit of work keeps its transaction open
    n_plus_one: int | None = None  # statements for each row of a list
    extra_cpu: float | None = None  # seconds of CPU for each API request
    lock_contention: float | None = None  # seconds for which each writer holds the one hot row
    throttle: Rate | None = None  # requests of one address
    login_broken: bool = False
    routes_missing: bool = False
    slow_start: float | None = None  # seconds until ready
    crash_after: int | None = None  # API requests until the process ends hard
    debug_error_pages: float | None = None  # share of API requests, 0 to 1
    slow_dependency: float | None = None  # seconds that each POST but login waits


NO_FAULTS = Faults()

_PARAMETERS: dict[str, tuple[Callable[[str], object], str]] = {
    "tiny_pool": (parse_duration_s, "25ms"),
    "open_transaction": (parse_duration_s, "600ms"),
    "n_plus_one": (parse_count, "40"),
    "extra_cpu": (parse_duration_s, "5ms"),
    "lock_contention": (parse_duration_s, "25ms"),
    "throttle": (parse_rate, "10/s"),
    "slow_start": (parse_duration_s, "120s"),
    "crash_after": (parse_count, "500"),
    "debug_error_pages": (parse_share, "5%"),
    "slow_dependency": (parse_duration_s, "600ms"),
}
_SWITCHES = ("login_broken", "routes_missing")
FAULT_NAMES = (*_PARAMETERS, *_SWITCHES)


def parse_faults(text: str) -> Faults:
    """``name`` or ``name=parameter``, separated by commas; a name alone takes its default parameter.

    Raises ValueError for an unknown name, a name given twice, and a parameter of the wrong form.
    """
    values: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, parameter = part.partition("=")
        if name in values:
            raise ValueError(f"the fault {name!r} is given twice")
        values[name] = _parse_fault(name, parameter)
    return Faults(**values)  # type: ignore[arg-type]  # each parser returns its field's type


def _parse_fault(name: str, parameter: str) -> object:
    if name in _SWITCHES:
        if parameter:
            raise ValueError(f"the fault {name!r} takes no parameter")
        return True
    if name not in _PARAMETERS:
        raise ValueError(f"no fault is called {name!r}; there are {', '.join(sorted(FAULT_NAMES))}")
    parse, default = _PARAMETERS[name]
    return parse(parameter or default)
