"""The update protocol as a state machine: the real writer and real readers, step by step in any order.

NoLostUpdate, CursorClosed, Conservation and NoTornRead are checked at every commit. At the end each reader, left alone,
catches up with the market's last rows.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.markets.markets import MINUTE, NOON, swap, tick_batch
from tests.support.oracles.market_model import MarketModel, ModelChannel
from tests.support.processes.folders import runtime_folder
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.reader import ChannelReader, Route, Take
from tickflag.common.protocol.rows import CandleWish, RowReader, Rows
from tickflag.common.segment import layout
from tickflag.common.segment.layout import CANDLE_FIELDS, CLOSED, CONTROL_WORDS
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter

INTERVALS_S = (60, 300)
RATE_LIMIT_NS = 100
CAPACITY = 8
LARGEST = 32
DEPTH = 3
READERS = 3

_slots = st.integers(0, LARGEST - 1)  # modulo the number of symbols
_moves = st.sampled_from([0, 0, NS_PER_S, MINUTE, 7 * MINUTE])
_trades = st.tuples(st.just("trade"), _slots, _moves)
_acts = st.lists(_trades | _trades | st.tuples(st.sampled_from(["swap", "swap", "due", "watermark"])), max_size=3)
_between = st.tuples(_acts, _acts, _acts)  # after the reader loaded `closed`, after its take, after its copy
_numbers = st.integers(0, READERS - 1)
_QUIET: tuple[Any, Any, Any] = ((), (), ())
_traders = st.tuples(
    st.tuples(st.integers(0, len(INTERVALS_S)), st.booleans(), st.booleans()),
    st.integers(1, 4),
    st.sets(_slots, max_size=LARGEST // 2),
)


@dataclass
class CheckedReader:
    """A trader's side: place in a channel, rows, and what came of them."""

    segment: Segment
    channel: ChannelReader
    rows: RowReader
    fast_path: FastPath
    chunk: int
    announced: ModelChannel
    watched: Any
    fields: tuple[int, bool, bool]  # channel, with candles, mirror
    copies: dict[int, tuple[int, float, list[list[float]] | None]] = field(default_factory=dict)
    """Slot -> version, last price and candles when it was processed."""
    retry: set[int] = field(default_factory=set)
    reached: int = 0
    known: int = 0
    """Symbols when the reader last loaded the count."""


class UpdateProtocol(RuleBasedStateMachine):
    """One feed, three traders. Every trade has another price, so a price tells which update was seen."""

    @initialize(symbols=st.integers(1, CAPACITY), traders=st.lists(_traders, min_size=READERS, max_size=READERS))
    def start(self, symbols: int, traders: list[Any]) -> None:
        self.resources = ExitStack()
        self.runtime = self.resources.enter_context(runtime_folder())
        segment = Segment.create(self.runtime, layout.plan(CAPACITY, DEPTH, INTERVALS_S))
        segment.publish(self.runtime)
        self.market = MarketWriter(segment, RATE_LIMIT_NS, 0)
        self.model = MarketModel(tuple(s * NS_PER_S for s in INTERVALS_S), RATE_LIMIT_NS, 0)
        self.now_ns, self.event_ns, self.price = 1_000, NOON, 0.0
        self.prices: dict[tuple[int, int], float] = {}  # (slot, row version) -> last price
        for _ in range(symbols):
            self.new_symbol()
        self.readers = [self._started(*trader) for trader in traders]

    # --- the writer

    @rule()
    def new_symbol(self) -> None:
        """Give a symbol a slot without data. A full table starts a generation of twice the capacity."""
        count = len(self.market.symbols)
        if count == self.market.segment.layout.capacity:
            if count == LARGEST:
                return
            self.switch_generation()
        self.market.slot(f"S{count}")

    @rule(acts=_acts, wait=st.sampled_from([0, 1, 40, 100]))
    def write(self, acts: list[Any], wait: int) -> None:
        """Let the feed work for a while, and time pass."""
        self.now_ns += wait
        self._write(acts)

    @rule()
    def switch_generation(self) -> None:
        """Announce all that is pending, then publish a new segment; the readers of the old one have yet to notice."""
        if self.market.segment.layout.capacity == LARGEST:
            return
        self.market.announce_pending(self.now_ns)
        self.model.announce_due(self.now_ns, everything=True)
        self._swap()
        old = self.market.segment
        self.market = grown(self.market, self.runtime)
        self.market.segment.publish(self.runtime)
        self.model.begin_generation()
        old.path.unlink()
        old.close()

    def _write(self, acts: list[Any]) -> None:
        for name, *arguments in acts:
            match name:
                case "trade":
                    self._trade(*arguments)
                case "swap":
                    self._swap()
                case "due":
                    assert self.market.announce_due(self.now_ns) == self.model.announce_due(self.now_ns)
                case "watermark":
                    self.market.close_due(self.event_ns, self.now_ns)
                    self.model.close_due(self.event_ns - self.event_ns % (60 * NS_PER_S), self.now_ns)
                    self._note_prices()

    def _trade(self, number: int, move: int) -> None:
        slot = number % len(self.market.symbols)
        self.price += 1.0
        self.event_ns += move
        self.market.apply(tick_batch([slot], [self.price], self.event_ns), self.now_ns)
        self.model.trade(slot, self.event_ns, self.price, 1.0, self.now_ns)
        self._note_prices()

    def _note_prices(self) -> None:
        for slot, symbol in self.model.symbols.items():
            self.prices[slot, 2 * symbol.updates] = symbol.last

    def _swap(self) -> None:
        names = self.market.segment.channel_names
        told = [(names.index(e.channel), e.cycle, e.flagged, e.oldest_ns) for e in swap(self.market, self.now_ns)]
        assert told == [(a.channel, a.cycle, a.flagged, a.oldest_ns) for a in self.model.swap()]

    # --- the readers

    @rule(number=_numbers, trader=_traders)
    def restart(self, number: int, trader: Any) -> None:
        """End a trader, and begin another one that has seen nothing."""
        self.readers[number] = self._started(*trader)

    def _started(self, fields: tuple[int, bool, bool], chunk: int, not_watched: set[int]) -> CheckedReader:
        mask = np.array([slot not in not_watched for slot in range(LARGEST)], np.uint8)
        return self._attached(fields, chunk, mask)

    def _attached(self, fields: tuple[int, bool, bool], chunk: int, watched: Any) -> CheckedReader:
        channel, candles, mirror = fields
        segment = Segment.attach_current(self.runtime)
        wish = CandleWish(max(channel - 1, 0), DEPTH, tuple(range(len(CANDLE_FIELDS))), False) if candles else None
        reader = ChannelReader(segment, channel, watched[: segment.layout.capacity])
        rows = RowReader(segment, channel, wish, chunk, mirror)
        return CheckedReader(
            segment,
            reader,
            rows,
            FastPath(reader, rows),
            chunk,
            self.model.channels[channel],
            watched,
            fields,
        )

    @rule(number=_numbers)
    def notice(self, number: int) -> None:
        """Let a reader find the new generation, if there is one, and begin again on it: everything is dirty."""
        old = self.readers[number]
        if old.segment.path.name != self.runtime.read_pointer():
            self.readers[number] = self._attached(old.fields, old.chunk, old.watched)

    @rule(number=_numbers, slot=_slots)
    def change_watch_list(self, number: int, slot: int) -> None:
        """Put a symbol on the watch list, which makes it dirty, or remove it."""
        reader = self.readers[number]
        reader.watched[slot] ^= 1
        if slot >= len(reader.channel.seen):
            return
        if reader.watched[slot]:
            reader.channel.seen[slot] = 0
            reader.channel.require_exact()
        else:
            reader.copies.pop(slot, None)

    @rule(acts=_acts, between=_between)
    def wake_all_in_time(self, acts: list[Any], between: tuple[Any, Any, Any]) -> None:
        """Close a cycle and wake every reader at once by its event."""
        self._write(acts)
        self._swap()
        for number, reader in enumerate(self.readers):
            self._wake(reader, between=between if number == 0 else _QUIET)

    @rule(number=_numbers, locked=st.none() | _slots, between=_between, fused=st.booleans())
    def wake(self, number: int, locked: int | None, between: tuple[Any, Any, Any], fused: bool) -> None:
        """Wake a reader at any moment, on its fast path or by steps with the writer between. A row may be locked."""
        self._wake(self.readers[number], locked=locked, between=between, fused=fused)

    @rule(number=_numbers, between=_between)
    def process_all(self, number: int, between: tuple[Any, Any, Any]) -> None:
        """Let a reader process all symbols once, as in a fall-back or with tracking off."""
        self._wake(self.readers[number], everything=True, between=between)

    @rule(number=_numbers, everything=st.booleans(), told=st.booleans(), between=_between)
    def fail(self, number: int, everything: bool, told: bool, between: tuple[Any, Any, Any]) -> None:
        """Fail to commit a cycle. The reader is told to trust no flags, or ends before that."""
        self._wake(self.readers[number], everything, "properly" if told else "silently", between=between)

    def _wake(
        self,
        reader: CheckedReader,
        everything: bool = False,
        fails: str = "no",
        locked: int | None = None,
        between: tuple[Any, Any, Any] = _QUIET,
        fused: bool = True,
    ) -> None:
        taken = reader.fast_path.take(reader.known) if fused and not everything and locked is None else None
        closed, count = reader.channel.observe()
        reader.known = count
        self._write(between[0])
        take = taken[0] if taken else reader.channel.take(closed, count, everything)
        event(f"route {take.route.value}{', fused' if taken else ''}")
        self._write(between[1])
        processed, failed = self._process(reader, take, locked, taken[1] if taken else None)
        self._write(between[2])
        if fails != "no":
            if fails == "properly":
                reader.channel.require_exact()
            return
        slots = np.array(list(processed), np.int32)
        versions = np.array([copy[0] for copy in processed.values()], np.int64)
        reader.channel.commit(take, slots, versions, bool(failed))
        reader.copies.update(processed)
        reader.retry = failed
        self._check(reader, take, closed)

    def _process(
        self, reader: CheckedReader, take: Take, locked: int | None, first: Rows | None
    ) -> tuple[dict[int, tuple[int, float, Any]], set[int]]:
        """Copies of the taken rows, chunk by chunk, and the slots that stayed locked. `first` holds the rows of the
        first chunk."""
        versions = self.market.segment.arrays.versions
        slots = take.slots.copy()
        copies: dict[int, tuple[int, float, Any]] = {}
        failed: set[int] = set()
        current = any(reader.announced is channel for channel in self.model.channels)
        locks = slots[locked % len(slots) :][:1] if locked is not None and current and len(slots) else slots[:0]
        versions[locks] += 1
        for start in range(0, len(slots), reader.rows.limit):
            chunk = slots[start : start + reader.rows.limit]
            rows = first if first and start == 0 else reader.rows.read(chunk)
            for i, slot in enumerate(rows.slots.tolist()):
                copies[slot] = self._copied(reader, rows, i, slot)
            failed |= set(chunk.tolist()) - set(rows.slots.tolist())
            assert rows.failed == len(chunk) - len(rows.slots)
        versions[locks] -= 1
        assert failed == set(locks.tolist())
        return copies, failed

    def _copied(self, reader: CheckedReader, rows: Rows, i: int, slot: int) -> tuple[int, float, Any]:
        at = slot if reader.fields[2] else i
        candles = None
        if rows.candles is not None:
            assert rows.valid is not None
            candles = rows.candles[:, at].T[DEPTH - int(rows.valid[at]) :].tolist()
        return int(rows.versions[i]), float(rows.tickers["last"][at]), candles

    # --- what must stay true

    def _check(self, reader: CheckedReader, take: Take, closed: int) -> None:
        channel, number = reader.channel, reader.fields[0]
        # CursorClosed
        assert reader.reached <= channel.done <= max(closed, reader.reached)
        assert channel.done <= reader.segment.arrays.control[number * CONTROL_WORDS + CLOSED]
        reader.reached = channel.done
        # Conservation
        processed = len(take.slots) - len(reader.retry)
        assert take.flagged == processed + len(reader.retry) + take.already_seen + take.not_watched
        if take.route is Route.FAST:
            assert take.flagged == len(reader.announced.announced[take.target])
        # NoLostUpdate: every announced update is seen, or waits to be read again
        for cycle, announced in reader.announced.announced.items():
            for slot, version in announced.items():
                if cycle <= channel.done and reader.watched[slot] and slot not in reader.retry:
                    assert channel.seen[slot] >= version
        # NoTornRead: a copy is the row as one update left it
        for slot, (version, last, candles) in reader.copies.items():
            assert version == channel.seen[slot]
            if number == 0:
                assert last == self.prices[slot, version]
            if candles is not None and number > 0:
                rows = [candle.closed_row for candle in self.model.symbols[slot].closed[number - 1][:version]]
                assert candles == rows[-DEPTH:]

    @invariant()
    def cursor_closed(self) -> None:
        """No reader is ahead of its channel."""
        for reader in getattr(self, "readers", []):
            closed, _ = reader.channel.observe()
            assert reader.channel.done <= closed

    def teardown(self) -> None:
        """Latest-state coverage: once the feed rests, each reader gets the market's last rows and then comes to
        rest."""
        if not hasattr(self, "resources"):
            return
        with self.resources:
            self.market.announce_pending(self.now_ns)
            self.model.announce_due(self.now_ns, everything=True)
            self._swap()
            for number in range(len(self.readers)):
                self.notice(number)
                reader = self.readers[number]
                for _ in range(3):
                    if reader.channel.pending():
                        self._wake(reader)
                assert not reader.channel.pending()
                self._assert_up_to_date(reader)
            self.market.segment.close()

    def _assert_up_to_date(self, reader: CheckedReader) -> None:
        number = reader.fields[0]
        for slot in self.model.symbols:
            version = self.model.version(number, slot)
            if not reader.watched[slot] or version == 0:
                continue
            assert reader.channel.seen[slot] == version
            if number == 0:
                assert reader.copies[slot][1] == self.market.segment.arrays.tickers["last"][slot]


TestUpdateProtocol = UpdateProtocol.TestCase
TestUpdateProtocol.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
