"""Playback: turns chunks of recordings into batches for the market, and their symbols into slots."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tickflag.services.feed.market.updates import KLINE, TICK, Batch
from tickflag.services.feed.recordings import Chunk, TickChunk


class Playback:
    """Reads `chunks`. `slot` gives a symbol its slot, a new one where needed; -1 where there is no room."""

    def __init__(self, chunks: Iterable[Chunk], slot: Callable[[str], int]) -> None:
        self._chunks = chunks
        self._slot = slot
        self._slots = np.zeros(0, np.int32)

    def batches(self) -> Iterator[Batch]:
        """The batches in replay time order, their rows ordered by `recv_ns`."""
        for chunk in self._chunks:
            if not len(chunk):
                continue
            known = len(self._slots)
            fresh = [self._slot(name) for name in chunk.symbols[known:]]
            self._slots = np.concatenate([self._slots, np.array(fresh, np.int32)])
            records = chunk.records
            rows = np.zeros(len(records), TICK if isinstance(chunk, TickChunk) else KLINE)
            rows["slot"] = self._slots[records["symbol"]]
            for field in rows.dtype.names or ():
                if field in (records.dtype.names or ()):
                    rows[field] = records[field]
            yield Batch(rows)
