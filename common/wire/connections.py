"""Connections: those at one port, never more than a limit, and never so many that this process runs out of descriptors.

ZeroMQ itself has no limit. At a local socket it even ends the process where no descriptor is left for a client.
"""

import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from tickflag.common.limits import descriptor_limit
from tickflag.common.wire.sockets import Context, Socket

PER_STEP = 1_000
SPARE_DESCRIPTORS = 24  # left for what the process does besides, and for clients that come before we see them
_PEERCRED = getattr(socket, "SO_PEERCRED", 17)  # of Linux
_PEER = struct.Struct("iII")  # process, user, group


class Connections:
    """Follows what a bound socket accepts, and hangs up each connection beyond `most`, beyond `most_of_one` of one
    local process, or beyond what leaves `spare` descriptors.

    Make this before the socket is bound, and close it before the socket. One thread.
    """

    def __init__(
        self,
        context: Context,
        watched: Any,
        most: int,
        most_of_one: int | None = None,
        spare: int = SPARE_DESCRIPTORS,
    ) -> None:
        self._watched, self._most, self._most_of_one, self._spare = watched, most, most_of_one, spare
        self._open: dict[int, int] = {}
        """Descriptor -> process of the peer, 0 where unknown; of those that are being hung up too."""
        self._of_process: Counter[int] = Counter()
        self._bound_at: object = None
        self.refused = 0
        """How many connections were hung up because there were too many."""
        self.reason = ""
        """Why the last one was."""
        address = f"inproc://connections-{id(self)}"
        watched.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.socket: Socket = context.socket(zmq.PAIR)
        """To be polled: readable when a connection came or went."""
        self.socket.linger = 0
        self.socket.rcvhwm = 0  # else ZeroMQ's own thread waits for us while a flood fills the queue
        self.socket.connect(address)

    def bound_at(self, endpoint: str) -> None:
        """Say where the socket is bound now."""
        kind, _, place = endpoint.partition("://")
        self._bound_at = str(Path(place)) if kind == "ipc" else int(place.rpartition(":")[2])

    def step(self) -> int:
        """Hang up what came beyond the limits; gives how many connections came or went. Never waits."""
        for count in range(PER_STEP):
            try:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return count
            descriptor = int(event["value"])
            self._of_process[self._open.pop(descriptor, 0)] -= 1
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._accepted(descriptor)
        return PER_STEP

    def hang_up(self) -> None:
        """End all connections; clients can connect again."""
        while self.step():
            pass
        for descriptor in self._open:
            self._hang_up(descriptor)

    def close(self) -> None:
        self._watched.disable_monitor()
        self.socket.close()

    def _accepted(self, descriptor: int) -> None:
        process = 0
        if self._most_of_one is not None:
            with contextlib.suppress(OSError), _borrowed(descriptor) as connection:
                process = _process(connection)
        self._open[descriptor] = process
        self._of_process[process] += 1
        reason = self._too_many(descriptor, process)
        if reason:
            self.refused += 1
            self.reason = reason
            self._hang_up(descriptor)

    def _too_many(self, descriptor: int, process: int) -> str:
        """Why there are too many connections with this one; empty where there are not."""
        if len(self._open) > self._most:
            return f"more than {self._most:,} at a time"
        if process and self._most_of_one is not None and self._of_process[process] > self._most_of_one:
            return f"more than {self._most_of_one:,} of the process {process}"
        limit = descriptor_limit()
        if descriptor >= limit - self._spare:  # a new descriptor has the lowest number that is free
            return f"the limit of {limit:,} open files is nearly reached"
        return ""

    def _hang_up(self, descriptor: int) -> None:
        """Shut the connection down. ZeroMQ, whose descriptor it is, then sees its end and closes it.

        ZeroMQ may have closed it by now, and something else may have its number. So look first: at worst another
        connection of this port ends, and its client connects again.
        """
        with contextlib.suppress(OSError), _borrowed(descriptor) as connection:
            address = connection.getsockname()
            place = address[1] if connection.family in (socket.AF_INET, socket.AF_INET6) else address
            if place == self._bound_at:
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The connection with a descriptor that stays ZeroMQ's. Raises OSError where there is none."""
    connection = socket.socket(fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()


def _process(connection: socket.socket) -> int:
    """The process at the other end. Raises OSError where the system does not tell."""
    process: int = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, _PEERCRED, _PEER.size))[0]
    return process
