"""SwapPublisher: sends swap events, and repeats the last of each channel as heartbeat."""

from tickflag.common.wire.codec import Swap, encode_event
from tickflag.common.wire.sockets import Socket, try_send


class SwapPublisher:
    """Never blocks: events are hints, which a full queue drops."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._last: dict[str, bytes] = {}

    def send(self, swap: Swap) -> None:
        frame = encode_event(swap)
        self._last[swap.channel] = frame
        try_send(self._socket, frame)

    def repeat(self) -> None:
        """Send the last event of every channel again, for subscribers that are new or missed it."""
        for frame in self._last.values():
            try_send(self._socket, frame)

    def forget(self) -> None:
        """Repeat none of the events sent so far, as another generation began."""
        self._last.clear()
