"""Study: what a trader's signals were worth: how long matches last, and what prices did after a symbol entered.

Nothing looks ahead. A price is the last one known at its moment: that of the last cycle at or before it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from common.messages import Signal
from common.segment import Segment, interval_seconds
from common.traderapi import Trader
from services.replay.baseline import Baseline
from services.replay.entries import Entries
from services.replay.prices import Floats, Prices, Watched
from services.replay.track import Track

MS = 1_000_000
NS_PER_S = 1_000_000_000
EVENTS = ("entered", "left", "score")


class Horizon(NamedTuple):
    """How long after an entry a return is taken."""

    name: str
    ns: int


def parse_horizons(text: str) -> list[Horizon]:
    """`1m,5m,1h`, shortest first. Raises ValueError naming the one at fault."""
    found: dict[int, Horizon] = {}
    for name in map(str.strip, text.split(",")):
        seconds = interval_seconds(name)
        found.setdefault(seconds, Horizon(name, seconds * NS_PER_S))
    return [found[seconds] for seconds in sorted(found)]


class Study:
    """In this order: `cycle`, `take` each of its signals, and at the end `finish`; then `digest`.

    `traders` are the subjects, known by their place in it; the same trader may be there with several settings. A
    `track` follows the prices.
    """

    def __init__(
        self, segment: Segment, traders: Sequence[Trader], horizons: Sequence[Horizon], track: Track | None = None
    ) -> None:
        capacity = segment.layout.capacity
        self.horizons = horizons
        self.track = track
        self.prices = Prices(segment)
        self.entries = Entries(len(traders), capacity, [horizon.ns for horizon in horizons])
        lists = {(tuple(trader.watch), tuple(trader.exclude)): trader for trader in traders}
        self._watched = [Watched(trader, capacity) for trader in lists.values()]
        numbers = {key: number for number, key in enumerate(lists)}
        self._group = [numbers[tuple(trader.watch), tuple(trader.exclude)] for trader in traders]
        self._baselines = [Baseline(horizon.ns, capacity, len(lists)) for horizon in horizons]
        self._events = [dict.fromkeys(EVENTS, 0) for _ in traders]
        self.now_ns = 0
        self.opening = False

    def cycle(self, now_ns: int, opening: bool = False) -> None:
        """A cycle was closed. `opening`: what matches in it matched before, and did not just enter."""
        self._pass_until(now_ns)
        self.now_ns, self.opening = now_ns, opening
        self.prices.take(now_ns)
        if self.track is not None:
            self.track.take(now_ns, self.prices.now)
        for watched in self._watched:
            watched.extend(self.prices.directory.names)

    def take(self, subject: int, signal: Signal) -> None:
        """A signal of the cycle."""
        self._events[subject][signal.event] += 1
        if signal.event == "score":
            return
        slot = self.prices.directory.slot(signal.symbol)
        assert slot is not None  # it has a row
        price = float(self.prices.now[slot])
        if signal.event == "entered":
            self.entries.enter(subject, slot, self.now_ns, price, self.opening)
        else:
            self.entries.leave(subject, slot, self.now_ns, price)

    def finish(self, end_ns: int) -> None:
        """Nothing more comes; what ends at `end_ns` or before is settled."""
        self._pass_until(end_ns + 1)
        self.now_ns = end_ns

    def digest(self, subject: int) -> dict[str, Any]:
        """All that is told of one subject, as `docs/replay.md` lists it."""
        rows = self.entries.rows
        mine = rows["subject"] == subject
        own = rows[mine]
        left = own["left_ns"] > 0
        held_ns = np.where(left, own["left_ns"], self.now_ns) - own["entered_ns"]
        complete = held_ns[left & (own["standing"] == 0)] / MS
        slots = self._watched[self._group[subject]].slots
        since_ns = self.prices.since_ns[slots]
        since_ns = since_ns[since_ns > 0]
        symbol_ns = float((self.now_ns - since_ns).sum())
        return {
            **self._events[subject],
            "standing": int(own["standing"].sum()),
            "matching": int(np.count_nonzero(~left)),
            "symbols": len(since_ns),
            "time_in_set": float(held_ns.sum()) / symbol_ns if symbol_ns else None,
            "held_ms": {"count": len(complete), **_middle(complete)},
            "returns": {
                horizon.name: self._returns(column, subject, mine) for column, horizon in enumerate(self.horizons)
            },
        }

    def _returns(self, column: int, subject: int, mine: Any) -> dict[str, Any]:
        settled = self.entries.settled[column]
        fresh = mine & (self.entries.rows["standing"] == 0)
        returns = self.entries.returns[fresh, column]
        known = returns[~np.isnan(returns)]
        beyond = int(np.count_nonzero(fresh[settled:]))
        group, baseline = self._group[subject], self._baselines[column]
        return {
            "count": len(known),
            **_middle(known),
            "hit_rate": float((known > 0.0).mean()) if len(known) else None,
            "baseline": baseline.mean(group) if baseline.counts[group] else None,
            "baseline_count": baseline.counts[group],
            "beyond": beyond,
            "unpriced": len(returns) - len(known) - beyond,
        }

    def _pass_until(self, now_ns: int) -> None:
        prices = self.prices.now
        self.entries.resolve(now_ns, prices)
        slots = [watched.slots for watched in self._watched]
        for baseline in self._baselines:
            baseline.advance(now_ns, prices, slots)


def _middle(values: Floats) -> dict[str, float | None]:
    """Mean and median; None where there are no values."""
    if not len(values):
        return {"mean": None, "median": None}
    return {"mean": float(values.mean()), "median": float(np.median(values))}
