"""A small HTTP service that misbehaves as asked. Standard library only: it also runs in containers."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import time

CHUNK = b"x" * 65536


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--status", default="200 OK")
    parser.add_argument("--say", default="")
    parser.add_argument("--body-bytes", type=int, default=2)
    parser.add_argument("--answer", choices=("http", "close", "drip", "nonsense", "silence"), default="http")
    parser.add_argument("--wait", type=float, default=0, help="seconds before it listens")
    parser.add_argument("--fork", type=int, default=0, help="children in the same group")
    parser.add_argument("--detach", action="store_true", help="a grandchild in a session of its own")
    parser.add_argument("--hide", default="", help="a grandchild of this name, without session, environment")
    parser.add_argument("--chatter-mib", type=int, default=0, help="printed before it listens")
    parser.add_argument("--last-words-mib", type=int, default=0, help="printed on SIGTERM")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--allocate-mib", type=int, default=0)
    parser.add_argument("--exit", type=int, help="exit status, instead of serving")
    return parser.parse_args()


def main() -> None:
    asked = parse_arguments()
    if asked.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if asked.last_words_mib:
        signal.signal(signal.SIGTERM, lambda *_: speak_last(asked.last_words_mib))
    fork(asked)
    if asked.say:
        say(asked.say)
    chatter(asked.chatter_mib)
    hoard = [bytearray(os.urandom(1 << 20)) for _ in range(asked.allocate_mib)]
    time.sleep(asked.wait)
    if asked.exit is not None:
        sys.exit(asked.exit)
    with socket.create_server((asked.host, asked.port)) as server:
        say(f"listening, {len(hoard)} MiB")
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                answer(connection, asked)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fork(asked: argparse.Namespace) -> None:
    for _ in range(asked.fork):
        if os.fork() == 0:
            signal.pause()
    if asked.detach and os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.pause()
    if asked.hide and os.fork() == 0:
        hide(asked.hide)


def hide(name: str) -> None:
    os.setsid()
    if os.fork():
        os._exit(0)
    code = "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"
    os.execve(sys.executable, [sys.executable, "-c", code, f"hidden-{name}"], {})


def chatter(mib: int) -> None:
    for number in range(mib * 1024):
        sys.stdout.write(f"{number:08}".ljust(1023) + "\n")


def speak_last(mib: int) -> None:
    for _ in range(mib * 1024):
        sys.stdout.write("x" * 1023 + "\n")
    say("the end")
    os._exit(0)


def answer(connection: socket.socket, asked: argparse.Namespace) -> None:
    if asked.answer == "close":
        return
    connection.recv(65536)
    if asked.answer == "silence":
        time.sleep(60)
    if asked.answer == "nonsense":
        connection.sendall(b"\x00\x01 what?\r\n\r\n")
        return
    head = (
        f"HTTP/1.1 {asked.status}\r\nContent-Length: {asked.body_bytes}\r\nConnection: close\r\n\r\n".encode()
    )
    if asked.answer == "drip":
        for byte in head:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    connection.sendall(head)
    left = asked.body_bytes
    while left > 0:
        left -= connection.send(CHUNK[:left])
    say(f"sent all {asked.body_bytes} bytes")


if __name__ == "__main__":
    main()
