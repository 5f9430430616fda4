"""NoticeQueue: the notices that wait for the next write to the journal, which numbers them."""

from typing import NamedTuple

from tickflag.common.clock import Clock
from tickflag.common.units import NS_PER_MS

TEXT_LIMIT = 4_096  # as in the message


class UnnumberedNotice(NamedTuple):
    """A notice before the journal has numbered it."""

    time_ms: int
    trader: str
    what: str
    before: str
    after: str
    reason: str = ""


class NoticeQueue:
    """Takes notices from every part of the collector. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notices: list[UnnumberedNotice] = []

    def add(self, what: str, before: str, after: str, reason: str, trader: str = "") -> None:
        """Queue a notice with the present time; long texts are cut. Without `trader` the notice is about no trader."""
        before, after, reason = (text[:TEXT_LIMIT] for text in (before, after, reason))
        time_ms = self._clock.wall_ns() // NS_PER_MS
        self._notices.append(UnnumberedNotice(time_ms, trader, what, before, after, reason))

    def drain(self) -> list[UnnumberedNotice]:
        """The notices since the last call, in their order."""
        notices, self._notices = self._notices, []
        return notices
