"""Finds shell syntax in command lines, which are started without a shell."""

from __future__ import annotations

import re
import shlex

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_SURELY = re.compile(
    r"""
    (?:^|\s) (?P<operator> && | \|\|? | ;+ | & | [0-9]?(?:>>?|<)\S* ) (?=\s|$)
    | \S (?P<end>;) (?=\s|$)
    | ^\s* (?P<first> [A-Za-z_]\w*=\S* | (?:cd|export|source|exec|eval|set|ulimit|umask|\.) ) (?=\s)
    """,
    re.VERBOSE,
)
_PERHAPS = re.compile(r"\$\(|`|\$\{?[A-Za-z_]\w*\}?|(?:^|(?<=[\s=]))~(?=/|\s|$)|[^\s|;&]*[*?|;&][^\s|;&]*")


def find_shell_syntax(command: str) -> str:
    """The first part of a command that only a shell understands, such as ``&&``; empty where there is none.

    What is in quotes is left out, so that ``sh -c 'cd shop && ./serve'`` is allowed.
    """
    found = _SURELY.search(_QUOTED.sub("Q", command))
    return next(filter(None, found.groups())) if found else ""


def explain_no_shell(command: str) -> str:
    """A hint for a command that failed: the part that may need a shell, and what to write instead.

    Empty where there is no such part. A star or a dollar sign counts too, though it may be meant as it is.
    """
    perhaps = _PERHAPS.search(_QUOTED.sub("Q", command))
    found = find_shell_syntax(command) or (perhaps[0] if perhaps else "")
    return f"there is no shell that would read `{found}`: write {with_shell(command)}" if found else ""


def with_shell(command: str) -> str:
    """The command line that runs ``command`` in a shell: ``sh -c '...'``."""
    return f"sh -c {shlex.quote(command)}"
