"""Publisher: swap events on their way out, and the last of each channel again as heartbeat."""

from common.codec import Swap, encode_event
from common.sockets import Socket, try_send


class Publisher:
    """Hints only: a full queue drops them, and nothing waits."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._last: dict[str, bytes] = {}

    def send(self, swap: Swap) -> None:
        frame = encode_event(swap)
        self._last[swap.channel] = frame
        try_send(self._socket, frame)

    def repeat(self) -> None:
        """The last event of every channel, for subscribers that are new or missed it."""
        for frame in self._last.values():
            try_send(self._socket, frame)

    def forget(self) -> None:
        """Another generation began: its events will follow."""
        self._last.clear()
