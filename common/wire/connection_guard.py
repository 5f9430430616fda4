"""ConnectionGuard: keeps clients on this machine from using up the descriptors of a service, in a thread of its own.

A client that connects again and again, and never hangs up, would else end the service for all.
"""

import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import zmq

from tickflag.common.limits import descriptor_limit
from tickflag.common.log import Logger
from tickflag.common.wire.connections import SPARE_DESCRIPTORS, Connections
from tickflag.common.wire.sockets import Context, Socket, reveal

MOST = 4_000
"""Connections at a socket."""
MOST_OF_ONE = 256
"""Of these, of one process. A worker has one for each of its traders."""
LOOK_MS = 100  # where a socket lets nobody in: anything in this process may free a descriptor
QUIET_S = 60.0  # between two lines about one socket


class ConnectionGuard:
    """Watches bound sockets, which stay the caller's, by endpoint. Create it after they are bound, and close it before
    they are closed. It reveals those that are hidden."""

    def __init__(
        self, context: Context, sockets: Mapping[str, Socket], log: Logger, spare: int = SPARE_DESCRIPTORS
    ) -> None:
        self._log = log
        most_of_one = min(MOST_OF_ONE, max(16, descriptor_limit() // 8))
        self._watched: dict[str, Connections] = {}
        for name, bound in sockets.items():
            self._watched[name] = Connections(context, bound, MOST, most_of_one, spare, self._make_room)
            endpoint: Any = bound.last_endpoint
            self._watched[name].bound_at(endpoint.decode())
            reveal(bound, name)  # from now on nobody is let in unseen
        self._told: dict[str, tuple[int, float]] = {}
        self._closing = False
        self._waker, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wake.send(b"\0")
        self._thread.join()
        for connections in self._watched.values():
            connections.close()
        self._wake.close()
        self._waker.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker, zmq.POLLIN)
        for connections in self._watched.values():
            poller.register(connections.socket, zmq.POLLIN)
        while not self._closing:
            poller.poll(LOOK_MS if any(connections.shut for connections in self._watched.values()) else None)
            for name, connections in self._watched.items():
                connections.step()
                self._tell(name, connections)

    def _make_room(self) -> bool:
        """Hang up one connection, at whatever socket a process has most of them."""
        most = max(self._watched.values(), key=lambda connections: connections.most_of_any)
        return not any(connections.ending for connections in self._watched.values()) and most.hang_up_one()

    def _tell(self, name: str, connections: Connections) -> None:
        told, next_s = self._told.get(name, (0, 0.0))
        now_s = time.monotonic()
        if connections.refused > told and now_s >= next_s:
            self._told[name] = connections.refused, now_s + QUIET_S
            self._log.warning(
                "connections hung up",
                socket=name,
                count=connections.refused - told,
                reason=connections.reason,
                do="end what connects so often, or raise the limit of open files (`ulimit -n`, `LimitNOFILE=`)",
            )
