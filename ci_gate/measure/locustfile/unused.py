"""What Locust would have taken from its variables, its files and the locustfile, and a run does not use.

thresholds.yaml says what a run is. Locust's own variables are taken away, those of the scenario's code stay.
Runs in Locust's process.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from locust import LoadTestShape, User, argument_parser

from ci_gate.evidence.recording import UnusedSetting

_FILES: Final = ("locust.conf", "pyproject.toml")
_TAGS: Final = ("tags", "exclude_tags")
# By the names of Locust's parser: what decides which requests are sent, and stands in no thresholds.yaml.
_DECIDING: Final = {
    "config_users": "would have changed attributes and tasks of user classes",
    "equal_weights": "would have run all tasks of a class equally often",
}
# What thresholds.yaml says instead.
_REPLACED: Final = {
    "host": "service",
    "num_users": "users",
    "user_classes": "users",
    "spawn_rate": "spawn_rate",
    "run_time": "the profile's duration",
}
_USER_CLASSES: Final = "LOCUST_USER_CLASSES"  # Locust reads it beside its options


def take_own_variables(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Remove the variables of Locust's own options from ``environ``, and return them."""
    known = {action.env_var for action in _actions_of(_own_parser()) if getattr(action, "env_var", None)}
    return {name: environ.pop(name) for name in sorted({*known, _USER_CLASSES}) if name in environ}


def find_unused(
    variables: Mapping[str, str],
    folders: Iterable[Path],
    classes: Iterable[type[User]],
    shapes: Iterable[LoadTestShape],
) -> tuple[UnusedSetting, ...]:
    """What is not used of these variables of Locust's, of its files in ``folders``, of a loaded locustfile.

    What is empty, unreadable or a default changes nothing, and is left out.
    """
    options, classes = _Options(), tuple(classes)
    files = [Path("~/.locust.conf").expanduser(), *(folder / name for folder in folders for name in _FILES)]
    return (
        *(setting for name in variables for setting in _of_variable(options, name, variables[name], classes)),
        *(setting for path in dict.fromkeys(files) for setting in _of_file(options, path, classes)),
        *(
            UnusedSetting(
                what=f"class {type(shape).__name__}(LoadTestShape)",
                why="would have decided how many users run, and when",
            )
            for shape in tuple(shapes)[:1]  # Locust uses the first
        ),
    )


def _of_variable(
    options: _Options, name: str, value: str, classes: tuple[type[User], ...]
) -> Iterator[UnusedSetting]:
    read = options.read(variables={name: value})
    found = tuple(_describe(options, dest, read[dest], name, classes) for dest in read)
    yield from filter(None, found)
    if not any(found):
        yield UnusedSetting(what=name, why="a run takes no options of Locust", replaced=True)


def _of_file(options: _Options, path: Path, classes: tuple[type[User], ...]) -> Iterator[UnusedSetting]:
    if path.is_file():
        for dest, value in options.read(file=path, variables=os.environ).items():
            where = f"{options.names[dest]} in {_show(path)}"
            if setting := _describe(options, dest, value, where, classes):
                yield setting


def _describe(
    options: _Options, dest: str, value: Any, where: str, classes: tuple[type[User], ...]
) -> UnusedSetting | None:
    if dest in _TAGS:
        return _describe_tags(dest, set(value or ()), where, classes)
    if dest in _REPLACED:
        return UnusedSetting(what=where, why=f"{_REPLACED[dest]} in thresholds.yaml says it", replaced=True)
    if dest in _DECIDING:
        return UnusedSetting(what=where, why=_DECIDING[dest])
    if dest not in options.of_locust:
        return UnusedSetting(what=where, why="would have set an option that the locustfile adds")
    return None


def _describe_tags(
    dest: str, tags: set[str], where: str, classes: tuple[type[User], ...]
) -> UnusedSetting | None:
    """None where every task would have run anyway."""
    left_out = {
        user_class.__name__: [
            getattr(task, "__name__", "task")
            for task in _leaves(user_class)
            if (dest == "tags") is not bool(tags & _tags_of(task))
        ]
        for user_class in classes
        if any(map(_tags_of, _leaves(user_class)))  # else it is not meant: Locust would have no task to run
    }
    touched = tuple(name for name, tasks in left_out.items() if tasks)
    if not tags or not touched:
        return None if left_out else UnusedSetting(what=where, why="no task has a tag", replaced=True)
    names = ", ".join(dict.fromkeys(task for tasks in left_out.values() for task in tasks))
    why = f"would have left out the tasks {names} ({dest.replace('_', '-')}: {', '.join(sorted(tags))})"
    return UnusedSetting(what=where, why=why, user_classes=touched)


def _tags_of(task: Any) -> set[str]:
    return set(getattr(task, "locust_tag_set", ()))


def _leaves(holder: Any) -> Iterator[Any]:
    for task in holder.tasks:
        if hasattr(task, "tasks"):
            yield from _leaves(task)
        else:
            yield task


class _Options:
    """Locust's parser with the options that the loaded locustfile adds."""

    def __init__(self) -> None:
        self._parser = argument_parser.get_parser(default_config_files=())
        for action in _actions_of(self._parser):
            action.required = False
        self.of_locust = {action.dest for action in _actions_of(_own_parser())}
        self.names = {
            action.dest: max(action.option_strings, key=len, default=action.dest).lstrip("-")
            for action in _actions_of(self._parser)
        }

    def read(self, *, variables: Mapping[str, str], file: Path | None = None) -> dict[str, Any]:
        """What they change, by the parser's names; nothing where Locust would refuse them."""
        before = self._parse(variables if file else {}, None)
        after = self._parse(variables, file)
        if before is None or after is None:
            return {}
        values = vars(after)
        return {dest: values[dest] for dest in values if values[dest] != getattr(before, dest, None)}

    def _parse(self, variables: Mapping[str, str], file: Path | None) -> Namespace | None:
        self._parser._default_config_files = [str(file)] if file else []  # noqa: SLF001 - as Locust does
        try:
            options: Namespace = self._parser.parse_known_args([], env_vars=dict(variables))[0]
        except (Exception, SystemExit):  # noqa: BLE001 - types and actions of the locustfile may do anything
            return None
        return options


def _own_parser() -> argument_parser.LocustArgumentParser:
    parser = argument_parser.get_empty_argument_parser(default_config_files=())
    argument_parser.setup_parser_arguments(parser)
    return parser


def _actions_of(parser: argument_parser.LocustArgumentParser) -> list[Any]:
    return list(parser._actions)  # noqa: SLF001 - there is no other list of options


def _show(path: Path) -> str:
    return f"~/{path.name}" if path.parent == Path.home() else os.path.relpath(path)
