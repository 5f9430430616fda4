"""OpenConnections: ends those whose other side takes nothing, or asks for nothing, before they pile up.

The server itself waits for ever for a peer that does not read, with what it has for it in memory.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

STUCK_S = 5.0
"""So long a peer may take nothing of what waits for it."""
SILENT_S = 10.0
"""So long a new connection may be without a request."""
_LOOK_S = 1.0


class OpenConnections:
    """In the loop's thread. `open` is the server's set of connections, which lives as long as the server."""

    def __init__(self, open: Iterable[Any]) -> None:
        self._open = open
        self._seen: dict[Any, tuple[int, float]] = {}
        """Connection -> bytes that wait for its peer, and since when it is so many."""

    async def watch(self) -> None:
        """Look about once a second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look(asyncio.get_running_loop().time())

    def look(self, now_s: float) -> None:
        """End connections that stand still."""
        before, self._seen = self._seen, {}
        for connection in list(self._open):
            transport = getattr(connection, "transport", None)
            if transport is None:
                continue
            waiting = transport.get_write_buffer_size()
            asked = getattr(connection, "cycle", connection) is not None
            same, since_s = before.get(connection, (-1, now_s))
            if waiting != same or (asked and not waiting):
                since_s = now_s
            self._seen[connection] = (waiting, since_s)
            if now_s - since_s >= (STUCK_S if waiting else SILENT_S):
                transport.abort()

    def hang_up(self, client: Any) -> None:
        """End the connection with this peer at once, whatever waits for it."""
        for connection in list(self._open):
            transport = getattr(connection, "transport", None)
            if transport is not None and client and transport.get_extra_info("peername")[:2] == tuple(client[:2]):
                transport.abort()
