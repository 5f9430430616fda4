"""Clients: the open connections of the metrics server, which must not get too many or too old."""

import contextlib
import socket
import threading
import time

from tickflag.common.limits import descriptor_share

CLIENTS = 32
LIFE_S = 10.0  # for request, page and answer together: a client that sends a byte now and then is no reason to wait


class Clients:
    """Any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the field that follows
        self._began: dict[socket.socket, float] = {}
        """Connection -> when it began, oldest first. Those that were hung up are not among them."""
        self._most = descriptor_share(4, 4, CLIENTS)

    def add(self, client: socket.socket) -> None:
        """Note a new connection, and hang up the oldest one where there are too many."""
        with self._changed:
            self._began[client] = time.monotonic()
            if len(self._began) > self._most:
                self._hang_up(next(iter(self._began)))

    def remove(self, client: socket.socket) -> None:
        """Forget a connection. Call it before the connection is closed."""
        with self._changed:
            self._began.pop(client, None)
            self._changed.notify_all()

    def hang_up_old(self) -> float | None:
        """Hang up connections that took too long; gives the seconds until the next may be due, None without any."""
        with self._changed:
            while self._began:
                oldest, began = next(iter(self._began.items()))
                left_s = began + LIFE_S - time.monotonic()
                if left_s > 0:
                    return left_s
                self._hang_up(oldest)
        return None

    def wait_gone(self, timeout_s: float) -> None:
        """Wait until there is none, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._began, timeout_s)

    def _hang_up(self, client: socket.socket) -> None:
        del self._began[client]
        with contextlib.suppress(OSError):  # it went by itself
            client.shutdown(socket.SHUT_RDWR)
