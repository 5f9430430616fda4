"""Report: writes the collector's log: one line a second on matches, and warnings that cannot flood."""

from collections.abc import Iterable

from tickflag.common.log import Logger
from tickflag.common.units import NS_PER_S
from tickflag.services.collector.views.trader_record import TraderChange
from tickflag.services.collector.views.view import UnnumberedSignal
from tickflag.services.collector.views.views import Views

PERIOD_NS = 1 * NS_PER_S
AGAIN_NS = 60 * NS_PER_S

# Names that the logging calls and processors use for themselves.
_RESERVED = frozenset(
    {"self", "event", "level", "timestamp", "service", "exc_info", "stack_info", "exception", "stack"}
)


class Report:
    """Counts what happens between two lines. One thread."""

    def __init__(self, log: Logger, views: Views, now_ns: int) -> None:
        self._log = log
        self._views = views
        self._due_ns = now_ns + PERIOD_NS
        self._entered: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._dropped = 0
        self._why_dropped = ""
        self._warned: set[tuple[str, str]] = set()
        self._repeated = 0
        self._hindrance, self._hindrance_due_ns = "", 0

    @property
    def due_ns(self) -> int:
        """Monotonic time of the next lines."""
        return self._due_ns

    def add_signals(self, signals: Iterable[UnnumberedSignal]) -> None:
        """Count the matches that entered and left."""
        for signal in signals:
            if signal.event == "entered":
                self._entered[signal.trader] = self._entered.get(signal.trader, 0) + 1
            elif signal.event == "left":
                self._left[signal.trader] = self._left.get(signal.trader, 0) + 1

    def add_dropped(self, reason: str) -> None:
        """Count a frame that was no message for the collector."""
        self._dropped += 1
        self._why_dropped = reason

    def add_changes(self, changes: Iterable[TraderChange]) -> None:
        """Write each change at once, but each kind of change of a trader at most once a period."""
        for trader, what, reason in changes:
            if (trader, what) in self._warned:
                self._repeated += 1
                continue
            self._warned.add((trader, what))
            if what in ("gap", "stale", "failing", "ignored"):
                self._log.warning(_WORDS[what], trader=trader, reason=reason)
            else:
                self._log.info(_WORDS[what], trader=trader)

    def tell_journal(self, hindrance: str, unfolded: int, now_ns: int) -> None:
        """Write what hinders the journal, once a minute, and that it is over."""
        if hindrance and (hindrance != self._hindrance or now_ns >= self._hindrance_due_ns):
            self._log.warning("journal hindered", reason=hindrance, signals_in_the_log=unfolded)
            self._hindrance_due_ns = now_ns + AGAIN_NS
        elif self._hindrance and not hindrance:
            self._log.info("journal no longer hindered")
        self._hindrance = hindrance

    def write(self, now_ns: int) -> None:
        """Write the lines of the period, if it is over and something happened."""
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + PERIOD_NS
        changed = sorted(self._entered.keys() | self._left.keys())
        if changed:
            self._log.info("matches", **{_field(name): self._summary(name) for name in changed})
        if self._dropped:
            self._log.warning("dropped messages", count=self._dropped, last=self._why_dropped)
        if self._repeated:
            self._log.warning("more of the same", count=self._repeated)
        self._entered.clear()
        self._left.clear()
        self._warned.clear()
        self._dropped = self._repeated = 0

    def _summary(self, trader: str) -> str:
        record = self._views.records.get(trader)
        total = len(record.view.matches) if record else 0
        changes = [
            f"{sign}{count[trader]}" for sign, count in (("+", self._entered), ("-", self._left)) if trader in count
        ]
        return f"{total} ({' '.join(changes)})"


_WORDS = {
    "new": "trader reports",
    "restarted": "trader restarted",
    "gap": "gap, resync wanted",
    "synced": "resynced",
    "stale": "trader stale",
    "live": "trader live",
    "failing": "trader failing",
    "works": "trader works again",
    "retired": "trader retired",
    "ignored": "trader ignored",
}


def _field(trader: str) -> str:
    return f"{trader}_" if trader in _RESERVED else trader
