"""Connections: those at one port, never more than a limit, and never so many that this process runs out of descriptors.

ZeroMQ itself has no limit. At a local socket it even ends the process where no descriptor is left for a client.
"""

import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from tickflag.common.limits import descriptor_limit, keeps_descriptors
from tickflag.common.wire.accept_gate import AcceptGate, borrowed, find_gate, place_of
from tickflag.common.wire.socket_owner import peer_process
from tickflag.common.wire.sockets import Context, Socket

PER_STEP = 1_000
SHARES = 8  # whoever has no more than this part of `most_of_one` is not hung up for others
SPARE_DESCRIPTORS = 24  # left for what the process does besides, and for one client at each of its ports
SPARE_OF_STRANGERS = SPARE_DESCRIPTORS + 16  # left by who comes over the network: local clients still get in then
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_ACCEPT_FAILED | zmq.EVENT_DISCONNECTED


class Connections:
    """Follows what a bound socket accepts, and hangs up each connection beyond `most`, or beyond `most_of_one` of one
    local process. Where fewer than `spare` descriptors are left it lets nobody in; one connection of whoever has most
    of them is then hung up for each client that waits.

    Make this before the socket is bound, and close it before the socket. One thread.
    """

    def __init__(
        self,
        context: Context,
        watched: Any,
        most: int,
        most_of_one: int | None = None,
        spare: int = SPARE_DESCRIPTORS,
        make_room: Callable[[], bool] | None = None,
    ) -> None:
        """`make_room` hangs up a connection somewhere where someone waits and no descriptor is left; False where there
        is none to spare."""
        self._watched, self._most, self._most_of_one, self._spare = watched, most, most_of_one, spare
        self._open: dict[int, int] = {}
        """Descriptor -> process of the peer, 0 where unknown; of those that are being hung up too, oldest first."""
        self._ending: set[int] = set()
        """Those of them that were hung up."""
        self._of_process: Counter[int] = Counter()
        self._bound_at: object = None
        self._gate: AcceptGate | None = None
        self.refused = 0
        """How many connections were hung up, or made to wait, because there were too many."""
        self.reason = ""
        """Why the last one was."""
        address = f"inproc://connections-{id(self)}"
        watched.monitor(address, _EVENTS)
        self.socket: Socket = context.socket(zmq.PAIR)
        """To be polled: readable when a connection came or went."""
        self.socket.linger = 0
        self.socket.rcvhwm = 0  # else ZeroMQ's own thread waits for us while a flood fills the queue
        self.socket.connect(address)
        self._make_room = make_room or self.hang_up_one
        self._someone_waits = False

    def bound_at(self, endpoint: str) -> None:
        """Say where the socket is bound now. From then on clients are let in by `step` only, where that is possible."""
        kind, _, place = endpoint.partition("://")
        self._bound_at = str(Path(place)) if kind == "ipc" else int(place.rpartition(":")[2])
        self._gate = find_gate(self._bound_at)
        self._let_in()

    @property
    def shut(self) -> bool:
        """Whether nobody is let in before the next `step`, though nothing may be readable until then."""
        return self._gate is not None and not self._gate.is_open

    def step(self) -> int:
        """Hang up what came beyond the limits, and let in the next; gives how many connections came or went. Never
        waits."""
        count = self._take_events()
        self._let_in()
        return count

    @property
    def ending(self) -> bool:
        """Whether connections were hung up that ZeroMQ has not closed yet."""
        return bool(self._ending)

    @property
    def most_of_any(self) -> int:
        """How many connections that process has which has most."""
        return max(self._of_process.values(), default=0)

    def hang_up_one(self) -> bool:
        """Hang up the newest connection of the process that has most. False where another one is ending already, or
        where even that process has no more than its share."""
        count = self.most_of_any
        if self.ending or not count or (self._most_of_one is not None and count <= self._most_of_one // SHARES):
            return False
        self._hang_up(next(one for one, of in reversed(self._open.items()) if self._of_process[of] == count))
        return True

    def hang_up(self) -> None:
        """End all connections; clients can connect again."""
        while self._take_events():
            pass
        for descriptor in self._open:
            self._hang_up(descriptor)

    def close(self) -> None:
        """Let nobody in any more, and follow no longer."""
        if self._gate is not None:
            self._gate.close()
            self._gate = None
        self._watched.disable_monitor()
        self.socket.close()

    def _take_events(self) -> int:
        for count in range(PER_STEP):
            try:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return count
            if event["event"] != zmq.EVENT_DISCONNECTED and self._gate is not None:
                self._gate.shut()
            if event["event"] != zmq.EVENT_ACCEPT_FAILED:  # its value is the reason
                descriptor = int(event["value"])
                self._forget(descriptor)
                if event["event"] == zmq.EVENT_ACCEPTED:
                    self._accepted(descriptor)
        return PER_STEP

    def _forget(self, descriptor: int) -> None:
        """The connection is gone, or its number belongs to another one."""
        if descriptor in self._open:
            self._of_process[self._open.pop(descriptor)] -= 1
        self._ending.discard(descriptor)

    def _let_in(self) -> None:
        """Let in the next client where there is room; else hang up one connection for it, if there is one to spare."""
        gate = self._gate
        if gate is None or gate.is_open:
            return
        if keeps_descriptors(self._spare):
            gate.open()
            self._someone_waits = False
            return
        waited, self._someone_waits = self._someone_waits, gate.someone_waits()
        if self._someone_waits and (self._make_room() or not waited):
            self.refused += 1
            self.reason = f"the limit of {descriptor_limit():,} open files is nearly reached"

    def _accepted(self, descriptor: int) -> None:
        process = 0
        if self._most_of_one is not None:
            with contextlib.suppress(OSError), borrowed(descriptor) as connection:
                process = peer_process(connection)
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
        if self._gate is None and descriptor >= limit - self._spare:
            return f"the limit of {limit:,} open files is nearly reached"
        return ""

    def _hang_up(self, descriptor: int) -> None:
        """Shut the connection down. ZeroMQ, whose descriptor it is, then sees its end and closes it.

        ZeroMQ may have closed it by now, and something else may have its number. So look first: at worst another
        connection of this port ends, and its client connects again.
        """
        with contextlib.suppress(OSError), borrowed(descriptor) as connection:
            if place_of(connection) == self._bound_at:
                connection.shutdown(socket.SHUT_RDWR)
                self._ending.add(descriptor)
