"""AcceptGate: ZeroMQ accepts a connection at a bound socket only when this process lets it.

ZeroMQ ends the process where it accepts at a local socket and no descriptor is free, and its thread accepts faster than
any other thread could look on. So its listening descriptor gives one event at a time (EPOLLONESHOT) in ZeroMQ's own
epoll: each accept closes the gate, and `open` lets in one more. Who waits, waits in the system's queue.

It stands on three things that ZeroMQ does: one accept an event, an epoll for each of its threads, and a listener that
stays registered until its socket is closed. Where one of them is not so, as on other systems, `find_gate` gives None.
"""

import contextlib
import ctypes
import os
import platform
import re
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path("/proc/self")
_ENTRY = re.compile(r"tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)")
_ONE = 1 << 30  # EPOLLONESHOT
_IN = 1  # EPOLLIN
_MODIFY = 3  # EPOLL_CTL_MOD
_EVENT = struct.Struct("=IQ" if platform.machine() == "x86_64" else "@IQ")  # events and data, as the kernel has them
REGISTERED_S = 1.0  # that ZeroMQ's thread may take after a bind


class AcceptGate:
    """The gate of one listener. Use it before the socket is unbound or closed, and not after. One thread."""

    def __init__(self, poller: int, listener: int, data: int) -> None:
        self._poller, self._listener, self._data = poller, listener, data
        self._control = ctypes.CDLL(None, use_errno=True).epoll_ctl
        self._queue = select.poll()
        self._queue.register(listener, select.POLLIN)
        self.is_open = False
        self.close()

    def open(self) -> None:
        """Let ZeroMQ accept one connection, now or when one comes. Whoever learns of it says so by `shut`."""
        self.is_open = True
        self._set(_IN | _ONE)

    def shut(self) -> None:
        """Note that a connection was accepted, which closed the gate."""
        self.is_open = False

    def close(self) -> None:
        """Let ZeroMQ accept none; at most one that it is about to accept."""
        self.is_open = False
        self._set(_ONE)

    def someone_waits(self) -> bool:
        """Whether a client is in the queue."""
        return bool(self._queue.poll(0))

    def _set(self, events: int) -> None:
        event = _EVENT.pack(events, self._data)
        self._control(self._poller, _MODIFY, self._listener, event)  # fails where the listener is gone: no harm


def find_gate(place: object) -> AcceptGate | None:
    """The closed gate of what listens at `place` in this process; None where there is none."""
    listener = next((one for one in _descriptors() if _listens(one, place)), None)
    until_s = time.monotonic() + REGISTERED_S
    while listener is not None and time.monotonic() < until_s:
        for poller in _descriptors():
            for number, events, data in _entries(poller):
                if number == listener and events & (_IN | _ONE):  # before, ZeroMQ would set the events once more
                    return AcceptGate(poller, listener, data)
        select.poll().poll(1)  # `sleep` fails where the clock is faked
    return None


@contextlib.contextmanager
def borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The connection with a descriptor that stays ZeroMQ's. Raises OSError where there is none."""
    connection = socket.socket(fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()


def place_of(connection: socket.socket) -> object:
    """Path or port of our end."""
    address: Any = connection.getsockname()
    return address[1] if connection.family in (socket.AF_INET, socket.AF_INET6) else address


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_FOLDER / "fdinfo")]
    except OSError:
        return []


def _listens(descriptor: int, place: object) -> bool:
    with contextlib.suppress(OSError), borrowed(descriptor) as one:
        return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and place_of(one) == place
    return False


def _entries(poller: int) -> list[tuple[int, int, int]]:
    """(descriptor, events, data) of all that the epoll looks at; none where the descriptor is no epoll."""
    try:
        text = (_FOLDER / "fdinfo" / str(poller)).read_text()
    except OSError:
        return []
    return [(int(number), int(events, 16), int(data, 16)) for number, events, data in _ENTRY.findall(text)]
