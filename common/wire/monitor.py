"""Monitor: what becomes of a client's attempts to connect to another machine."""

from typing import Any, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

State = Literal["nobody", "stranger", "refused", "open"]

_STATES: dict[int, State] = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "stranger",  # hung up: it cannot decrypt what we say
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "stranger",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "open",
}


class Monitor:
    """Made before the socket connects, closed before it. nobody: no answer. stranger: no server of that key.
    refused: the server does not allow our key, and ZeroMQ does not try again. open: it went well."""

    def __init__(self, socket: Any) -> None:
        self._watched = socket
        self.socket = socket.get_monitor_socket(sum(_STATES))
        """To poll."""
        self._state: State = "nobody"

    def state(self) -> State:
        """As of the last attempt."""
        while self.socket.poll(0):
            self._state = _STATES[int(recv_monitor_message(self.socket)["event"])]
        return self._state

    def close(self) -> None:
        self._watched.disable_monitor()
        self.socket.close(0)
