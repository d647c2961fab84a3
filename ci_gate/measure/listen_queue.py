"""The accept queue of the service's own port (Linux): how many connections wait, and who takes them.

Formats: Linux, Documentation/networking/proc_net_tcp.rst. The kernel lists the sockets that listen first, and
for these ``rx_queue`` is the number of connections that nobody has accepted yet (net/ipv4/tcp_ipv4.c).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ci_gate.service.guard.process_group import PROC, read_stat

_LISTENS: Final = "0A"
_FIELDS: Final = 10
_BUFFER_BYTES: Final = 4096
_IPV4_DIGITS: Final = 8
_HERE: Final = frozenset({"127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"})  # noqa: S104 - compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenQueue:
    """``waiting`` connections are not accepted yet; ``accepting`` processes take them, None: not known.

    ``overflows`` counts how often a connection came to any full queue of the network namespace so far, also
    when it tried again; None: not known.
    """

    waiting: int
    accepting: int | None
    overflows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listener:
    address: str
    waiting: int
    inode: str


def read_listen_queue(port: int, pids: Iterable[int]) -> ListenQueue | None:
    """The queue of ``port`` in the network namespace of the first of ``pids``; None where none listens.

    In our own namespace other programs may listen on the same port of another address: only what is reached
    by 127.0.0.1 counts there. Processes are looked at only while a connection waits: that reads what they
    have open.
    """
    pids = tuple(pids)
    first = min(pids, default=None)
    if first is None:
        return None
    is_ours = _name_namespace(first) == _name_namespace("self")
    # The load goes to IPv4. To look through the other table takes as long as all else here.
    for table in ("tcp", "tcp6"):
        listeners = _find_listeners(first, table, port)
        if found := [each for each in listeners if not is_ours or each.address in _HERE]:
            break
    else:
        return None
    waiting = sum(each.waiting for each in found)
    inodes = {each.inode for each in found}
    return ListenQueue(
        waiting=waiting,
        accepting=_count_accepting(pids, inodes) if waiting else None,
        overflows=_read_overflows(first),
    )


def _name_namespace(pid: int | str) -> str:
    """Of the network; empty where it may not be read, as for a container's process by another user."""
    with contextlib.suppress(OSError):
        return str((PROC / str(pid) / "ns" / "net").readlink())
    return ""


def _find_listeners(pid: int, table: str, port: int) -> Iterator[_Listener]:
    path = PROC / str(pid) / "net" / table
    with contextlib.suppress(OSError, ValueError), path.open(buffering=_BUFFER_BYTES) as lines:
        next(lines, None)  # the titles
        for line in lines:
            fields = line.split()
            if len(fields) < _FIELDS or fields[3] != _LISTENS:
                break  # all others are connections: there may be thousands
            address, its_port = fields[1].split(":")
            if int(its_port, 16) == port:
                waiting = int(fields[4].split(":")[1], 16)
                yield _Listener(address=_read_address(address), waiting=waiting, inode=fields[9])


def _read_overflows(pid: int) -> int | None:
    """A line of titles stands before each line of counts (Linux, net/ipv4/proc.c)."""
    with contextlib.suppress(OSError, ValueError):
        lines = (PROC / str(pid) / "net" / "netstat").read_text().splitlines()
        titles, counts = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(counts[titles.index("ListenOverflows")])
    return None


def _read_address(digits: str) -> str:
    """The kernel writes words of 32 bits as numbers, in the order of this machine's bytes."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    family = socket.AF_INET if len(digits) == _IPV4_DIGITS else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def _count_accepting(pids: tuple[int, ...], inodes: set[str]) -> int | None:
    """Those that have the socket open, without those that started others that have it too.

    Such a parent, as of a pre-fork server, only keeps it for its workers. None where none is found, as where
    a container's processes may not be read.
    """
    names = {f"socket:[{inode}]" for inode in inodes}
    holders = {pid for pid in pids if _has_open(pid, names)}
    parents = {stat.parent for pid in holders if (stat := read_stat(pid))}
    return len(holders - parents) or None


def _has_open(pid: int, names: set[str]) -> bool:
    folder = PROC / str(pid) / "fd"
    with contextlib.suppress(OSError):
        for each in os.listdir(folder):  # noqa: PTH208 - a plain list of names is 10 times faster
            with contextlib.suppress(OSError):
                if str((folder / each).readlink()) in names:
                    return True
    return False
