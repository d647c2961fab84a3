"""Paths that lead into head's checkout, led into base's: or base would be compared with head's own code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_gate.errors import OutsideError, UsageError
from ci_gate.run.git import ask_git

# Where interpreters and loaders look for code: each is a list of folders and files.
_CODE_LISTS: Final = frozenset(
    {"PYTHONPATH", "NODE_PATH", "RUBYLIB", "PERL5LIB", "CLASSPATH", "LD_LIBRARY_PATH", "LUA_PATH", "GOPATH"}
)
_SHARED_FOLDERS: Final = frozenset({"node_modules"})
_ENVIRONMENT_SIGNS: Final = ("pyvenv.cfg", "conda-meta")
_OPTION: Final = re.compile(r"([\w.-]+=)(/.*)", re.DOTALL)
_SEPARATOR: Final = r"[\s'\":;,=(){}<>|&]"
_REMEDY: Final = (
    "to fix it: name it relative to the folder of thresholds.yaml, or commit it; what both sides are to"
    " share belongs outside of the repository, and what is built belongs into a Dockerfile"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMap:
    """``head`` and ``base`` are the tops of both checkouts; the folders are where services start in them.

    A virtual environment and node_modules inside of head's checkout serve both sides.
    """

    head: Path
    base: Path
    head_folder: Path
    base_folder: Path

    def see_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Ours, as base may see it. Raises UsageError for what leads to head's code and cannot be led on.

        An untracked file that no list of code names, such as a log, stays where it is.
        """
        return {
            name: self._map_list(value, name, strict=name in _CODE_LISTS)
            if name in _CODE_LISTS or _is_list_of_paths(value)
            else self._refuse_inside(value, name, bare=False)
            for name, value in environ.items()
        }

    def see_installed(self, folders: Iterable[Path]) -> tuple[str, ...]:
        """Base's own of these folders, for those that are code of head's checkout."""
        seen = ((folder, self._map(folder, "an editable install", strict=False)) for folder in folders)
        return tuple(str(own) for folder, own in seen if own != folder)

    def see_value(self, value: str, where: str) -> str:
        """A value that thresholds.yaml says, as base may see it. Raises UsageError."""
        if _is_list_of_paths(value):
            return self._map_list(value, where, strict=True)
        if option := _OPTION.fullmatch(value):
            return option[1] + self.see_value(option[2], where)
        return self._refuse_inside(value, where, bare=True)

    def see_command(self, command: str, where: str, path: str) -> str:
        """A command as base may run it, found along ``path`` as base sees it. Raises UsageError."""
        try:
            words = shlex.split(command)
        except ValueError:
            return command  # reported where it is started
        mapped = [self.see_value(word, where) for word in words]
        if mapped and "/" not in mapped[0] and (found := shutil.which(mapped[0], path=path)):
            self._map(Path(found), f"{where} ({mapped[0]})", strict=True)
        return command if mapped == words else shlex.join(mapped)

    def _map_list(self, value: str, where: str, *, strict: bool) -> str:
        return os.pathsep.join(
            self._map_entry(entry, where, strict=strict) for entry in value.split(os.pathsep)
        )

    def _map_entry(self, entry: str, where: str, *, strict: bool) -> str:
        if not entry or entry.startswith("/"):
            return str(self._map(Path(entry), where, strict=strict)) if entry else entry
        meant = self.head_folder / entry
        if self._below_head(meant) is None:  # beside the repository: the same for both
            return str(meant) if strict and ".." in Path(entry).parts else entry
        self._check_leads_not_back(self.base_folder / entry, where)
        return entry

    def _map(self, path: Path, where: str, *, strict: bool) -> Path:
        inside = self._below_head(path)
        if inside is None:
            return path
        target = self.base / inside
        if self._is_shared(inside) and not os.path.lexists(target):
            return path
        if os.path.lexists(target) or self._is_heads_own(inside) or (strict and not path.exists()):
            self._check_leads_not_back(target, where)
            return target
        if strict:
            raise _refusal(f"{where} names {path}, which git does not track")
        return path

    def _below_head(self, path: Path) -> Path | None:
        """The path below the top of head's checkout, however it is written; None where it is not there."""
        if ".." not in path.parts:
            for ancestor in (path, *path.parents):
                if _is_same(ancestor, self.head):
                    return path.relative_to(ancestor)
        real = Path(os.path.realpath(path))
        return real.relative_to(self.head) if real.is_relative_to(self.head) else None

    def _is_shared(self, inside: Path) -> bool:
        if _SHARED_FOLDERS & {*inside.parts}:
            return True
        folders = (self.head / each for each in (inside, *inside.parents) if each != Path())
        return any((folder / sign).exists() for folder in folders for sign in _ENVIRONMENT_SIGNS)

    def _is_heads_own(self, inside: Path) -> bool:
        """Whether git tracks it in head, or would if it were added."""
        listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--directory")
        try:
            return bool(ask_git(self.head, "--literal-pathspecs", *listing, "--", str(inside)))
        except OutsideError:
            return True  # inside of a submodule: head's own, and base's checkout has its own or lacks it

    def _check_leads_not_back(self, path: Path, where: str) -> None:
        real = Path(os.path.realpath(path))
        if real.is_relative_to(self.head) and not self._is_shared(real.relative_to(self.head)):
            raise _refusal(f"{where}: {path} is a link that leads back into head's checkout")

    def _refuse_inside(self, text: str, where: str, *, bare: bool) -> str:
        """``text``, unless it names head's code in the midst of other words; ``bare``: or its top alone."""
        # Behind a separator, an option's letters or a URL's slashes; /x/repo is another folder than /repo.
        # Any other path may be a link to it; the folder's own may have separators in its name.
        before = rf"(?:^|{_SEPARATOR})(?:(?!{_SEPARATOR})[^/])*/{{0,2}}"
        rest = rf"/(?:(?!{_SEPARATOR}).)*"
        for found in re.finditer(rf"{before}({re.escape(str(self.head))}(?:{rest})?(?![\w.-])|{rest})", text):
            named = found[1]
            inside = self._below_head(Path(named))
            if inside is None or (inside == Path() and not bare):
                continue
            if os.path.lexists(self.base / inside) or self._is_heads_own(inside):
                raise _refusal(f"{where} names {named} inside of a text")
        return text


def _is_list_of_paths(value: str) -> bool:
    entries = [entry for entry in value.split(os.pathsep) if entry]
    return bool(entries) and all(entry.startswith("/") and not entry.startswith("//") for entry in entries)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _refusal(what: str) -> UsageError:
    return UsageError(f"base would be compared with head's own code: {what}; {_REMEDY}")
