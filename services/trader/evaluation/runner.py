"""Runner: one trader on one generation of the segment. A step is plan, evaluate, commit, publish.

Nothing is committed before the last chunk succeeded: a step that raises leaves match set, `seen`, retry mark and `done`
as they were, and the next step takes the exact path. The runner knows no socket and no clock, so a replay runs the same
code.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tickflag.common.arrays import Versions
from tickflag.common.protocol.reader import ChannelReader, Route
from tickflag.common.protocol.rows import CandleWish, RowReader
from tickflag.common.segment.layout import CANDLE_FIELDS
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import Trader
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.messages import Result
from tickflag.services.trader.evaluation.assembly import TraderParts
from tickflag.services.trader.evaluation.auditor import Auditor, Findings
from tickflag.services.trader.evaluation.batches import Batches
from tickflag.services.trader.evaluation.missed_closes import MissedCloses
from tickflag.services.trader.evaluation.outcome import Evaluation, Outcome
from tickflag.services.trader.evaluation.planning.listing_changes import ListingChanges, NoListingChanges
from tickflag.services.trader.evaluation.planning.pace import Pace
from tickflag.services.trader.evaluation.planning.planner import Plan, Planner
from tickflag.services.trader.evaluation.planning.references import NoReferences, References
from tickflag.services.trader.evaluation.planning.watchlist import WatchList
from tickflag.services.trader.evaluation.ranking import Ranking
from tickflag.services.trader.evaluation.symbols import SymbolEvaluation


def _nothing() -> None:
    pass


class Runner:
    """Steps one trader through one generation. `parts` outlive the runner: the next generation's takes them over.

    One thread. Raises SegmentError where the trader asks for a channel or interval that the feed does not keep.
    """

    def __init__(self, segment: Segment, parts: TraderParts) -> None:
        trader, capacity = parts.plugin.trader, segment.layout.capacity
        self.segment = segment
        self._matches, self._results, self._tally, self._state = parts.matches, parts.results, parts.tally, parts.state
        ranks = trader.scope == "market"
        self.directory = SymbolDirectory(segment)
        self._watch = WatchList(trader.watch, trader.exclude, capacity)
        channel = segment.channel(trader.channel)
        # A trader that ranks the market sees every row; its watch list only says which symbols may match.
        self._reader = ChannelReader(segment, channel, np.ones(capacity, np.uint8) if ranks else self._watch.mask)
        wish = _wish(segment, trader)
        batches = Batches(parts.plugin.vectorised, parts.settings, parts.switches)
        most = min(batches.most, capacity)
        rows = RowReader(segment, channel, wish, most, mirror=ranks)
        min_interval_ns = round(trader.min_interval * NS_PER_S)
        references: References | NoReferences = NoReferences()
        if trader.references:
            references = References(segment, channel, wish, trader, parts.switches)
        self._references = references
        self._planner = Planner(
            self._reader, rows, self.directory, Pace(min_interval_ns, round(trader.every * NS_PER_S)),
            ListingChanges(segment) if channel else NoListingChanges(), references, parts.switches, self._place,
        )  # fmt: skip
        closes = MissedCloses(segment, channel, wish, most) if wish is not None and trader.every_close else None
        self._evaluation: Evaluation = (
            Ranking(parts, rows, self.directory, self._watch.mask) if ranks
            else SymbolEvaluation(parts, self._reader, rows, self.directory, batches, references, closes)
        )  # fmt: skip
        self._depends_on_time = trader.every > 0
        self.auditor = Auditor(segment, self._reader, self.directory, parts.announced_within_ns + min_interval_ns)
        self._matches.begin_generation(capacity, self.directory.names)
        self._state.begin_generation(capacity, self.directory.names)
        self.target = 0
        """The cycle that the last step was to cover, whether the step succeeded or not."""

    @property
    def done(self) -> int:
        """The cycle up to which everything announced is covered."""
        return self._reader.done

    @property
    def seen(self) -> Versions:
        """The version at which each row was evaluated last, by slot."""
        return self._reader.seen

    def versions(self) -> dict[str, int]:
        """The versions of `seen`, by symbol."""
        return dict(zip(self.directory.names, self.seen.tolist(), strict=False))

    def resume(self, seen: Mapping[str, int]) -> None:
        """Go on from the versions that a predecessor had seen in this lineage. Call it before the first step.

        The first step evaluates everything, as the code may have changed. The numbers that a trader remembers do not
        advance at a version that the predecessor has seen.
        """
        self.directory.refresh()
        self._place(0)
        for symbol, version in seen.items():
            slot = self.directory.slot(symbol)
            if slot is not None:
                self._reader.seen[slot] = version
        self._reader.covered = int(np.count_nonzero(self._reader.seen))
        self.reevaluate()

    @property
    def owes_exact(self) -> bool:
        """Whether the next step compares versions, whatever is announced: then step again soon."""
        return self._reader.owes_exact

    @property
    def rows_locked(self) -> bool:
        """Whether rows stayed locked in the last step."""
        return self._reader.rows_locked

    def pending(self, now_ns: int) -> bool:
        """Whether a step would find something to do. `now_ns` is of the clock that `step` is given as well."""
        return self._owes_snapshot or self._planner.pending(now_ns)

    def due_ns(self) -> int | None:
        """When a step is due without an event; None where only an event makes one due."""
        return self._planner.due_ns()

    def distrust(self) -> None:
        """Make a step due that compares versions: the flags have missed something."""
        self._reader.require_exact()

    def reevaluate(self) -> None:
        """Make a step over everything due: the trader's rule may have changed."""
        self._planner.reevaluate()

    def fail(self) -> None:
        """Note that a step raised: the next one trusts no flags and evaluates everything."""
        self.reevaluate()
        self._tally.failures += 1

    def pop_trouble(self) -> str:
        """What was wrong with the flags since the last call; empty for nothing. No change was lost by it."""
        return self._reader.pop_trouble()

    def step(self, time_ns: int, now_ns: int, between: Callable[[], None] = _nothing) -> Result | None:
        """Make one pass; gives the result sent, if any. Raises PluginError; then call `fail`.

        `time_ns` is UTC, `now_ns` of the clock that paces. `between` is called between chunks.
        """
        plan = self._planner.plan(time_ns, now_ns)
        if plan is None:
            if self._owes_snapshot:
                return self._results.publish_snapshot(self.done, time_ns // NS_PER_MS)
            return None
        self.target = plan.take.target
        outcome = self._evaluation.evaluate(plan, time_ns, between)
        self._state.commit(outcome.slots, outcome.versions, self._reader.seen)
        change = self._matches.settle(outcome.judged, outcome.scores, outcome.notes)
        self.auditor.note_evaluated(outcome.slots, outcome.row_versions, self._references.moved)
        retry = self._planner.commit(plan, outcome.slots, outcome.versions, now_ns)
        self._count(plan, outcome, retry)
        if change.woken:
            self._results.owes_snapshot = True
        return self._results.publish(change, plan.take.target, time_ns // NS_PER_MS, plan.oldest_ns)

    def audit(self, time_ns: int, clock: Callable[[], int], between: Callable[[], None] = _nothing) -> Findings:
        """Evaluate everything on copies, and compare the scores with the committed ones. Raises PluginError.

        Call it right after a step, with the same `time_ns`. `clock` is the monotonic clock.
        """
        pending = self.auditor.note_pending(clock)
        symbols, different, whole = self._evaluation.compare(self.auditor, self._matches.by_slot, time_ns, between)
        # A trader that declares `every` depends on the time and says so: other scores are no fault of it.
        return Findings(symbols, pending, [] if self._depends_on_time else different, whole)

    @property
    def _owes_snapshot(self) -> bool:
        return self._results.owes_snapshot and not self._results.blocked

    def _place(self, known: int) -> None:
        """Give watch list, matches and state the symbols that the directory has beyond the first `known`."""
        self._watch.extend(self.directory.names)
        self._matches.place(known)
        self._state.place(known)

    def _count(self, plan: Plan, outcome: Outcome, retry: bool) -> None:
        tally, evaluated = self._tally, len(outcome.judged)
        tally.cycles += 1
        tally.flagged += plan.take.flagged
        tally.processed += evaluated
        # What a pass over everything would have evaluated: watched symbols that hold data, not the whole table.
        tally.skipped += max(self._reader.covered - evaluated, 0)
        tally.fast += plan.take.route is Route.FAST
        tally.lapped += plan.take.lapped
        tally.retried += retry
        tally.gaps += outcome.gaps
        tally.bytes_full += self._results.full_bytes()


def _wish(segment: Segment, trader: Trader) -> CandleWish | None:
    """The candles to copy with each row; None for a trader that declares none."""
    if trader.candles is None:
        return None
    fields = tuple(CANDLE_FIELDS.index(column) for column in trader.columns)
    return CandleWish(segment.interval(trader.candles), trader.look_back, fields, trader.forming)
