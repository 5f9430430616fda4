"""Monitor: how a client's attempts to connect to another machine end."""

from typing import Any, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

State = Literal["nobody", "stranger", "refused", "open"]

_STATES: dict[int, State] = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "stranger",  # the server hung up, as it cannot decrypt our messages
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "stranger",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "open",
}


class Monitor:
    """Watches one socket. Make the monitor before the socket connects, and close it before the socket.

    nobody: no answer. stranger: the server has another key. refused: the server does not allow our key, and ZeroMQ does
    not try again. open: the connection stands.
    """

    def __init__(self, socket: Any) -> None:
        self._watched = socket
        self.socket = socket.get_monitor_socket(sum(_STATES))
        """To be polled: readable when an attempt has ended."""
        self._state: State = "nobody"

    def state(self) -> State:
        """How the last attempt ended."""
        while self.socket.poll(0):
            self._state = _STATES[int(recv_monitor_message(self.socket)["event"])]
        return self._state

    def close(self) -> None:
        self._watched.disable_monitor()
        self.socket.close(0)
