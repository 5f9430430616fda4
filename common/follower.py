"""Follower: signals from a number on, each once and in order, live ones as they come, missing ones from the journal."""

from collections.abc import Callable, Iterator
from typing import Any

from common.messages import Signals
from common.requests import Ask, Unreachable

PAGE = 1_000

Signal = dict[str, Any]


class Follower:
    """`ask` is the collector's. Subscribe to the live signals first, then `replay`, then `take` each message."""

    def __init__(self, ask: Ask, since: int, notice: Callable[[str], None]) -> None:
        self.last = since
        """Number of the last signal given."""
        self._ask, self._notice = ask, notice
        self._waiting = False

    def replay(self) -> Iterator[Signal]:
        """All the journal has beyond `last`. Raises what `ask` raises."""
        while True:
            page = self._ask("signals", since=self.last, limit=PAGE)
            for signal in page["signals"]:
                self.last = signal["seq"]
                yield signal
            if self.last >= page["last_seq"] or not page["signals"]:
                return

    def take(self, message: Signals) -> Iterator[Signal]:
        """What of a live message is new, and before it what went missing on the way."""
        fresh = [signal for signal in message.signals if signal.seq > self.last]
        if fresh and fresh[0].seq == self.last + 1:
            for signal in fresh:
                self.last = signal.seq
                yield signal.model_dump()
        elif message.last_seq > self.last or (message.last_seq < self.last and not message.signals):
            # A gap, or a heartbeat that is either older than the replay or of another journal.
            yield from self._catch_up()

    def _catch_up(self) -> Iterator[Signal]:
        """The journal knows. Where the collector is away, a later message asks again."""
        try:
            self._check_journal()
            yield from self.replay()
        except Unreachable as error:
            if not self._waiting:
                self._notice(f"{error}; waiting for it")
            self._waiting = True
        else:
            self._waiting = False

    def _check_journal(self) -> None:
        """Go on where the journal begins, if it does not reach back to us or is another one."""
        bounds = self._ask("status")["collector"]
        first, last = bounds["first_seq"], bounds["last_seq"]
        if last < self.last:
            self._notice("the journal was begun anew")
        elif first > self.last + 1:
            self._notice(f"signals {self.last + 1:,} to {first - 1:,} are no longer kept")
        else:
            return
        self.last = first - 1


def newest(ask: Ask, limit: int, wanted: Callable[[Signal], bool]) -> list[Signal]:
    """The last `limit` signals that are `wanted`, in order. Raises what `ask` raises."""
    collector = ask("status")["collector"]
    until, first = collector["last_seq"], collector["first_seq"]
    found: list[Signal] = []
    step = min(max(limit, 100), PAGE)
    while len(found) < limit and until >= first:
        since = max(first - 1, until - step)
        page = ask("signals", since=since, limit=until - since)["signals"]
        found = [signal for signal in page if wanted(signal)] + found
        until = since
    return found[-limit:]
