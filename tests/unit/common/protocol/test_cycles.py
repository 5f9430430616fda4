from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tickflag.common.protocol.cycles
import tickflag.common.protocol.reader
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.protocol.cycles import close_cycle, open_next, set_flag
from tickflag.common.protocol.reader import ChannelReader, Route, Take
from tickflag.common.protocol.rows import RowReader
from tickflag.common.runtime import Runtime
from tickflag.common.segment import bitset
from tickflag.common.segment.layout import CLOSED, CYCLE_RING, STAMP
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter

TICKER, ONE_MINUTE = 0, 1
CAPACITY = 40


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    """35 symbols, so that flags take two words; nothing announced yet."""
    with open_market(runtime, capacity=CAPACITY, symbols=35) as market:
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: MarketWriter) -> Iterator[Segment]:
    """The market's segment, as a trader maps it."""
    with Segment.attach_current(runtime) as segment:
        yield segment


class ChannelHarness:
    """A reader that watches every symbol, or those given."""

    def __init__(self, segment: Segment, channel: int = TICKER, watched: list[int] | None = None) -> None:
        mask = np.zeros(CAPACITY, np.uint8)
        mask[watched if watched is not None else slice(None)] = 1
        self.channel = ChannelReader(segment, channel, mask)
        self.rows = RowReader(segment, channel, None, CAPACITY)

    def take(self, everything: bool = False) -> Take:
        return self.channel.take(*self.channel.observe(), everything)

    def commit(self, take: Take) -> None:
        """Read the rows of a take and commit it."""
        rows = self.rows.read(take.slots)
        self.channel.commit(take, rows.slots, rows.versions, rows.failed > 0)

    def step(self, everything: bool = False) -> tuple[Route, list[int]]:
        """A whole cycle; gives its route and the slots."""
        take = self.take(everything)
        slots = take.slots.tolist()
        self.commit(take)
        return take.route, slots


@pytest.fixture
def harness(segment: Segment) -> ChannelHarness:
    """A reader of `ticker` that is up to date with the empty market."""
    harness = ChannelHarness(segment)
    harness.step()
    return harness


def _trade(market: MarketWriter, *slots: int, price: float = 1.0, event_ns: int = NOON) -> None:
    market.apply(tick_batch(slots, [price] * len(slots), event_ns), 1)


pytestmark = pytest.mark.usefixtures("kernels")


def test_a_new_reader_compares_versions(market: MarketWriter, segment: Segment) -> None:
    """The first take is exact, covers everything that holds data, and leaves nothing pending."""
    _trade(market, 3, 34)
    harness = ChannelHarness(segment)
    assert (harness.channel.pending(), harness.channel.owes_exact) == (True, True)
    assert harness.step() == (Route.EXACT, [3, 34])
    assert (harness.channel.pending(), harness.channel.owes_exact) == (False, False)


def test_the_next_cycle_is_read_by_its_flags(market: MarketWriter, harness: ChannelHarness) -> None:
    """A reader that misses nothing takes the fast path each time, and gets only the flagged symbols."""
    for cycle, slot in enumerate([0, 31, 32, 34], start=1):
        _trade(market, slot)
        assert not harness.channel.pending()  # not announced yet
        [event] = swap(market)
        assert harness.channel.pending()
        assert harness.channel.observe() == (event.cycle, 35) == (cycle, 35)
        assert harness.step() == (Route.FAST, [slot])
        assert harness.channel.done == cycle


def test_without_a_cycle_there_is_nothing_to_do(market: MarketWriter, harness: ChannelHarness) -> None:
    """An event of a covered cycle leads to no work and moves nothing."""
    _trade(market, 1)
    swap(market)
    harness.step()
    take = harness.take()
    assert (take.route, take.target, take.slots.tolist(), take.symbols) == (Route.NOTHING, 1, [], 35)
    harness.commit(take)
    assert harness.channel.done == 1


def test_missed_cycles_are_made_good_by_versions(market: MarketWriter, harness: ChannelHarness) -> None:
    """EventsAreHints: a reader that slept over cycles finds exactly the symbols that changed in any of them."""
    for slot in (5, 6, 5, 7):
        _trade(market, slot)
        swap(market)
    assert harness.step() == (Route.EXACT, [5, 6, 7])
    assert harness.channel.done == 4
    assert harness.step() == (Route.NOTHING, [])


def test_a_second_update_in_the_same_cycle_is_seen(market: MarketWriter, harness: ChannelHarness) -> None:
    """A row that changes after it was copied differs from `seen`: its later flag is no repetition."""
    _trade(market, 4)
    swap(market)
    take = harness.take()
    harness.commit(take)
    _trade(market, 4)
    swap(market)
    assert harness.step() == (Route.FAST, [4])


def test_flags_of_what_was_read_already_are_counted(market: MarketWriter, harness: ChannelHarness) -> None:
    """Conservation: a flagged update that an earlier copy held already is neither processed again nor lost."""
    _trade(market, 4)
    swap(market)
    take = harness.take()
    _trade(market, 4)  # between take and copy
    harness.commit(take)
    _trade(market, 8)
    swap(market)
    take = harness.take()
    assert (take.slots.tolist(), take.flagged, take.already_seen, take.not_watched) == ([8], 2, 1, 0)


def test_what_is_not_watched_is_counted_and_not_processed(market: MarketWriter, segment: Segment) -> None:
    """Conservation: flagged symbols off the watch list are counted; on neither path they are processed."""
    harness = ChannelHarness(segment, watched=[1, 33])
    _trade(market, 0, 1)
    swap(market)
    assert harness.step() == (Route.EXACT, [1])
    _trade(market, 1, 2, 33, 34)
    swap(market)
    take = harness.take()
    assert (take.slots.tolist(), take.flagged, take.already_seen, take.not_watched) == ([1, 33], 4, 0, 2)


@pytest.mark.usefixtures("kernels")
def test_a_flag_is_set_in_the_open_cycle(market: MarketWriter) -> None:
    """Cycle W marks symbols in buffer W mod 2 of its own channel; only the first mark of a symbol changes anything."""
    arrays = market.segment.arrays
    for cycle in (1, 2):
        assert [set_flag(arrays.control, arrays.flags, ONE_MINUTE, slot) for slot in (3, 34, 3)] == [True, True, False]
        assert arrays.flags[ONE_MINUTE, cycle % 2].tolist() == [1 << 3, 1 << 2]
        assert not arrays.flags[TICKER].any()
        close_cycle(arrays.control, arrays.cycles, ONE_MINUTE, 1)
        open_next(arrays.control, arrays.flags, ONE_MINUTE)


def test_all_takes_everything_that_holds_data(market: MarketWriter, harness: ChannelHarness) -> None:
    """Processing all takes each symbol with a row, changed or not; `done` and `seen` stay right for the way back."""
    _trade(market, 1, 2)
    swap(market)
    assert harness.step(everything=True) == (Route.ALL, [1, 2])
    assert harness.step(everything=True) == (Route.ALL, [1, 2])
    _trade(market, 9)
    swap(market)
    assert harness.step() == (Route.FAST, [9])


def test_a_dropped_take_is_found_again(market: MarketWriter, harness: ChannelHarness) -> None:
    """After a failure nothing has moved, and the next take compares versions."""
    _trade(market, 3)
    swap(market)
    harness.take()
    harness.channel.require_exact()
    assert harness.channel.owes_exact
    assert harness.channel.done == 0
    _trade(market, 4)
    swap(market)
    assert harness.step() == (Route.EXACT, [3, 4])
    assert not harness.channel.owes_exact


def test_a_take_tells_whether_flags_were_gone(market: MarketWriter, segment: Segment) -> None:
    """So it is where more than one cycle was closed since the last take; not at the start, on request or on the fast
    path."""
    harness = ChannelHarness(segment)
    lapped = []
    for cycles in (3, 1, 2, 1):
        for slot in range(cycles):
            _trade(market, slot)
            swap(market)
        take = harness.take()
        harness.commit(take)
        lapped.append((take.route, take.lapped))
    harness.channel.require_exact()
    assert not harness.take().lapped
    assert lapped == [(Route.EXACT, False), (Route.FAST, False), (Route.EXACT, True), (Route.FAST, False)]


def test_a_request_made_during_a_take_is_served_by_the_next_one(market: MarketWriter, harness: ChannelHarness) -> None:
    """A watch list that changes while a cycle is processed counts in the next take, though this take commits."""
    _trade(market, 3)
    swap(market)
    take = harness.take()
    harness.channel.require_exact()
    harness.commit(take)
    assert harness.channel.owes_exact
    assert harness.step() == (Route.EXACT, [])


def test_a_symbol_that_enters_the_watch_list_is_dirty(market: MarketWriter, segment: Segment) -> None:
    """With `seen` forgotten and the exact path required, the new symbol is taken without a further update."""
    harness = ChannelHarness(segment, watched=[1])
    _trade(market, 1, 2)
    swap(market)
    harness.step()
    harness.channel.watched[2] = 1
    harness.channel.seen[2] = 0
    harness.channel.require_exact()
    assert harness.step() == (Route.EXACT, [2])


def test_a_locked_row_is_retried(market: MarketWriter, harness: ChannelHarness) -> None:
    """Progress: a row that could not be read is pending until it is read, and does not keep others from being
    committed."""
    _trade(market, 3, 4)
    swap(market)
    market.segment.arrays.versions[3] += 1  # the writer is in the middle of it
    take = harness.take()
    assert take.slots.tolist() == [3, 4]
    harness.commit(take)
    assert (harness.channel.done, harness.channel.seen[4]) == (1, 2)
    assert harness.channel.pending()
    assert harness.step() == (Route.EXACT, [3])
    assert harness.channel.owes_exact
    market.segment.arrays.versions[3] += 1
    assert harness.step() == (Route.EXACT, [3])
    assert not harness.channel.pending()


def test_candle_channels_have_cycles_of_their_own(market: MarketWriter, segment: Segment) -> None:
    """A closed candle is announced in its interval's channel; a tick alone wakes nobody there."""
    harness = ChannelHarness(segment, ONE_MINUTE)
    harness.step()
    _trade(market, 5, 6)
    swap(market)
    assert not harness.channel.pending()
    _trade(market, 5, event_ns=NOON + MINUTE)
    events = swap(market)
    assert [(event.channel, event.cycle, event.flagged) for event in events] == [("ticker", 2, 1), ("1m", 1, 1)]
    assert harness.step() == (Route.FAST, [5])
    assert harness.step(everything=True) == (Route.ALL, [5])


def test_new_symbols_are_covered_by_the_count(market: MarketWriter, harness: ChannelHarness) -> None:
    """The count is read after `closed`, so the slot of a flagged symbol is always below it."""
    market.slot("NEW")
    _trade(market, 35)
    swap(market)
    assert harness.channel.observe() == (1, 36)
    assert harness.step() == (Route.FAST, [35])


def test_the_watch_list_covers_the_capacity(segment: Segment) -> None:
    """A watch list that is shorter than the capacity is refused."""
    with pytest.raises(ValueError, match="needs 40 bytes"):
        ChannelReader(segment, TICKER, np.ones(35, np.uint8))


def test_the_oldest_update_is_known_over_missed_cycles(market: MarketWriter, harness: ChannelHarness) -> None:
    """The latency of a take counts from the oldest update in any cycle that it covers."""
    for now_ns in (500, 300, 900):
        market.apply(tick_batch([1], [1.0]), now_ns)
        [event] = swap(market, now_ns)
        assert event.oldest_ns == now_ns
    take = harness.take()
    assert harness.channel.oldest_ns(take) == 300
    harness.commit(take)
    assert harness.channel.oldest_ns(take) == 0


def test_the_oldest_update_of_long_ago_is_forgotten(market: MarketWriter, harness: ChannelHarness) -> None:
    """If a take covers more cycles than the ring holds, only the newest count; a cycle whose entry was replaced counts
    nothing."""
    for now_ns in range(1, CYCLE_RING + 11):
        market.apply(tick_batch([1], [1.0]), now_ns)
        swap(market, now_ns)
    take = harness.take()
    assert harness.channel.oldest_ns(take) == 11
    old = Take(Route.FAST, 5, take.slots, 0, 0, 0, 35)
    assert harness.channel.oldest_ns(old) == 0


class TestTrouble:
    """Flags that the protocol never makes are reported once; the versions find what changed."""

    def test_none(self, market: MarketWriter, harness: ChannelHarness) -> None:
        _trade(market, 4)
        swap(market)
        harness.step()
        assert harness.channel.pop_trouble() == ""

    def test_a_flag_beyond_the_last_symbol(
        self, market: MarketWriter, segment: Segment, harness: ChannelHarness
    ) -> None:
        _trade(market, 4)
        bitset.set_bit(market.segment.arrays.flags[TICKER, 1], 37)
        swap(market)
        take = harness.take()
        assert (take.slots.tolist(), take.flagged, take.not_watched) == ([4], 2, 1)
        harness.commit(take)
        assert harness.channel.pop_trouble() == "a flag is set beyond the last symbol"
        assert harness.channel.pop_trouble() == ""
        assert harness.channel.owes_exact

    def test_a_stamp_of_another_cycle(self, market: MarketWriter, harness: ChannelHarness) -> None:
        _trade(market, 4)
        [event] = swap(market)
        market.segment.arrays.control[STAMP + event.cycle % 2] = event.cycle + 2
        assert harness.take().lapped
        assert harness.step() == (Route.EXACT, [4])
        assert harness.channel.pop_trouble() == "a buffer does not bear the stamp of its cycle"

    def test_a_cycle_that_goes_back(self, market: MarketWriter, harness: ChannelHarness) -> None:
        for slot in (4, 5):
            _trade(market, slot)
            swap(market)
            harness.step()
        market.segment.arrays.control[CLOSED] = 1
        _trade(market, 6)
        assert harness.step() == (Route.EXACT, [6])
        assert harness.channel.done == 2
        assert harness.channel.pop_trouble() == "the closed cycle went back from 2 to 1"


class TestInterleavings:
    """The reader's steps with the writer's in between, forced one by one on the plain twins."""

    @pytest.fixture(autouse=True)
    def _plain(self) -> Iterator[None]:
        with plain_kernels(tickflag.common.protocol.cycles, tickflag.common.protocol.reader):
            yield

    @staticmethod
    def _after_copy(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
        """Let the writer act once, after the copy of the flag words and before the second look at the stamp."""
        copy = bitset.copy_words
        calls: list[int] = []

        def copied(words: Any, out: Any) -> None:
            copy(words, out)
            if not calls:
                calls.append(1)
                act()

        monkeypatch.setattr(tickflag.common.protocol.cycles, "copy_words", copied)

    def test_a_reader_lapped_during_the_copy_takes_the_exact_path(
        self, market: MarketWriter, harness: ChannelHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stamp moved between the two looks: the copied words are thrown away, and nothing is lost."""
        _trade(market, 1)
        swap(market)

        def lap() -> None:
            _trade(market, 2)
            swap(market)

        self._after_copy(monkeypatch, lap)
        assert harness.step() == (Route.EXACT, [1, 2])
        assert harness.channel.done == 1
        assert harness.step() == (Route.FAST, [])
        assert harness.channel.done == 2

    def test_a_reader_lapped_before_the_copy_takes_the_exact_path(
        self, market: MarketWriter, harness: ChannelHarness
    ) -> None:
        """The stamp is already another one at the first look."""
        _trade(market, 1)
        swap(market)
        seen = harness.channel.observe()
        _trade(market, 2)
        swap(market)
        take = harness.channel.take(*seen)
        assert (take.route, take.target, take.slots.tolist()) == (Route.EXACT, 1, [1, 2])

    def test_flags_set_meanwhile_in_the_other_buffer_do_no_harm(
        self, market: MarketWriter, harness: ChannelHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The read buffer is full: updates of the open cycle go to the write buffer."""
        _trade(market, 1)
        swap(market)
        self._after_copy(monkeypatch, lambda: _trade(market, 2))
        assert harness.step() == (Route.FAST, [1])
        swap(market)
        assert harness.step() == (Route.FAST, [2])

    def test_a_cycle_entry_replaced_meanwhile_counts_nothing(
        self, market: MarketWriter, harness: ChannelHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The ring's entry is looked at twice, so a time of another cycle does not count."""
        market.apply(tick_batch([1], [1.0]), 7)
        swap(market)
        take = harness.take()
        entry = market.segment.arrays.cycles[TICKER, 1]

        def replace() -> None:
            entry[:] = (1 + CYCLE_RING, 3)

        assert harness.channel.oldest_ns(take) == 7
        monkeypatch.setattr(tickflag.common.protocol.cycles, "fence_acquire", replace)
        assert harness.channel.oldest_ns(take) == 0


def test_a_failed_event_keeps_the_protocol_whole(market: MarketWriter, harness: ChannelHarness) -> None:
    """Where sending an event raises, the cycles are closed and the next ones opened all the same: no update is lost."""

    def refuse(_swap: object) -> None:
        raise OSError("no socket")

    _trade(market, 1)
    _trade(market, 1, event_ns=NOON + MINUTE)  # closes a candle: two channels have flags
    with pytest.raises(OSError, match="no socket"):
        market.swap(refuse, 1)
    assert harness.step() == (Route.FAST, [1])
    assert not market.dirty
    assert swap(market) == []
    _trade(market, 2)
    _trade(market, 2, event_ns=NOON + MINUTE)
    assert [(event.channel, event.cycle) for event in swap(market)] == [("ticker", 2), ("1m", 2)]
    assert harness.step() == (Route.FAST, [2])
