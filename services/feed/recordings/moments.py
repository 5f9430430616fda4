"""MomentReader: rows of batches up to a time, each moment whole and in one order, however the batches are cut.

A moment is all rows of one replay time. In it candles come first, the longest before the shorter ones, so that a
brought candle is known before a shorter one would build it; then ticks, those with a trade id by their id. Rows that
this does not tell apart keep their order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tickflag.common.arrays import Integers, Records
from tickflag.common.recordings.errors import RecordingError
from tickflag.services.feed.market.updates import Batch
from tickflag.services.feed.recordings.records import joined, pick


@dataclass(slots=True)
class _Stretch:
    """What is left of a batch."""

    rows: Records
    times: Integers
    is_ticks: bool
    ordered: bool
    """No two rows of one moment can stand in the wrong order."""


class MomentReader:
    """Reads `batches`, whose rows are in replay time order, and leaves out the rows before `since_ns`."""

    def __init__(self, batches: Iterator[Batch], since_ns: int = 0) -> None:
        self._batches = batches
        self._since_ns = since_ns
        self._ahead: _Stretch | None = None
        self._damage: RecordingError | None = None
        self._pull()

    @property
    def next_ns(self) -> int | None:
        """Replay time of the next row; None at the end. Raises RecordingError where a recording is damaged here."""
        if self._ahead is not None:
            return int(self._ahead.times[0])
        if self._damage is not None:
            raise self._damage
        return None

    def before(self, until_ns: int) -> list[Batch]:
        """All rows before this time."""
        parts: list[_Stretch] = []
        while self._ahead is not None:
            ahead = self._ahead
            count = int(ahead.times.searchsorted(until_ns, "left"))
            if count == 0:
                break
            parts.append(_Stretch(ahead.rows[:count], ahead.times[:count], ahead.is_ticks, ahead.ordered))
            if count < len(ahead.times):
                self._ahead = _Stretch(ahead.rows[count:], ahead.times[count:], ahead.is_ticks, ahead.ordered)
                break
            self._pull()
        return _ordered(parts)

    def next_rows(self, until_ns: int) -> list[Batch]:
        """The rows of the next batch before this time, with the rest of the last moment."""
        return [] if self._ahead is None else self.before(min(until_ns, int(self._ahead.times[-1]) + 1))

    def _pull(self) -> None:
        """Fetch the next batch that has rows."""
        self._ahead = None
        try:
            for batch in self._batches:
                rows = batch.rows
                times = np.ascontiguousarray(rows["recv_ns"])
                early = int(times.searchsorted(self._since_ns, "left"))
                if early < len(times):
                    self._ahead = _Stretch(
                        rows[early:], times[early:], batch.is_ticks, _is_ordered(rows, batch.is_ticks)
                    )
                    return
        except RecordingError as error:  # told once the rows before it are used up
            self._damage = error


def _is_ordered(rows: Records, is_ticks: bool) -> bool:
    if is_ticks:
        return not rows["trade_id"].any()
    interval_s = rows["interval_s"]
    return bool((interval_s == interval_s[0]).all())


def _ordered(parts: Sequence[_Stretch]) -> list[Batch]:
    """The rows of the parts in the order of moments."""
    if not parts:
        return []
    if len(parts) == 1 and parts[0].ordered:
        return [Batch(parts[0].rows)]
    ticks, tick_times = _sorted([part for part in parts if part.is_ticks], True)
    klines, kline_times = _sorted([part for part in parts if not part.is_ticks], False)
    if ticks is None or klines is None:
        return [Batch(rows) for rows in (klines, ticks) if rows is not None]
    times = np.concatenate([kline_times, tick_times])
    is_tick = np.repeat([False, True], [len(klines), len(ticks)])
    kinds = is_tick[np.argsort(times, kind="stable")]
    found = []
    used = {False: 0, True: 0}
    edges = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), len(kinds)]
    for start, stop in pairwise(edges):
        kind = bool(kinds[start])
        rows = ticks if kind else klines
        found.append(Batch(rows[used[kind] : used[kind] + stop - start]))
        used[kind] += stop - start
    return found


def _sorted(parts: Sequence[_Stretch], is_ticks: bool) -> tuple[Records | None, Integers]:
    """All rows of one kind and their times; None where there is none."""
    if not parts:
        return None, np.zeros(0, np.int64)
    rows = parts[0].rows if len(parts) == 1 else joined([part.rows for part in parts])
    times = parts[0].times if len(parts) == 1 else np.concatenate([part.times for part in parts])
    if all(part.ordered for part in parts) and _is_ordered(rows, is_ticks):
        return rows, times
    if is_ticks:
        order = np.lexsort((np.where(np.isnan(rows["qty"]), 0, rows["trade_id"]), times))
    else:
        order = np.lexsort((rows["open_ns"], -rows["interval_s"], times))
    return pick(np.ascontiguousarray(rows), order), times
