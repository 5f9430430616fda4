"""Hindrances: why a trader found nothing: what it needs never came.

Looked at once, at the end of a replay: the segment's counts of closed candles are of the whole recording then.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tickflag.common.arrays import Slots
from tickflag.common.segment.segment import Segment, interval_name, interval_seconds
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import Trader
from tickflag.services.feed.recordings import Recording
from tickflag.services.feed.recordings.parquet import KlineFile
from tickflag.services.trader.evaluation.planning.absent_symbols import absent_symbols, did_you_mean, nearest
from tickflag.services.trader.evaluation.planning.watchlist import WatchList

SHOWN = 3  # symbols in a reason


class Hindrance(NamedTuple):
    """What kept a trader from finding anything."""

    why: str
    unfit: bool
    """The recordings have nothing for the trader, whatever the period: then it counts as one that did not run."""


class PlayedMarket:
    """The symbols and candles that there were in the end. The caller owns the segment."""

    def __init__(self, segment: Segment, recordings: Iterable[Recording]) -> None:
        self._segment = segment
        directory = SymbolDirectory(segment)
        self._names = directory.names[: directory.refresh()]
        self._held = np.flatnonzero(segment.arrays.versions[: len(self._names)] > 0)
        self._brought_s: dict[str, set[int]] = {}  # by symbol; those of a symbol with ticks make no candle impossible
        self._ticking: set[str] = set()
        for recording in recordings:
            if not isinstance(recording, KlineFile):
                self._ticking.update(recording.symbols())
            for name, interval_s in recording.survey.brought:
                self._brought_s.setdefault(name, set()).add(interval_s)

    def hindrance(self, trader: Trader, evaluations: int) -> Hindrance | None:
        """Why a trader that matched nothing could not; None where nothing kept it from matching.

        `evaluations` is how often it was asked about a symbol.
        """
        reason = next(self._reasons(trader), None)
        if reason is None:
            return None if evaluations else Hindrance("never evaluated: nothing that it watches changed", False)
        why, unfit = reason
        if not evaluations:
            return Hindrance(f"never evaluated: {why}", unfit)
        times = f"{evaluations:,} time{'' if evaluations == 1 else 's'}"
        return Hindrance(f"evaluated {times}, but {why}", unfit)

    def _reasons(self, trader: Trader) -> Iterator[tuple[str, bool]]:
        """Each reason, and whether it makes the recordings unfit for the trader."""
        if not len(self._held):
            yield "no row was played", False
            return
        wants = WatchList(trader.watch, trader.exclude, 0).wants
        wanted = {name for name in self._names if wants(name)}
        watched: Slots = np.array([slot for slot in self._held if self._names[slot] in wanted], np.int32)
        if not wanted:
            names = sorted(self._names)
            shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            hint = absent_symbols(trader.model_copy(update={"references": []}), names)
            hint = f"; {hint}" if "did you mean" in hint else ""
            yield f"its `watch` and `exclude` leave none of the {len(names):,} symbols recorded ({shown}){hint}", True
            return
        if not len(watched):
            yield f"no row was played of what it watches ({', '.join(sorted(wanted)[:SHOWN])})", False
            return
        needs = {} if trader.channel == "ticker" else {trader.channel: 1}
        if trader.candles is not None:
            needs[trader.candles] = max(needs.get(trader.candles, 0), trader.look_back - trader.forming)
        for interval, need in needs.items():
            closed = self._segment.arrays.heads[self._segment.interval(interval)][watched]
            most = int(closed.max())
            if most < need:
                unfit = not any(self._possible(name, interval_seconds(interval)) for name in wanted)
                yield self._too_few(interval, need, most, watched[closed.argmax()], wanted), unfit
        held = {self._names[slot] for slot in self._held}
        missing = sorted(set(trader.references) - held)
        if missing:
            others = sorted(held)
            shown = ", ".join(did_you_mean(name, nearest(name, others)) for name in missing)
            yield f"its references have no data: {shown}", False

    def _possible(self, name: str, interval_s: int) -> bool:
        """Whether the recordings bring such candles of the symbol, or what makes them: ticks, or its shortest ones."""
        brought_s = self._brought_s.get(name, set())
        return name in self._ticking or interval_s in brought_s or (bool(brought_s) and not interval_s % min(brought_s))

    def _too_few(self, interval: str, need: int, most: int, slot: int, wanted: set[str]) -> str:
        candles = f"{need:,} closed candle{'' if need == 1 else 's'} of {interval}"
        had = f"most: {most:,}, {self._names[slot]}" if most else "there was none"
        brought_s = set[int]().union(*(self._brought_s.get(name, set()) for name in wanted))
        brought = ", ".join(map(interval_name, sorted(brought_s)))
        return f"no symbol had {candles} ({had})" + (f"; the recordings bring candles of {brought}" if brought else "")
