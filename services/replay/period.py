"""Period: the part of the recordings that counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from common.errors import TickflagError
from services.feed.recordings import Recording

EVER = 1 << 62  # ns; no recording reaches so far


@dataclass(frozen=True, slots=True)
class Period:
    """UTC nanoseconds, `from_ns` included, `to_ns` not. Rows before it are history, rows after it are not played."""

    from_ns: int = 0
    to_ns: int = EVER
    since_ns: int = 0
    """Rows before it are no history either: they are left out."""

    def check(self, recordings: Iterable[Recording]) -> None:
        """Raises TickflagError where the recordings have nothing in the period."""
        if self.from_ns >= self.to_ns:
            raise TickflagError(f"`--from` {utc(self.from_ns)} is not before `--to` {utc(self.to_ns)}")
        starts, ends = _bounds(recordings)
        if ends and self.from_ns > max(ends):
            raise TickflagError(f"`--from` {utc(self.from_ns)} is after the recordings' end, {utc(max(ends))}")
        if starts and self.to_ns <= min(starts):
            raise TickflagError(f"`--to` {utc(self.to_ns)} is not after the recordings' start, {utc(min(starts))}")

    def span(self, recordings: Iterable[Recording]) -> tuple[int, int]:
        """First and last time of the recordings in the period."""
        starts, ends = _bounds(recordings)
        return max(self.from_ns, min(starts, default=0)), min(self.to_ns, max(ends, default=0))


def _bounds(recordings: Iterable[Recording]) -> tuple[list[int], list[int]]:
    """Starts and ends of those that have rows."""
    bounds = [(one.start_ns, one.end_ns) for one in recordings]
    return [start for start, _ in bounds if start is not None], [end for _, end in bounds if end is not None]


def parse_utc(text: str) -> int:
    """The UTC nanoseconds of `2024-03-04` or `2024-03-04T14:30:15.5`; another zone's only with its offset.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    ns = ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1_000
    if not 0 <= ns < EVER:
        raise ValueError(f"{text} is out of range")
    return ns


def utc(ns: int) -> str:
    """UTC nanoseconds as people read them, to the millisecond."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1_000:03d}"
