"""Runner: one trader on one generation of the segment. A step is take, read, evaluate, compare, push, commit.

Nothing moves before the last chunk succeeded: a step that raises leaves match set, `seen`, retry and `done` as they
were, and the next one takes the exact path. The runner knows no socket and no clock, so a replay runs the same code.
"""

from collections.abc import Callable

import numpy as np

from common.intake import Intake
from common.layout import CANDLE_FIELDS
from common.messages import Result
from common.rows import CandleWish, RowReader, Rows
from common.segment import Segment
from common.settings import TraderBlock
from common.swap import ChannelReader, Route, Take
from common.symbols import SymbolDirectory
from services.trader.matches import Floats, MatchSet, Slots, Versions
from services.trader.plugin import Plugin
from services.trader.results import Results, Tally
from services.trader.watchlist import WatchList


def _nothing() -> None:
    pass


class Runner:
    """`matches`, `results` and `tally` outlive it: they go on with the next generation's runner.

    Raises SegmentError where the trader asks for a channel or interval that the feed does not keep.
    """

    def __init__(
        self, segment: Segment, plugin: Plugin, settings: TraderBlock, matches: MatchSet, results: Results, tally: Tally
    ) -> None:
        trader = plugin.trader
        self.segment = segment
        self._plugin, self._matches, self._results, self._tally = plugin, matches, results, tally
        self.tracking = settings.tracking
        self._market = trader.scope == "market"
        self.directory = SymbolDirectory(segment)
        self._watch = WatchList(trader.watch, trader.exclude, segment.layout.capacity)
        channel = segment.channel(trader.channel)
        # A trader that ranks the market sees every row; its watch list only says which may match.
        everyone = np.ones(segment.layout.capacity, np.uint8)
        self._reader = ChannelReader(segment, channel, everyone if self._market else self._watch.mask)
        wish = None
        if trader.candles is not None:
            interval = segment.interval(trader.candles)
            fields = tuple(CANDLE_FIELDS.index(column) for column in trader.columns)
            wish = CandleWish(interval, trader.look_back, fields, trader.forming)
        self._chunk = min(settings.chunk if plugin.vectorised else settings.symbol_chunk, segment.layout.capacity)
        self._rows = RowReader(segment, channel, wish, self._chunk, mirror=self._market)
        self._intake = Intake(self._reader, self._rows)
        matches.begin_generation(segment.layout.capacity, self.directory.names)
        self._scores: Floats = np.full(segment.layout.capacity, np.nan)
        self._slots: Slots = np.zeros(segment.layout.capacity, np.int32)
        self._versions: Versions = np.zeros(segment.layout.capacity, np.int64)
        self._held = np.zeros(segment.layout.capacity, np.bool_)  # of a market's mirror: has data

    @property
    def done(self) -> int:
        """Everything announced up to this cycle is covered."""
        return self._reader.done

    @property
    def retrying(self) -> bool:
        """A row could not be read: step again soon, whatever is announced."""
        return self._reader.owes_exact

    def pending(self) -> bool:
        """A step would find something to do."""
        return self._owes_snapshot or self._reader.pending()

    @property
    def _owes_snapshot(self) -> bool:
        return self._results.owes_snapshot and not self._results.blocked

    def fail(self) -> None:
        """A step raised: trust no flags at the next one."""
        self._reader.require_exact()
        self._tally.failures += 1

    def step(self, time_ns: int, between: Callable[[], None] = _nothing) -> Result | None:
        """One cycle at UTC `time_ns`; `between` is called between chunks. Gives the result sent, if any.

        Raises PluginError; then call `fail`.
        """
        taken = self._intake.take(len(self.directory)) if self.tracking else None
        take, first = taken or self._observed()
        if take.route is Route.NOTHING:
            if self._owes_snapshot:
                return self._results.publish_snapshot(self.done, time_ns // 1_000_000)
            return None
        oldest_ns = self._intake.oldest_ns if first is not None else self._reader.oldest_ns(take)
        slots, versions = self._processed(take, first, time_ns, between)
        n = len(slots)
        judged = self._ranked(take.symbols if n else 0) if self._market else (slots, self._scores[:n])
        change = self._matches.settle(*judged, slots, versions, self._reader.seen)
        retry = n < len(take.slots)
        self._reader.committed(take, change.fresh, retry)
        self._count(take, n, retry)
        if change.woken:
            self._results.owes_snapshot = True
        return self._results.publish(change, take.target, time_ns // 1_000_000, oldest_ns)

    def _observed(self) -> tuple[Take, None]:
        """The take where the intake has none: a first one, after a gap or a failure, or with new symbols."""
        closed, count = self._reader.observe()
        known = len(self.directory)
        if count > known:
            self.directory.refresh(count)
            self._watch.extend(self.directory.names)
            self._matches.place(known)
        return self._reader.take(closed, count, everything=not self.tracking), None

    def _processed(
        self, take: Take, first: Rows | None, time_ns: int, between: Callable[[], None]
    ) -> tuple[Slots, Versions]:
        """Read and evaluate, in chunks where they are many; gives the slots that could be read, and their versions.

        `first` are the rows of the first chunk where they are read already. The scores are in the buffer of that name.
        """
        if len(take.slots) <= self._chunk:
            rows = first or self._rows.read(take.slots)
            self._judge(rows, self._scores, time_ns)
            slots, versions = rows.slots, rows.versions
        else:
            n = 0
            for start in range(0, len(take.slots), self._chunk):
                if start:
                    between()
                    first = None
                rows = first or self._rows.read(take.slots[start : start + self._chunk])
                size = len(rows.slots)
                self._slots[n : n + size] = rows.slots
                self._versions[n : n + size] = rows.versions
                self._judge(rows, self._scores[n:], time_ns)
                n += size
            slots, versions = self._slots[:n], self._versions[:n]
        if self._market and len(slots):
            self._held[slots] = True
            everyone = self._rows.mirrored(take.symbols)
            names = self.directory.names
            self._plugin.evaluate(everyone, lambda: names[: take.symbols], time_ns, self._scores[: take.symbols])
        return slots, versions

    def _judge(self, rows: Rows, out: Floats, time_ns: int) -> None:
        """The scores of `rows`, unless it takes the whole market to tell."""
        size = len(rows.slots)
        if size and not self._market:
            names = self.directory.names
            self._plugin.evaluate(rows, lambda: [names[slot] for slot in rows.slots], time_ns, out[:size])

    def _ranked(self, count: int) -> tuple[Slots, Floats]:
        """Of the first `count` slots those that hold data, and their scores in the market-wide evaluation just made;
        only watched symbols may match."""
        slots = np.flatnonzero(self._held[:count]).astype(np.int32)
        return slots, np.where(self._watch.mask[slots] != 0, self._scores[slots], np.nan)

    def _count(self, take: Take, processed: int, retry: bool) -> None:
        tally = self._tally
        # What a pass over everything would have evaluated: watched symbols that hold data, not the whole table.
        covered = self._reader.covered
        evaluated = covered if self._market and processed else processed
        tally.cycles += 1
        tally.flagged += take.flagged
        tally.processed += evaluated
        tally.skipped += max(covered - evaluated, 0)
        tally.fast += take.route is Route.FAST
        tally.retried += retry
        tally.bytes_full += self._results.full_bytes()
