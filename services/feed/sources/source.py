"""Source: the small interface between a venue connection, a recording or a generator and the feed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import TickflagError
from common.log import Logger
from services.feed.updates import Batch


@dataclass(frozen=True, slots=True)
class Venue:
    """What the feed gives a source when it opens it."""

    slot: Callable[[str], int]
    """Slot of a symbol, a new one where needed; -1 where there is no room. Slots stay for the life of the feed."""
    intervals_s: tuple[int, ...]
    """Candle intervals the feed keeps."""
    monotonic_ns: int
    wall_ns: int
    log: Logger


class Source(ABC):
    """Driven by the feed in one thread: `open`, then `drain` whenever something may have come, then `close`.

    A source with a connection of its own runs it in a thread or lets the feed poll its descriptors.
    """

    native_s: frozenset[int] = frozenset()
    """Intervals (s) whose candles the source brings itself; the feed builds the others from trades."""

    @abstractmethod
    def open(self, venue: Venue) -> Sequence[Batch]:
        """Connect. The batches given are the market's past, applied before anyone sees it."""

    @abstractmethod
    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        """What has come since the last call, without waiting."""

    @abstractmethod
    def next_ns(self) -> int | None:
        """Monotonic time at which `drain` will have something; None: only a descriptor tells, or nothing comes."""

    def descriptors(self) -> Sequence[int]:
        """File descriptors that become readable when something has come."""
        return ()

    def event_ns(self, monotonic_ns: int, wall_ns: int) -> int:
        """The event time that closes candles: UTC, or a recording's own time."""
        return wall_ns

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Carry out an operator's command of the source's own. Raises TickflagError for one it does not know."""
        raise TickflagError(f"this source knows no command {name!r}")

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Release what `open` took."""
