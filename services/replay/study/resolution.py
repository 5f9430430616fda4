"""Resolution: how far apart a symbol's prices lie, where a recording brings its candles alone.

A price that changes only when a candle closes says nothing of a shorter time.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from tickflag.common.arrays import Integers
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.recordings import Recording
from tickflag.services.feed.recordings.parquet import KlineFile

LONGEST_NS = 1 << 62


class Resolution:
    """By symbol: the length of the shortest candle of the recordings with the symbol, 0 where one has its ticks too."""

    def __init__(self, recordings: Iterable[Recording] = ()) -> None:
        self._ns: dict[str, int] = {}
        for recording in recordings:
            found = dict.fromkeys(recording.symbols(), 0)
            if isinstance(recording, KlineFile):
                for name, interval_s in recording.survey.brought:
                    found[name] = min(found[name] or LONGEST_NS, interval_s * NS_PER_S)
            for name, shortest_ns in found.items():
                self._ns[name] = min(self._ns.get(name, shortest_ns), shortest_ns)

    @property
    def finest_ns(self) -> int:
        """That of the symbol with the most frequent prices; 0 without symbols."""
        return min(self._ns.values(), default=0)

    def of(self, names: Sequence[str]) -> Integers:
        """That of each symbol, ns."""
        return np.array([self._ns.get(name, 0) for name in names], np.int64)
