"""Playback: the chunks of recordings as batches for the market, symbols turned into slots."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from services.feed.recordings import Chunk, TickChunk
from services.feed.updates import KLINE, TICK, Batch


class Playback:
    """`slot` gives a symbol's slot, a new one where needed, -1 where there is no room."""

    def __init__(self, chunks: Iterable[Chunk], slot: Callable[[str], int]) -> None:
        self._chunks = chunks
        self._slot = slot
        self._slots = np.zeros(0, np.int32)

    def batches(self) -> Iterator[Batch]:
        """In replay time order, each ordered by `recv_ns`."""
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
