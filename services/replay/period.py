"""Period: the part of the recordings that is replayed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tickflag.common.errors import TickflagError
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_S, NS_PER_US, S_PER_DAY, US_PER_S
from tickflag.services.feed.recordings import Recording

EVER = (1 << 63) - 1  # ns; no recording has a later time


@dataclass(frozen=True, slots=True)
class Period:
    """From `from_ns` on and before `to_ns`, in UTC nanoseconds. Earlier rows are history; later rows are not played."""

    from_ns: int = 0
    to_ns: int = EVER
    since_ns: int = 0
    """The history begins here: earlier rows are left out."""

    def check(self, recordings: Iterable[Recording]) -> None:
        """Raise TickflagError where the recordings have nothing in the period."""
        if self.from_ns >= self.to_ns:
            raise TickflagError(f"`--from` {utc(self.from_ns)} is not before `--to` {utc(self.to_ns)}")
        starts, ends = _bounds(recordings)
        if ends and self.from_ns > max(ends):
            raise TickflagError(f"`--from` {utc(self.from_ns)} is after the recordings' end, {utc(max(ends))}")
        if starts and self.to_ns <= min(starts):
            raise TickflagError(f"`--to` {utc(self.to_ns)} is not after the recordings' start, {utc(min(starts))}")

    def span(self, recordings: Iterable[Recording]) -> tuple[int, int]:
        """First and last time of the recordings, cut to the period."""
        starts, ends = _bounds(recordings)
        return max(self.from_ns, min(starts, default=0)), min(self.to_ns, max(ends, default=0))


def _bounds(recordings: Iterable[Recording]) -> tuple[list[int], list[int]]:
    """Starts and ends of the recordings that have rows."""
    bounds = [(one.start_ns, one.end_ns) for one in recordings]
    return [start for start, _ in bounds if start is not None], [end for _, end in bounds if end is not None]


def parse_utc(text: str) -> int:
    """UTC nanoseconds of `2024-03-04` or `2024-03-04T14:30:15.5`, which is UTC unless it states an offset.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    ns = ((passed.days * S_PER_DAY + passed.seconds) * US_PER_S + passed.microseconds) * NS_PER_US
    if not 0 <= ns < EVER:
        raise ValueError(f"{text} is out of range")
    return ns


def utc(ns: int) -> str:
    """UTC nanoseconds as date and time, to the millisecond."""
    moment = datetime.fromtimestamp(ns // NS_PER_S, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // NS_PER_MS % MS_PER_S:03d}"
