"""What of a command line only a shell would understand. Commands are started without one."""

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
    """The first thing in a command that means nothing without a shell; empty where there is none.

    What is in quotes is not looked at, so that ``sh -c 'cd shop && ./serve'`` is as good as any.
    """
    found = _SURELY.search(_QUOTED.sub("Q", command))
    return next(filter(None, found.groups())) if found else ""


def explain_no_shell(command: str) -> str:
    """For a command that did not work: what in it a shell might have been meant for, and what to write.

    Empty where there is no such thing. A star or a dollar sign may well be meant as it is.
    """
    perhaps = _PERHAPS.search(_QUOTED.sub("Q", command))
    found = find_shell_syntax(command) or (perhaps[0] if perhaps else "")
    return f"there is no shell that would read `{found}`: write {with_shell(command)}" if found else ""


def with_shell(command: str) -> str:
    """The same, run by a shell."""
    return f"sh -c {shlex.quote(command)}"
