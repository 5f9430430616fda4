"""Slots: what waits to be sent to one viewer. Newer replaces older, so a slow viewer costs one frame a subscription."""

import asyncio
import contextlib
import threading
from typing import Literal

from tickflag.services.dashboard.hub.answer import Answer, dumps

Slot = tuple[Literal["data", "error", "done", "hello"], int]


class Slots:
    """The hub's view of a WebSocket. `put` and `refuse` may be called from any thread; all else in the loop's thread.

    Memory: one answer for each id in `subscribed`, and one short text for each message of the viewer that was not
    answered yet; who reads these messages bounds both.
    """

    def __init__(self, trusted: bool) -> None:
        self._trusted = trusted
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._lock = threading.Lock()  # guards the fields that follow
        self._waiting: dict[Slot, Answer | str] = {}
        self._subscribed: set[int] = set()
        self._closed = False

    @property
    def trusted(self) -> bool:
        return self._trusted

    @property
    def subscribed(self) -> frozenset[int]:
        """The ids of the subscriptions."""
        with self._lock:
            return frozenset(self._subscribed)

    def put(self, identity: int, answer: Answer) -> None:
        """Give the newest answer of a subscription; nothing happens where that has ended."""
        self._fill(("data", identity), answer, of=identity)

    def refuse(self, identity: int, error: str) -> None:
        """Say why a subscription or command has no answer."""
        self._fill(("error", identity), dumps({"op": "error", "id": identity, "error": error}))

    def say(self, slot: Slot, text: str) -> None:
        """Send a text frame; one of the same slot that was not sent yet is dropped."""
        self._fill(slot, text)

    def begin(self, identity: int) -> None:
        """Take answers of this id from now on, and drop those that came for what had the id before."""
        with self._lock:
            self._subscribed.add(identity)
            self._waiting.pop(("data", identity), None)
            self._waiting.pop(("error", identity), None)

    def end(self, identity: int) -> None:
        """Take no more answers of this id."""
        with self._lock:
            self._subscribed.discard(identity)
            self._waiting.pop(("data", identity), None)
            self._waiting.pop(("error", identity), None)

    @property
    def waiting(self) -> int:
        """How many frames wait."""
        with self._lock:
            return len(self._waiting)

    async def next(self) -> str | bytes:
        """The frame that waits longest, once there is one."""
        while True:
            with self._lock:
                if self._waiting:
                    slot = next(iter(self._waiting))
                    found = self._waiting.pop(slot)
                    break
                self._filled.clear()
            await self._filled.wait()
        return found if isinstance(found, str) else found.frame(slot[1])

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._subscribed.clear()

    def _fill(self, slot: Slot, content: Answer | str, of: int | None = None) -> None:
        """Put the content into the slot; where it is of a subscription, only while that goes on."""
        with self._lock:
            if self._closed or (of is not None and of not in self._subscribed):
                return
            wake = not self._waiting
            self._waiting[slot] = content
        if wake:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._filled.set)
