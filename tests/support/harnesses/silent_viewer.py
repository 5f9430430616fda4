"""A viewer of the dashboard that subscribes and then reads nothing more."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.harnesses.dashboard import Site
from tests.support.processes.waiting import allowed_s


@contextlib.contextmanager
def silent_viewer(site: Site, topic: str, arguments: Mapping[str, Any] | None = None) -> Iterator[socket.socket]:
    """A WebSocket after its handshake and one subscription, with a small buffer of its own."""
    host, _, port = site.host.partition(":")
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.settimeout(allowed_s(60))
        raw.connect((host, int(port)))
        raw.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {site.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert raw.recv(12) == b"HTTP/1.1 101"
        message = {"op": "subscribe", "id": 2, "topic": topic, "arguments": arguments or {}}
        raw.sendall(_masked(json.dumps(message).encode()))
        yield raw


def rest(raw: socket.socket) -> int:
    """How many bytes still come until the end, which may be a reset."""
    count = 0
    with contextlib.suppress(ConnectionResetError):
        while found := len(raw.recv(1 << 20)):
            count += found
    return count


def _masked(text: bytes) -> bytes:
    """A text frame of a client, with a mask of zeros."""
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
