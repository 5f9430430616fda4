"""Source: the interface between the feed and a venue connection, a recording or a generator."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.wire.arguments import Arguments
from tickflag.services.feed.market.updates import Batch

_EVER_NS = 1 << 62  # later than any event


@dataclass(frozen=True, slots=True)
class Venue:
    """What the feed gives a source at its opening."""

    slot: Callable[[str], int]
    """Gives a symbol its slot, a new one where needed; -1 where there is no room. A slot stays for the life of the
    feed."""
    intervals_s: tuple[int, ...]
    """The candle intervals that the feed keeps."""
    monotonic_ns: int
    wall_ns: int
    log: Logger
    next_watermark_ns: Callable[[int], int] = lambda _event_ns: _EVER_NS
    """Gives the first event time after a given one at which a candle can be due to close."""


class Source(ABC):
    """The feed drives it in one thread: `open`, then `drain` whenever something may have come, then `close`.

    A source with a connection runs it in a thread of its own, or lets the feed wait for its descriptors.
    """

    @abstractmethod
    def open(self, venue: Venue) -> Sequence[Batch]:
        """Connect. Gives batches of the market's past, which the feed applies before anyone sees the market."""

    @abstractmethod
    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        """What has come since the last call, without waiting."""

    @abstractmethod
    def next_ns(self) -> int | None:
        """Monotonic time at which `drain` will have something. None where only a descriptor tells, or nothing comes."""

    def descriptors(self) -> Sequence[int]:
        """File descriptors that become readable when something has come."""
        return ()

    def event_ns(self, monotonic_ns: int, wall_ns: int) -> int:
        """The event time now, which closes candles: UTC, or a recording's own time."""
        return wall_ns

    def covered_ns(self, wall_ns: int) -> int:
        """The event time from which on the source brings all that happens: now, or a recording's beginning. Asked once,
        at the start. Candles that began before are incomplete, except those that the source brings whole."""
        return wall_ns

    def command(self, name: str, arguments: Arguments) -> Any:
        """Carry out a command that the source has of its own. Raises TickflagError for one it does not know."""
        raise TickflagError(f"this source knows no command {name!r}")

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Release what `open` took."""
