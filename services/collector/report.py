"""Report: the collector's log. One line a second on matches, warnings that cannot flood."""

from collections.abc import Iterable

from common.log import Logger
from services.collector.view import Draft
from services.collector.views import Change, Views

PERIOD_NS = 1_000_000_000

# Names that the logging calls and processors use for themselves.
_RESERVED = frozenset(
    {"self", "event", "level", "timestamp", "service", "exc_info", "stack_info", "exception", "stack"}
)


class Report:
    """Collects between two lines. One thread."""

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

    @property
    def due_ns(self) -> int:
        """Monotonic time of the next lines."""
        return self._due_ns

    def drafts(self, drafts: Iterable[Draft]) -> None:
        for draft in drafts:
            if draft.event == "entered":
                self._entered[draft.trader] = self._entered.get(draft.trader, 0) + 1
            elif draft.event == "left":
                self._left[draft.trader] = self._left.get(draft.trader, 0) + 1

    def dropped(self, reason: str) -> None:
        """A frame was no message that belongs here."""
        self._dropped += 1
        self._why_dropped = reason

    def changes(self, changes: Iterable[Change]) -> None:
        """At once, but each kind of a trader at most once a period."""
        for trader, what, reason in changes:
            if (trader, what) in self._warned:
                self._repeated += 1
                continue
            self._warned.add((trader, what))
            if what in ("gap", "stale", "failing"):
                self._log.warning(_WORDS[what], trader=trader, reason=reason)
            else:
                self._log.info(_WORDS[what], trader=trader)

    def write(self, now_ns: int) -> None:
        """The lines of the period, where it is over and something happened."""
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
        known = self._views.known.get(trader)
        total = len(known.view.matches) if known else 0
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
}


def _field(trader: str) -> str:
    return f"{trader}_" if trader in _RESERVED else trader
