"""Study: what a trader's signals were worth: how long matches lasted, and what prices did after a symbol entered.

Nothing looks ahead: the price at a moment is that of the last cycle at or before it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tickflag.common.arrays import Floats, Integers
from tickflag.common.segment.segment import Segment, interval_name, interval_seconds
from tickflag.common.traderapi import Trader
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.messages import Signal
from tickflag.services.replay.study.baseline import Baseline
from tickflag.services.replay.study.match_log import MatchLog
from tickflag.services.replay.study.price_lines import PriceLines
from tickflag.services.replay.study.prices import Prices, Watched
from tickflag.services.replay.study.resolution import Resolution

EVENTS = ("entered", "left", "score")
DEFAULT_UNITS = (1, 5, 15, 60)
DEFAULT_UNIT_S = 60


class Horizon(NamedTuple):
    """A time after an entry at which a return is taken."""

    name: str
    ns: int


def parse_horizons(text: str) -> list[Horizon]:
    """The horizons of a text as `1m,5m,1h`, shortest first. Raises ValueError naming the horizon at fault."""
    found: dict[int, Horizon] = {}
    for name in map(str.strip, text.split(",")):
        seconds = interval_seconds(name)
        found.setdefault(seconds, Horizon(name, seconds * NS_PER_S))
    return [found[seconds] for seconds in sorted(found)]


def default_horizons(resolution: Resolution) -> list[Horizon]:
    """1, 5, 15 and 60 minutes; where the shortest candles are longer, as many candles."""
    unit_s = max(DEFAULT_UNIT_S, resolution.finest_ns // NS_PER_S)
    return [Horizon(interval_name(count * unit_s), count * unit_s * NS_PER_S) for count in DEFAULT_UNITS]


class Study:
    """For each cycle call `begin_cycle`, then `add` for each signal; at the end call `finish`, then `digest`.

    A subject is the index of a trader in `traders`, which may have the same trader several times, with different
    settings. `price_lines`, where given, record the prices. A symbol has no return over a horizon that is shorter than
    its resolution.
    """

    def __init__(
        self,
        segment: Segment,
        traders: Sequence[Trader],
        horizons: Sequence[Horizon],
        price_lines: PriceLines | None = None,
        resolution: Resolution | None = None,
    ) -> None:
        capacity = segment.layout.capacity
        self.horizons = horizons
        self.price_lines = price_lines
        self.prices = Prices(segment)
        self._resolution = resolution or Resolution()
        self._resolution_ns: Integers = np.zeros(capacity, np.int64)  # by slot
        self._placed = 0  # slots with a resolution
        self.match_log = MatchLog(len(traders), capacity, [horizon.ns for horizon in horizons], self._resolution_ns)
        lists = {(tuple(trader.watch), tuple(trader.exclude)): trader for trader in traders}
        self._watched = [Watched(trader, capacity) for trader in lists.values()]
        numbers = {key: number for number, key in enumerate(lists)}
        self._group = [numbers[tuple(trader.watch), tuple(trader.exclude)] for trader in traders]
        self._baselines = [Baseline(horizon.ns, capacity, len(lists), self._resolution_ns) for horizon in horizons]
        self._events = [dict.fromkeys(EVENTS, 0) for _ in traders]
        self.now_ns = 0
        self.opening = False

    def begin_cycle(self, now_ns: int, opening: bool = False) -> None:
        """Note that a cycle was closed. With `opening`, a symbol that enters in it matched before the period began."""
        self._pass_until(now_ns)
        self.now_ns, self.opening = now_ns, opening
        # A change is looked for only where a baseline does not know of one since its last moment.
        still = [baseline for baseline in self._baselines if not baseline.moved]
        if self.prices.refresh(now_ns, compare=bool(still)):
            for baseline in still:
                baseline.moved = True
        if self.price_lines is not None:
            self.price_lines.record(now_ns, self.prices.now)
        names = self.prices.directory.names
        if len(names) > self._placed:
            self._resolution_ns[self._placed : len(names)] = self._resolution.of(names[self._placed :])
            self._placed = len(names)
        for watched in self._watched:
            watched.extend(names)

    def add(self, subject: int, signal: Signal) -> None:
        """Count a signal of the present cycle."""
        self._events[subject][signal.event] += 1
        if signal.event == "score":
            return
        slot = self.prices.directory.slot(signal.symbol)
        assert slot is not None  # a symbol with a signal has a row
        price = float(self.prices.now[slot])
        if signal.event == "entered":
            self.match_log.enter(subject, slot, self.now_ns, price, self.opening)
        else:
            self.match_log.leave(subject, slot, self.now_ns, price)

    def finish(self, end_ns: int) -> None:
        """End the study: settle every horizon that ends at `end_ns` or before."""
        self._pass_until(end_ns + 1)
        self.now_ns = end_ns

    def digest(self, subject: int) -> dict[str, Any]:
        """The results for one subject; `docs/replay.md` lists the keys."""
        rows = self.match_log.rows
        mine = rows["subject"] == subject
        own = rows[mine]
        left = own["left_ns"] > 0
        held_ns = np.where(left, own["left_ns"], self.now_ns) - own["entered_ns"]
        complete = held_ns[left & (own["standing"] == 0)] / NS_PER_MS
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
        settled = self.match_log.settled[column]
        fresh = mine & (self.match_log.rows["standing"] == 0)
        returns = self.match_log.returns[fresh, column]
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
        self.match_log.resolve(now_ns, prices)
        slots = [watched.slots for watched in self._watched]
        for baseline in self._baselines:
            baseline.advance(now_ns, prices, slots)


def _middle(values: Floats) -> dict[str, float | None]:
    """Mean and median; None where there are no values."""
    if not len(values):
        return {"mean": None, "median": None}
    return {"mean": float(values.mean()), "median": float(np.median(values))}
