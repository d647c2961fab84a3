"""What Locust would have taken from its variables, its files and the locustfile, and a run does not use.

thresholds.yaml says what a run is. Locust's own variables are taken away, those of the scenario's code stay.
Runs in Locust's process.
"""

from __future__ import annotations

import contextlib
import io
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from locust import LoadTestShape, User, argument_parser

from ci_gate.addresses import hide_credentials
from ci_gate.evidence.workload import GivenSettings, UnusedSetting
from ci_gate.measure.locustfile.of_locust import (
    CLASS_HOST,
    OWN_OPTIONS,
    PART_OF_OPTION,
    SHAPE,
    TAGS,
    WEIGHT,
    Part,
)
from ci_gate.measure.locustfile.own_hosts import find_own_host, is_http

_FILES: Final = ("locust.conf", "pyproject.toml")
_USER_CLASSES: Final = "LOCUST_USER_CLASSES"  # Locust reads it beside its options


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A loaded locustfile, and what a scenario gives it. ``root`` is the repository's folder."""

    given: GivenSettings
    root: Path
    classes: tuple[type[User], ...]
    shapes: tuple[LoadTestShape, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where Locust would look for files with options: its working folder; and beside the locustfiles."""
        beside = ((self.root / each.rstrip("/")) for each in self.given.locustfiles)
        folders = (folder if folder.is_dir() else folder.parent for folder in beside)
        return (self.root / self.given.directory, self.root, *folders)


def take_own_variables(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Remove the variables of Locust's own options from ``environ``, and return them."""
    known = {action.env_var for action in _actions_of(_own_parser()) if getattr(action, "env_var", None)}
    return {name: environ.pop(name) for name in sorted({*known, _USER_CLASSES}) if name in environ}


def find_unused(variables: Mapping[str, str], loaded: Loaded) -> tuple[UnusedSetting, ...]:
    """What is not used of these variables of Locust's, of its files, of a loaded locustfile.

    What is empty, unreadable or a default changes nothing, and is left out.
    """
    options = _Options(loaded.given.args)
    files = [Path("~/.locust.conf").expanduser()]
    files += [folder / name for folder in loaded.folders for name in _FILES]
    return (
        *(setting for name in variables for setting in _of_variable(options, name, variables[name], loaded)),
        *(setting for path in dict.fromkeys(files) for setting in _of_file(options, path, loaded)),
        *(setting for user_class in loaded.classes for setting in _of_class(user_class, loaded.given)),
        *(
            UnusedSetting(
                what=f"class {type(shape).__name__}(LoadTestShape)",
                why="would have decided how many users run, and when",
                key=SHAPE.key,
            )
            for shape in loaded.shapes[:1]  # Locust uses the first
            if not loaded.given.shape
        ),
    )


def find_wrong_arguments(args: tuple[str, ...]) -> str:
    """What Locust says of the options that a scenario gives the loaded locustfile; empty if they are right.

    An option of Locust's own is wrong too: thresholds.yaml says what those say.
    """
    parser = argument_parser.get_parser(default_config_files=())
    parser.prog = "locust"
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
            options = vars(parser.parse_args(list(args)))
    except SystemExit:
        return " ".join(printed.getvalue().split()) or "Locust refuses args"
    except Exception as error:  # noqa: BLE001 - types and actions of the locustfile may do anything
        return f"args: {error!r}"
    usual = _Options(())
    for dest, part in PART_OF_OPTION.items():
        if usual.plain and options.get(dest) != getattr(usual.plain, dest, None):
            return f"args: {usual.names.get(dest, dest)} is an option of Locust's own: {_why_not(part)}"
    return ""


def _why_not(part: Part) -> str:
    return f"{_key_of(part)} in thresholds.yaml says it" if part.key else part.why


def _key_of(part: Part) -> str:
    return part.key.partition(";")[0]


def _of_variable(options: _Options, name: str, value: str, loaded: Loaded) -> Iterator[UnusedSetting]:
    read = options.read(variables={name: value})
    found = tuple(_describe(options, dest, read[dest], name, loaded) for dest in read)
    yield from filter(None, found)
    if not any(found):
        yield UnusedSetting(what=name, why="a run takes no options of Locust", replaced=True)


def _of_file(options: _Options, path: Path, loaded: Loaded) -> Iterator[UnusedSetting]:
    if path.is_file():
        for dest, value in options.read(file=path, variables=os.environ).items():
            where = f"{options.names[dest]} in {_show(path, loaded.root)}"
            if setting := _describe(options, dest, value, where, loaded):
                yield setting


def _of_class(user_class: type[User], given: GivenSettings) -> Iterator[UnusedSetting]:
    name = user_class.__name__
    attributes: dict[str, tuple[Any, Any, Part]] = {
        "weight": (user_class.weight, 1, WEIGHT),
        "fixed_count": (user_class.fixed_count, 0, WEIGHT),
    }
    if given.shape:
        attributes = {}  # they say which classes the users of a shape are
    for attribute, (value, usual, part) in attributes.items():
        if value != usual:
            what = f"{attribute} of {name} ({value})"
            yield UnusedSetting(
                what=what, why=_why_not(part), replaced=True, key=part.key, user_classes=(name,)
            )
    host = user_class.host
    of_http = is_http(user_class)
    is_kept = find_own_host(user_class) is not None and not given.host
    if isinstance(host, str) and host and not is_kept:
        key = "host" if given.host and not of_http else _key_of(CLASS_HOST)
        yield UnusedSetting(
            what=f"host of {name} ({hide_credentials(host)})",
            why=f"{key} in thresholds.yaml says it",
            replaced=True,
            key=key,
            user_classes=(name,),
        )


def _describe(options: _Options, dest: str, value: Any, where: str, loaded: Loaded) -> UnusedSetting | None:
    if dest in TAGS.options:
        return _describe_tags(dest, set(value or ()), where, loaded)
    part = PART_OF_OPTION.get(dest)
    if part is None and dest in options.of_locust:
        return UnusedSetting(what=where, why="a run takes no options of Locust", replaced=True)
    if part is None:
        is_given = dest in options.given
        why = (
            "args in thresholds.yaml says it"
            if is_given
            else "would have set an option that the locustfile adds"
        )
        return UnusedSetting(what=where, why=why, replaced=is_given, key=OWN_OPTIONS.key)
    if part.use == "yes":
        return None
    return UnusedSetting(what=where, why=_why_not(part), replaced=not part.decides, key=_key_of(part))


def _describe_tags(dest: str, tags: set[str], where: str, loaded: Loaded) -> UnusedSetting | None:
    """None where every task would have run anyway."""
    if loaded.given.tags or loaded.given.exclude_tags:
        why = "tags or exclude_tags in thresholds.yaml says it"
        return UnusedSetting(what=where, why=why, replaced=True, key=dest)
    left_out = {
        user_class.__name__: [
            getattr(task, "__name__", "task")
            for task in list_leaves(user_class)
            if (dest == "tags") is not bool(tags & tags_of(task))
        ]
        for user_class in loaded.classes
        if any(map(tags_of, list_leaves(user_class)))  # else it is not meant: no task would run
    }
    touched = tuple(name for name, tasks in left_out.items() if tasks)
    if not tags or not touched:
        if left_out:
            return None
        return UnusedSetting(what=where, why="no task has a tag", replaced=True, key=dest)
    names = ", ".join(dict.fromkeys(task for tasks in left_out.values() for task in tasks))
    why = f"would have left out the tasks {names} ({dest.replace('_', '-')}: {', '.join(sorted(tags))})"
    return UnusedSetting(what=where, why=why, user_classes=touched, key=dest)


def tags_of(task: Any) -> set[str]:
    """The tags of a task."""
    return set(getattr(task, "locust_tag_set", ()))


def list_leaves(holder: Any) -> Iterator[Any]:
    """The tasks of a user class or task set, and those of the task sets in it."""
    for task in holder.tasks:
        if hasattr(task, "tasks"):
            yield from list_leaves(task)
        else:
            yield task


class _Options:
    """Locust's parser with the options that the loaded locustfile adds; ``given`` are those that args set.

    ``plain`` is what they are without args, files and variables; None where Locust refuses even that.
    """

    def __init__(self, args: tuple[str, ...]) -> None:
        self._parser = argument_parser.get_parser(default_config_files=())
        for action in _actions_of(self._parser):
            action.required = False
        self.of_locust = {action.dest for action in _actions_of(_own_parser())}
        self.names = {
            action.dest: max(action.option_strings, key=len, default=action.dest).lstrip("-")
            for action in _actions_of(self._parser)
        }
        self.plain, given = self._parse({}, None), self._parse({}, None, args)
        values = vars(given) if given else {}
        self.given = {dest for dest in values if values[dest] != getattr(self.plain, dest, None)}

    def read(self, *, variables: Mapping[str, str], file: Path | None = None) -> dict[str, Any]:
        """What they change, by the parser's names; nothing where Locust would refuse them."""
        before = self._parse(variables if file else {}, None)
        after = self._parse(variables, file)
        if before is None or after is None:
            return {}
        values = vars(after)
        return {dest: values[dest] for dest in values if values[dest] != getattr(before, dest, None)}

    def _parse(
        self, variables: Mapping[str, str], file: Path | None, args: tuple[str, ...] = ()
    ) -> Namespace | None:
        self._parser._default_config_files = [str(file)] if file else []  # noqa: SLF001 - as Locust does
        try:
            options: Namespace = self._parser.parse_known_args(list(args), env_vars=dict(variables))[0]
        except (Exception, SystemExit):  # noqa: BLE001 - types and actions of the locustfile may do anything
            return None
        return options


def _own_parser() -> argument_parser.LocustArgumentParser:
    parser = argument_parser.get_empty_argument_parser(default_config_files=())
    argument_parser.setup_parser_arguments(parser)
    return parser


def _actions_of(parser: argument_parser.LocustArgumentParser) -> list[Any]:
    return list(parser._actions)  # noqa: SLF001 - there is no other list of options


def _show(path: Path, root: Path) -> str:
    return f"~/{path.name}" if path.parent == Path.home() else os.path.relpath(path, root)
