"""Runner: one trader on one generation of the segment. A step is take, read, evaluate, compare, push, commit.

Nothing moves before the last chunk succeeded: a step that raises leaves match set, `seen`, retry and `done` as they
were, and the next one takes the exact path. The runner knows no socket and no clock, so a replay runs the same code.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import numpy as np

from common.blocks import TraderBlock
from common.intake import Intake
from common.layout import CANDLE_FIELDS
from common.messages import Result
from common.rows import CandleWish, RowReader, Rows
from common.segment import Segment
from common.swap import ChannelReader, Route, Take
from common.symbols import SymbolDirectory
from services.trader.auditor import Auditor, Findings
from services.trader.batches import Batches
from services.trader.closes import Closes
from services.trader.matches import Floats, MatchSet, Slots, Versions
from services.trader.pace import Pace
from services.trader.plugin import Plugin
from services.trader.ranking import Ranking
from services.trader.references import References
from services.trader.results import Results, Tally
from services.trader.state import StateStore
from services.trader.statuses import Statuses
from services.trader.watchlist import WatchList


def _nothing() -> None:
    pass


class Runner:
    """`matches`, `results`, `tally` and `state` outlive it: they go on with the next generation's runner.

    Raises SegmentError where the trader asks for a channel or interval that the feed does not keep.
    """

    def __init__(
        self,
        segment: Segment,
        plugin: Plugin,
        settings: TraderBlock,
        matches: MatchSet,
        results: Results,
        tally: Tally,
        state: StateStore | None = None,
        announced_within_ns: int = 0,
    ) -> None:
        """`announced_within_ns` is how long an update may take to be announced, for the audit."""
        trader, capacity = plugin.trader, segment.layout.capacity
        self.segment = segment
        self._plugin, self._matches, self._results, self._tally = plugin, matches, results, tally
        self.tracking = settings.tracking
        market = trader.scope == "market"
        self.directory = SymbolDirectory(segment)
        self._watch = WatchList(trader.watch, trader.exclude, capacity)
        channel = segment.channel(trader.channel)
        # A trader that ranks the market sees every row; its watch list only says which may match.
        everyone = np.ones(capacity, np.uint8)
        self._reader = ChannelReader(segment, channel, everyone if market else self._watch.mask)
        wish = None
        if trader.candles is not None:
            interval = segment.interval(trader.candles)
            fields = tuple(CANDLE_FIELDS.index(column) for column in trader.columns)
            wish = CandleWish(interval, trader.look_back, fields, trader.forming)
        self.batches = Batches(plugin.vectorised, settings)
        most = min(self.batches.most, capacity)
        self._rows = RowReader(segment, channel, wish, most, mirror=market)
        self._ranking = Ranking(plugin, self._rows, self.directory, self._watch.mask) if market else None
        self._intake = Intake(self._reader, self._rows)
        self._closes = Closes(segment, channel, wish, most) if wish is not None and trader.every_close else None
        self._statuses = Statuses(segment) if channel else None
        self._references = References(segment, channel, wish, plugin) if trader.references else None
        self._timed = trader.every > 0
        self.auditor = Auditor(
            segment, self._reader, self.directory, announced_within_ns + round(trader.min_interval * 1e9)
        )
        self._pace = Pace(round(trader.min_interval * 1e9), round(trader.every * 1e9))
        self._state = state
        if state is None and trader.state:
            self._state = StateStore(trader.state)
        matches.begin_generation(capacity, self.directory.names)
        if self._state is not None:
            self._state.begin_generation(capacity, self.directory.names)
        self._scores: Floats = np.full(capacity, np.nan)
        self._slots: Slots = np.zeros(capacity, np.int32)
        self._versions: Versions = np.zeros(capacity, np.int64)
        self._notes: dict[int, str] = {}  # of the step, by slot
        self._lost = 0  # closes in the step that came too late
        self._owed = self._slots[:0]  # could not be read in a pass over everything
        self._afresh = False  # the next evaluation is one of everything
        self.target = 0
        """The cycle that the last step aimed at, whether it succeeded or not."""

    @property
    def done(self) -> int:
        """Everything announced up to this cycle is covered."""
        return self._reader.done

    @property
    def seen(self) -> Versions:
        """The version of each row that was evaluated last, by slot."""
        return self._reader.seen

    def versions(self) -> dict[str, int]:
        """As `seen`, by symbol."""
        return dict(zip(self.directory.names, self.seen.tolist(), strict=False))

    def resume(self, seen: Mapping[str, int]) -> None:
        """Go on where a predecessor was, in this generation or another of its lineage, before the first step.
        Everything is evaluated once more, as the code may be another, but nothing that a trader remembers advances by
        it."""
        self.directory.refresh()
        self._place(0)
        for symbol, version in seen.items():
            slot = self.directory.slot(symbol)
            if slot is not None:
                self._reader.seen[slot] = version
        self._reader.covered = int(np.count_nonzero(self._reader.seen))
        self._afresh = True

    @property
    def retrying(self) -> bool:
        """A row could not be read: step again soon, whatever is announced."""
        return self._reader.owes_exact

    @property
    def locked(self) -> bool:
        """Rows stayed locked in the last step."""
        return self._reader.retrying

    def pending(self, now_ns: int) -> bool:
        """A step would find something to do, at `now_ns` of the clock that `step` is given too."""
        if self._owes_snapshot:
            return True
        if not self._pace.allows(now_ns):
            return False
        return self._changed() or self._pace.wants_everything(now_ns)

    def due_ns(self) -> int | None:
        """When a step has something to do without any event; None where only an event brings it."""
        return self._pace.due_ns(self._changed)

    def _changed(self) -> bool:
        """There is something to look at."""
        return self._reader.pending() or self._restatused

    @property
    def _restatused(self) -> bool:
        """Symbols were delisted or trade again, and the channel does not tell of it."""
        return self._statuses is not None and self._statuses.pending()

    @property
    def _owes_snapshot(self) -> bool:
        return self._results.owes_snapshot and not self._results.blocked

    def distrust(self) -> None:
        """The flags missed something: compare versions at the next step, which is due."""
        self._reader.require_exact()

    def reevaluate(self) -> None:
        """The rule may be another: evaluate everything at the next step, which is due."""
        self._reader.require_exact()
        self._afresh = True

    def fail(self) -> None:
        """A step raised: trust no flags at the next one, and evaluate everything."""
        self.reevaluate()
        self._tally.failures += 1

    def take_troubles(self) -> list[tuple[Literal["flags", "gap"], str]]:
        """What was wrong with flags and candles since the last call. It was made good, as far as can be."""
        troubles: list[tuple[Literal["flags", "gap"], str]] = []
        trouble = self._reader.take_trouble()
        if trouble:
            troubles.append(("flags", trouble))
        if self._lost:
            troubles.append(("gap", "closed candles were overwritten before they were evaluated"))
            self._lost = 0
        return troubles

    def step(self, time_ns: int, now_ns: int, between: Callable[[], None] = _nothing) -> Result | None:
        """One cycle, at UTC `time_ns` and at `now_ns` of the clock that paces; `between` is called between chunks.

        Gives the result sent, if any. Raises PluginError; then call `fail`.
        """
        taken = self._take(time_ns, now_ns)
        if taken is None:
            if self._owes_snapshot:
                return self._results.publish_snapshot(self.done, time_ns // 1_000_000)
            return None
        take, first = taken
        self.target = take.target
        oldest_ns = self._intake.oldest_ns if first is not None else self._reader.oldest_ns(take)
        slots, versions = self._processed(take, first, time_ns, between)
        n = len(slots)
        judged = slots, self._scores[:n]
        if self._ranking is not None:
            judged = self._ranking.judged(take.symbols if n else 0, self._scores)
        if self._state is not None:
            self._state.commit(slots, versions, self._reader.seen)
        change = self._matches.settle(*judged, slots, versions, self._reader.seen, self._notes)
        retry = n < len(take.slots)
        self._reader.committed(take, change.fresh, retry)
        self._afresh = False
        if self._statuses is not None and not retry:
            self._statuses.commit()
        if self._references is not None:
            self._references.commit()
        # An exact pass finds those that changed. In one over everything a row may be owed its evaluation without that.
        owes = retry and (take.route is Route.ALL or len(self._owed) > 0)
        self._owed = np.setdiff1d(take.slots, slots) if owes else self._slots[:0]
        self._pace.passed(now_ns)
        self._count(take, n, retry)
        if change.woken:
            self._results.owes_snapshot = True
        return self._results.publish(change, take.target, time_ns // 1_000_000, oldest_ns)

    def audit(self, time_ns: int, clock: Callable[[], int], between: Callable[[], None] = _nothing) -> Findings:
        """Evaluate everything on copies, right after a step at the same time, and compare with what is committed.

        `clock` is the monotonic one. Raises PluginError.
        """
        pending = self.auditor.note_pending(clock)
        committed = self._matches.by_slot
        if self._ranking is not None:
            count = len(self.directory)
            self._ranking.evaluate(count, time_ns, self._scores)
            slots, scores = self._ranking.judged(count, self._scores)
            different = self.auditor.different(slots, scores, committed)
            return Findings(len(slots), pending, self._wrong(different), whole=False)
        compared, wrong = 0, []
        slots = self.auditor.everyone()
        chunk = self.batches.chunk(len(slots), self._reader.covered)
        for start in range(0, len(slots), chunk):
            if start:
                between()
            rows = self._rows.read(slots[start : start + chunk])
            scores = self._scores[: len(rows.slots)]
            if len(rows.slots):
                if self._state is not None:
                    self._state.begin(rows.slots, rows.versions, self._reader.seen)
                self._evaluate(rows, scores, time_ns, keep=False)
            same, different = self.auditor.compared(rows, scores, committed)
            compared += same
            wrong += different
        return Findings(compared, pending, self._wrong(wrong))

    def _wrong(self, different: list[str]) -> list[str]:
        """A trader that asks for passes by the clock depends on the time, and says so."""
        return [] if self._timed else different

    def _take(self, time_ns: int, now_ns: int) -> tuple[Take, Rows | None] | None:
        """What to process, with the rows of the first chunk where they are read already; None for nothing."""
        if not self._pace.allows(now_ns):
            return None
        everything = not self.tracking or self._afresh or self._pace.wants_everything(now_ns)
        if not everything and self._references is None and not self._restatused:
            taken = self._intake.take(len(self.directory))
            if taken is not None:
                return taken
        closed, count = self._reader.observe()
        known = len(self.directory)
        if count > known:
            self.directory.refresh(count)
            self._place(known)
        if self._references is not None:
            # Read after `closed`: a change of a reference that comes later is announced by a later cycle.
            if not self._references.read(self.directory, time_ns):
                self._reader.retry()
                return None
            everything = everything or self._references.changed
        owed = self._owed
        if self._statuses is not None and self._statuses.pending():
            self._reader.retry()  # whatever is announced
            owed = np.union1d(owed, self._statuses.changed(self._reader.watched, self._reader.seen))
        take = self._reader.take(closed, count, everything)
        if len(owed):
            take = take._replace(slots=np.union1d(take.slots, owed))
        return None if take.route is Route.NOTHING else (take, None)

    def _place(self, known: int) -> None:
        """The directory has more than the `known` symbols."""
        self._watch.extend(self.directory.names)
        self._matches.place(known)
        if self._state is not None:
            self._state.place(known)

    def _processed(
        self, take: Take, first: Rows | None, time_ns: int, between: Callable[[], None]
    ) -> tuple[Slots, Versions]:
        """Read and evaluate, in chunks where they are many; gives the slots that could be read, and their versions.

        `first` are the rows that were read already: the first ones, at most as many as are read at once. Scores and
        notes are in the fields of that name.
        """
        self._notes, self._lost = {}, 0
        # A mirror takes in all rows at once: only reading is per symbol.
        chunk = (
            self._rows.limit if self._ranking is not None else self.batches.chunk(len(take.slots), self._reader.covered)
        )
        if len(take.slots) <= chunk:
            rows = self._judged(first or self._rows.read(take.slots), self._scores, time_ns)
            slots, versions = rows.slots, rows.versions
        else:
            n = 0
            self._tally.batched += self.batches.wanted
            if chunk < self._rows.limit:
                first = None  # the rows of another chunk
            for start in range(0, len(take.slots), chunk):
                if start:
                    first = None
                    if self.batches.wanted:
                        between()
                rows = first or self._rows.read(take.slots[start : start + chunk])
                rows = self._judged(rows, self._scores[n:], time_ns)
                size = len(rows.slots)
                self._slots[n : n + size] = rows.slots
                self._versions[n : n + size] = rows.versions
                n += size
            slots, versions = self._slots[:n], self._versions[:n]
        if self._ranking is not None and len(slots):
            self._ranking.take(slots)
            self._notes = self._ranking.evaluate(take.symbols, time_ns, self._scores)
        return slots, versions

    def _judged(self, rows: Rows, out: Floats, time_ns: int) -> Rows:
        """The scores of `rows` to `out`, unless it takes the whole market to tell; gives the rows that they are of."""
        if self._ranking is not None or not len(rows.slots):
            return rows
        seen = self._reader.seen
        windows: Iterable[Rows] = (rows,)
        if self._closes is not None and self._closes.missed(rows, seen):
            rows = self._closes.read(rows.slots)
            windows = self._closes.windows(rows, seen)
            self._lost += self._closes.lost(rows, seen)
        if self._state is not None:
            self._state.begin(rows.slots, rows.versions, seen)
        notes: dict[int, str] = {}
        for window in windows:  # the last one is of all rows, and stands
            notes = self._evaluate(window, out[: len(window.slots)], time_ns)
        self._notes |= notes
        return rows

    def _evaluate(self, rows: Rows, out: Floats, time_ns: int, keep: bool = True) -> dict[int, str]:
        """The scores of `rows` to `out`; gives the notes by slot. What the trader remembers is for the commit, or with
        `keep` off for nothing."""
        names = self.directory.names
        state = None if self._state is None else self._state.lend(rows.slots)
        symbols = None if self._references is None else self._references.symbols
        notes = self._plugin.evaluate(rows, lambda: [names[slot] for slot in rows.slots], time_ns, out, state, symbols)
        if keep and state is not None and self._state is not None:
            self._state.take_back(rows.slots, state)
        return {int(rows.slots[place]): note for place, note in notes.items()}

    def _count(self, take: Take, processed: int, retry: bool) -> None:
        tally = self._tally
        # What a pass over everything would have evaluated: watched symbols that hold data, not the whole table.
        covered = self._reader.covered
        evaluated = covered if self._ranking is not None and processed else processed
        tally.cycles += 1
        tally.flagged += take.flagged
        tally.processed += evaluated
        tally.skipped += max(covered - evaluated, 0)
        tally.fast += take.route is Route.FAST
        tally.retried += retry
        tally.gaps += self._lost
        tally.bytes_full += self._results.full_bytes()
