"""LiveSearch: the newest signals that fit, looked up in the journal once and then kept up to date by what comes."""

from typing import Any

from tickflag.services.dashboard.hub.topics.topic import Sight, Waiting

MOST_STEPS = 50
"""So many answers of the journal are looked through, each of some ten thousand signals."""
KEPT_S = 60.0
"""A step behind a number does not change; it is not asked for again for so long."""


class LiveSearch:
    """For one topic with its arguments. What was found so far can be shown while the search goes on."""

    def __init__(self, filters: dict[str, str], count: int) -> None:
        """`filters` are those of the collector's request `signals.find`."""
        self._filters, self._count = filters, count
        self._signals: list[dict[str, Any]] = []  # newest first
        self._journal_id = ""
        self._newest = self._before = 0
        self._steps = 0
        self.whole = False
        """The journal has no earlier ones than those that were found."""
        self._done = False

    def signals(self, sight: Sight) -> list[dict[str, Any]]:
        """The newest signals that fit, newest first. Raises Waiting before anything is known.

        Marks the look as owing where the search is not over.
        """
        collector = sight.collector
        if not collector.ready and not self._journal_id:
            if collector.away:
                return []
            raise Waiting
        same = collector.journal_id == self._journal_id
        fresh = collector.signals.after(self._newest) if same else None
        if collector.ready and (not same or (fresh is None and self._newest < collector.seq)):
            self._begin(collector.journal_id, collector.seq)
            fresh = []
        self._signals = [*(one for one in reversed(fresh or []) if self._fits(one)), *self._signals][: self._count]
        self._newest = max(self._newest, collector.seq) if fresh is not None else self._newest
        while not self._done:
            known = sight.questions.latest(
                "collector", "signals.find", KEPT_S, before=self._before, limit=self._count,
                journal_id=self._journal_id, **self._filters,
            )  # fmt: skip
            if known.value is None:
                sight.owed = sight.owed or not known.answered
                self._done = known.answered and not known.waiting  # refused: what was found stays
                break
            self._take(known.value)
        return self._signals

    def _begin(self, journal_id: str, newest: int) -> None:
        self._signals, self._journal_id = [], journal_id
        self._newest, self._before, self._steps = newest, newest + 1, 0
        self._done = self.whole = False

    def _take(self, page: dict[str, Any]) -> None:
        self._signals = [*self._signals, *page["signals"]][: self._count]
        self._before = page["reached"]
        self._steps += 1
        self.whole = page["whole"] and len(self._signals) < self._count
        self._done = page["whole"] or len(self._signals) >= self._count or self._steps == MOST_STEPS

    def _fits(self, signal: dict[str, Any]) -> bool:
        text = self._filters.get("text", "").lower()
        equal = all(signal[name] == value for name, value in self._filters.items() if name != "text")
        return equal and any(text in signal[name].lower() for name in ("symbol", "trader", "note"))
