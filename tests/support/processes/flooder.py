"""A client that no service wishes for, as a process of its own: `python -m ... KIND PLACE SOCKET-TYPE`.

It says `there` when it has sent what it can, and stays connected until its input ends.
"""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.support.documents.pages import ROOT
from tests.support.processes.waiting import WITHIN_S, allowed_s

MANY = 1_500
STREAM_BYTES = 64 << 20
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
SEND_S = 2.0
"""For how long a client that sends without end does so."""


def connected(place: str) -> socket.socket:
    """A connection to a path, or to a port of this machine."""
    family, address = (socket.AF_INET, ("127.0.0.1", int(place))) if place.isdigit() else (socket.AF_UNIX, place)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(SEND_S)
    client.connect(address)
    return client


def ready(kind: str) -> bytes:
    """The command with which a peer of that socket type ends its handshake."""
    body = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind.encode()
    return b"\x04" + bytes([len(body)]) + body


def many(place: str, _kind: str) -> Iterator[socket.socket]:
    """Connections that say nothing."""
    until_s = time.monotonic() + SEND_S
    for _ in range(MANY):
        if time.monotonic() < until_s:
            yield connected(place)


def garbage(place: str, _kind: str) -> Iterator[socket.socket]:
    """Bytes that mean nothing, on some connections after each other."""
    import random

    for seed in range(50):
        client = connected(place)
        client.sendall(random.Random(seed).randbytes(10_000))
        yield client


def byte_by_byte(place: str, _kind: str) -> Iterator[socket.socket]:
    """Half of what a peer says first; for HTTP, of a line."""
    client = connected(place)
    for byte in GREETING[:32] if not place.isdigit() else b"GET /metr":
        client.sendall(bytes([byte]))
    yield client


def endless(place: str, kind: str) -> Iterator[socket.socket]:
    """Commands of the protocol, or headers of HTTP, that never end."""
    client = connected(place)
    yield client
    http = kind == "HTTP"
    client.sendall(b"GET /metrics HTTP/1.1\r\n" if http else GREETING)
    part = (b"X-Y: z\r\n" if http else b"\x04\x06\x05HELLO") * 1_000
    for _ in range(STREAM_BYTES // len(part)):
        client.sendall(part)


def huge(place: str, kind: str) -> Iterator[socket.socket]:
    """A frame, or a body, of a terabyte."""
    client = connected(place)
    yield client
    if kind == "HTTP":
        client.sendall(b"GET /metrics HTTP/1.1\r\nContent-Length: 1099511627776\r\n\r\n")
    else:
        client.sendall(GREETING + ready(kind) + b"\x02" + (1 << 40).to_bytes(8, "big"))
    for _ in range(STREAM_BYTES >> 20):
        client.sendall(bytes(1 << 20))


KINDS: tuple[Callable[[str, str], Iterator[socket.socket]], ...] = (many, garbage, byte_by_byte, endless, huge)


class Flooder:
    """The process, from the moment on when it has sent all."""

    def __init__(self, kind: str, place: str, socket_type: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, kind, place, socket_type],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        """Wait until all is sent."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "there\n"

    def close(self) -> None:
        self._process.communicate(timeout=allowed_s(WITHIN_S))


def _flood(kind: str, place: str, socket_type: str) -> None:
    flood = next(one for one in KINDS if one.__name__ == kind)
    kept: list[socket.socket] = []
    with contextlib.suppress(OSError):  # hung up, or nothing is taken any more
        kept.extend(flood(place, socket_type))
    sys.stdout.write("there\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _flood(*sys.argv[1:])
