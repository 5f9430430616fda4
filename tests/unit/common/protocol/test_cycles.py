from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import common.swap
from common import bitset
from common.layout import CLOSED, CYCLE_RING, STAMP
from common.rows import RowReader
from common.runtime import Runtime
from common.segment import Segment
from common.swap import ChannelReader, Route, Take
from services.feed.market import Market
from tests.support.kernels import plain_kernels
from tests.support.markets import MINUTE, NOON, open_market, swap, tick_batch

TICKER, ONE_MINUTE = 0, 1
CAPACITY = 40


@pytest.fixture
def market(runtime: Runtime) -> Iterator[Market]:
    """35 symbols, so that flags take two words; nothing announced yet."""
    with open_market(runtime, capacity=CAPACITY, symbols=35) as market:
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: Market) -> Iterator[Segment]:
    """The market's segment as a trader has it."""
    with Segment.attach_current(runtime) as segment:
        yield segment


class Trader:
    """A reader that watches every symbol, or those given."""

    def __init__(self, segment: Segment, channel: int = TICKER, watched: list[int] | None = None) -> None:
        mask = np.zeros(CAPACITY, np.uint8)
        mask[watched if watched is not None else slice(None)] = 1
        self.channel = ChannelReader(segment, channel, mask)
        self.rows = RowReader(segment, channel, None, CAPACITY)

    def take(self, everything: bool = False) -> Take:
        return self.channel.take(*self.channel.observe(), everything)

    def commit(self, take: Take) -> None:
        """Read what was taken and commit it."""
        rows = self.rows.read(take.slots)
        self.channel.commit(take, rows.slots, rows.versions, rows.failed > 0)

    def turn(self, everything: bool = False) -> tuple[Route, list[int]]:
        """A whole cycle; gives its route and the slots."""
        take = self.take(everything)
        slots = take.slots.tolist()
        self.commit(take)
        return take.route, slots


@pytest.fixture
def trader(segment: Segment) -> Trader:
    """A reader of `ticker` that is up to date with the empty market."""
    trader = Trader(segment)
    trader.turn()
    return trader


def _trade(market: Market, *slots: int, price: float = 1.0, event_ns: int = NOON) -> None:
    market.apply(tick_batch(slots, [price] * len(slots), event_ns), 1)


pytestmark = pytest.mark.usefixtures("kernels")


def test_a_new_reader_compares_versions(market: Market, segment: Segment) -> None:
    """The first take is exact, covers everything that holds data, and leaves nothing pending."""
    _trade(market, 3, 34)
    trader = Trader(segment)
    assert (trader.channel.pending(), trader.channel.owes_exact) == (True, True)
    assert trader.turn() == (Route.EXACT, [3, 34])
    assert (trader.channel.pending(), trader.channel.owes_exact) == (False, False)


def test_the_next_cycle_is_read_by_its_flags(market: Market, trader: Trader) -> None:
    """A reader that misses nothing takes the fast path each time, and only the flagged symbols."""
    for cycle, slot in enumerate([0, 31, 32, 34], start=1):
        _trade(market, slot)
        assert not trader.channel.pending()  # not announced yet
        [event] = swap(market)
        assert trader.channel.pending()
        assert trader.channel.observe() == (event.cycle, 35) == (cycle, 35)
        assert trader.turn() == (Route.FAST, [slot])
        assert trader.channel.done == cycle


def test_without_a_cycle_there_is_nothing_to_do(market: Market, trader: Trader) -> None:
    """An event for a cycle that is done leads to no work and moves nothing."""
    _trade(market, 1)
    swap(market)
    trader.turn()
    take = trader.take()
    assert (take.route, take.target, take.slots.tolist(), take.symbols) == (Route.NOTHING, 1, [], 35)
    trader.commit(take)
    assert trader.channel.done == 1


def test_missed_cycles_are_made_good_by_versions(market: Market, trader: Trader) -> None:
    """EventsAreHints: a reader that slept over cycles finds exactly the symbols that changed in any of them."""
    for slot in (5, 6, 5, 7):
        _trade(market, slot)
        swap(market)
    assert trader.turn() == (Route.EXACT, [5, 6, 7])
    assert trader.channel.done == 4
    assert trader.turn() == (Route.NOTHING, [])


def test_a_second_update_in_the_same_cycle_is_seen(market: Market, trader: Trader) -> None:
    """A row that changes after it was copied differs from `seen`: its later flag is no repetition."""
    _trade(market, 4)
    swap(market)
    take = trader.take()
    trader.commit(take)
    _trade(market, 4)
    swap(market)
    assert trader.turn() == (Route.FAST, [4])


def test_flags_of_what_was_read_already_are_counted(market: Market, trader: Trader) -> None:
    """Conservation: an update that a former copy held already is flagged, and neither processed again nor lost."""
    _trade(market, 4)
    swap(market)
    take = trader.take()
    _trade(market, 4)  # between take and copy
    trader.commit(take)
    _trade(market, 8)
    swap(market)
    take = trader.take()
    assert (take.slots.tolist(), take.flagged, take.already_seen, take.not_watched) == ([8], 2, 1, 0)


def test_what_is_not_watched_is_counted_and_not_processed(market: Market, segment: Segment) -> None:
    """Conservation: flagged symbols off the watch list are counted, on either path none of them is taken."""
    trader = Trader(segment, watched=[1, 33])
    _trade(market, 0, 1)
    swap(market)
    assert trader.turn() == (Route.EXACT, [1])
    _trade(market, 1, 2, 33, 34)
    swap(market)
    take = trader.take()
    assert (take.slots.tolist(), take.flagged, take.already_seen, take.not_watched) == ([1, 33], 4, 0, 2)


def test_all_takes_everything_that_holds_data(market: Market, trader: Trader) -> None:
    """Processing all takes each symbol with a row, changed or not; `done` and `seen` stay true for the way back."""
    _trade(market, 1, 2)
    swap(market)
    assert trader.turn(everything=True) == (Route.ALL, [1, 2])
    assert trader.turn(everything=True) == (Route.ALL, [1, 2])
    _trade(market, 9)
    swap(market)
    assert trader.turn() == (Route.FAST, [9])


def test_a_dropped_take_is_found_again(market: Market, trader: Trader) -> None:
    """After a failure nothing has moved, and the next take compares versions."""
    _trade(market, 3)
    swap(market)
    trader.take()
    trader.channel.require_exact()
    assert trader.channel.owes_exact
    assert trader.channel.done == 0
    _trade(market, 4)
    swap(market)
    assert trader.turn() == (Route.EXACT, [3, 4])
    assert not trader.channel.owes_exact


def test_a_requirement_during_a_take_is_owed_to_the_next(market: Market, trader: Trader) -> None:
    """A watch list that changes while a cycle is processed is looked at by the next take, though this one commits."""
    _trade(market, 3)
    swap(market)
    take = trader.take()
    trader.channel.require_exact()
    trader.commit(take)
    assert trader.channel.owes_exact
    assert trader.turn() == (Route.EXACT, [])


def test_a_symbol_that_enters_the_watch_list_is_dirty(market: Market, segment: Segment) -> None:
    """With `seen` forgotten and the exact path required, the newcomer is taken without a further update of it."""
    trader = Trader(segment, watched=[1])
    _trade(market, 1, 2)
    swap(market)
    trader.turn()
    trader.channel.watched[2] = 1
    trader.channel.seen[2] = 0
    trader.channel.require_exact()
    assert trader.turn() == (Route.EXACT, [2])


def test_a_locked_row_is_retried(market: Market, trader: Trader) -> None:
    """Progress: a row that could not be read is pending until it was, and keeps no other from being committed."""
    _trade(market, 3, 4)
    swap(market)
    market.segment.arrays.versions[3] += 1  # the writer is in the middle of it
    take = trader.take()
    assert take.slots.tolist() == [3, 4]
    trader.commit(take)
    assert (trader.channel.done, trader.channel.seen[4]) == (1, 2)
    assert trader.channel.pending()
    assert trader.turn() == (Route.EXACT, [3])
    assert trader.channel.owes_exact
    market.segment.arrays.versions[3] += 1
    assert trader.turn() == (Route.EXACT, [3])
    assert not trader.channel.pending()


def test_candle_channels_have_cycles_of_their_own(market: Market, segment: Segment) -> None:
    """A closed candle is announced in its interval's channel; a tick alone wakes nobody there."""
    trader = Trader(segment, ONE_MINUTE)
    trader.turn()
    _trade(market, 5, 6)
    swap(market)
    assert not trader.channel.pending()
    _trade(market, 5, event_ns=NOON + MINUTE)
    events = swap(market)
    assert [(event.channel, event.cycle, event.flagged) for event in events] == [("ticker", 2, 1), ("1m", 1, 1)]
    assert trader.turn() == (Route.FAST, [5])
    assert trader.turn(everything=True) == (Route.ALL, [5])


def test_new_symbols_are_covered_by_the_count(market: Market, trader: Trader) -> None:
    """The count is read after `closed`, so a flagged symbol always lies below it."""
    market.slot("NEW")
    _trade(market, 35)
    swap(market)
    assert trader.channel.observe() == (1, 36)
    assert trader.turn() == (Route.FAST, [35])


def test_the_watch_list_covers_the_capacity(segment: Segment) -> None:
    """A watch list that a slot could lie beyond is refused."""
    with pytest.raises(ValueError, match="needs 40 bytes"):
        ChannelReader(segment, TICKER, np.ones(35, np.uint8))


def test_the_oldest_update_is_known_over_missed_cycles(market: Market, trader: Trader) -> None:
    """The latency of a take counts from the oldest update in any cycle that it covers."""
    for now_ns in (500, 300, 900):
        market.apply(tick_batch([1], [1.0]), now_ns)
        [event] = swap(market, now_ns)
        assert event.oldest_ns == now_ns
    take = trader.take()
    assert trader.channel.oldest_ns(take) == 300
    trader.commit(take)
    assert trader.channel.oldest_ns(take) == 0


def test_the_oldest_update_of_long_ago_is_forgotten(market: Market, trader: Trader) -> None:
    """Of more cycles than the ring holds only the newest count, and a cycle whose entry was replaced counts nothing."""
    for now_ns in range(1, CYCLE_RING + 11):
        market.apply(tick_batch([1], [1.0]), now_ns)
        swap(market, now_ns)
    take = trader.take()
    assert trader.channel.oldest_ns(take) == 11
    old = Take(Route.FAST, 5, take.slots, 0, 0, 0, 35)
    assert trader.channel.oldest_ns(old) == 0


class TestTrouble:
    """Flags that the protocol never makes: noticed once, and made good by the versions."""

    def test_none(self, market: Market, trader: Trader) -> None:
        _trade(market, 4)
        swap(market)
        trader.turn()
        assert trader.channel.take_trouble() == ""

    def test_a_flag_beyond_the_last_symbol(self, market: Market, segment: Segment, trader: Trader) -> None:
        _trade(market, 4)
        bitset.set_bit(market.segment.arrays.flags[TICKER, 1], 37)
        swap(market)
        take = trader.take()
        assert (take.slots.tolist(), take.flagged, take.not_watched) == ([4], 2, 1)
        trader.commit(take)
        assert trader.channel.take_trouble() == "a flag is set beyond the last symbol"
        assert trader.channel.take_trouble() == ""
        assert trader.channel.owes_exact

    def test_a_stamp_of_another_cycle(self, market: Market, trader: Trader) -> None:
        _trade(market, 4)
        [event] = swap(market)
        market.segment.arrays.control[STAMP + event.cycle % 2] = event.cycle + 2
        assert trader.turn() == (Route.EXACT, [4])
        assert trader.channel.take_trouble() == "a buffer does not bear the stamp of its cycle"

    def test_a_cycle_that_goes_back(self, market: Market, trader: Trader) -> None:
        for slot in (4, 5):
            _trade(market, slot)
            swap(market)
            trader.turn()
        market.segment.arrays.control[CLOSED] = 1
        _trade(market, 6)
        assert trader.turn() == (Route.EXACT, [6])
        assert trader.channel.done == 2
        assert trader.channel.take_trouble() == "the closed cycle went back from 2 to 1"


class TestInterleavings:
    """The reader's steps with the writer's in between, forced one by one on the plain twins."""

    @pytest.fixture(autouse=True)
    def _plain(self) -> Iterator[None]:
        with plain_kernels(common.swap):
            yield

    @staticmethod
    def _after_copy(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
        """Let the writer act once, after the flag words were copied and before the stamp is looked at again."""
        copy = bitset.copy_words
        calls: list[int] = []

        def copied(words: Any, out: Any) -> None:
            copy(words, out)
            if not calls:
                calls.append(1)
                act()

        monkeypatch.setattr(common.swap, "copy_words", copied)

    def test_a_reader_lapped_during_the_copy_takes_the_exact_path(
        self, market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stamp moved between the two looks: the copied words are thrown away and nothing is lost."""
        _trade(market, 1)
        swap(market)

        def lap() -> None:
            _trade(market, 2)
            swap(market)

        self._after_copy(monkeypatch, lap)
        assert trader.turn() == (Route.EXACT, [1, 2])
        assert trader.channel.done == 1
        assert trader.turn() == (Route.FAST, [])
        assert trader.channel.done == 2

    def test_a_reader_lapped_before_the_copy_takes_the_exact_path(self, market: Market, trader: Trader) -> None:
        """The stamp is another one at the first look already."""
        _trade(market, 1)
        swap(market)
        seen = trader.channel.observe()
        _trade(market, 2)
        swap(market)
        take = trader.channel.take(*seen)
        assert (take.route, take.target, take.slots.tolist()) == (Route.EXACT, 1, [1, 2])

    def test_flags_set_meanwhile_in_the_other_buffer_do_no_harm(
        self, market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The read buffer is the one just filled: updates of the open cycle go to the other one."""
        _trade(market, 1)
        swap(market)
        self._after_copy(monkeypatch, lambda: _trade(market, 2))
        assert trader.turn() == (Route.FAST, [1])
        swap(market)
        assert trader.turn() == (Route.FAST, [2])

    def test_a_cycle_entry_replaced_meanwhile_counts_nothing(
        self, market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The ring's entry is looked at twice: a time that belongs to another cycle is not taken."""
        market.apply(tick_batch([1], [1.0]), 7)
        swap(market)
        take = trader.take()
        entry = market.segment.arrays.cycles[TICKER, 1]

        def replace() -> None:
            entry[:] = (1 + CYCLE_RING, 3)

        assert trader.channel.oldest_ns(take) == 7
        monkeypatch.setattr(common.swap, "fence_acquire", replace)
        assert trader.channel.oldest_ns(take) == 0


def test_a_failed_event_keeps_the_protocol_whole(market: Market, trader: Trader) -> None:
    """Where sending an event raises, the cycles are closed and the next ones open all the same: no update is lost."""

    def refuse(_swap: object) -> None:
        raise OSError("no socket")

    _trade(market, 1)
    _trade(market, 1, event_ns=NOON + MINUTE)  # closes a candle: two channels have flags
    with pytest.raises(OSError, match="no socket"):
        market.swap(refuse, 1)
    assert trader.turn() == (Route.FAST, [1])
    assert not market.dirty
    assert swap(market) == []
    _trade(market, 2)
    _trade(market, 2, event_ns=NOON + MINUTE)
    assert [(event.channel, event.cycle) for event in swap(market)] == [("ticker", 2), ("1m", 2)]
    assert trader.turn() == (Route.FAST, [2])
