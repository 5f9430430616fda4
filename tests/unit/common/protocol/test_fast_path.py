"""The fast path compared with the steps that it replaces: the same take and the same rows, or nothing taken."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tickflag.common.protocol.cycles
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.reader import ChannelReader, Route, Take
from tickflag.common.protocol.rows import CandleWish, RowReader, Rows
from tickflag.common.runtime import Runtime
from tickflag.common.segment import bitset
from tickflag.common.segment.layout import CANDLE_FIELDS
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter

CAPACITY, SYMBOLS = 80, 70
WISH = CandleWish(0, 2, tuple(range(len(CANDLE_FIELDS))), True)


pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    """70 symbols with data, in three words of flags, announced in one cycle."""
    with open_market(runtime, capacity=CAPACITY, symbols=SYMBOLS) as market:
        _trade(market, *range(SYMBOLS))
        swap(market)
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: MarketWriter) -> Iterator[Segment]:
    """The market's segment, as a trader maps it."""
    with Segment.attach_current(runtime) as segment:
        yield segment


def _trade(market: MarketWriter, *slots: int, event_ns: int = NOON, now_ns: int = 1) -> None:
    market.apply(tick_batch(slots, [10.0 + slot for slot in slots], event_ns), now_ns)


class FastPathHarness:
    """A reader that is up to date with its channel, and watches all but symbol 3."""

    def __init__(self, segment: Segment, wish: CandleWish | None, limit: int, mirror: bool, channel: int = 0) -> None:
        watched = np.ones(CAPACITY, np.uint8)
        watched[3] = 0
        self.channel = ChannelReader(segment, channel, watched)
        self.rows = RowReader(segment, channel, wish, limit, mirror)
        self.fast_path = FastPath(self.channel, self.rows)
        self.channel.commit(*self._everything(), retry=False)

    def _everything(self) -> tuple[Take, Any, Any]:
        take = self.channel.take(*self.channel.observe())
        return take, take.slots.copy(), self.channel.versions[take.slots].copy()

    def by_steps(self) -> tuple[Take, Rows, int]:
        """Take, rows of the first chunk and oldest update, step by step."""
        take = self.channel.take(*self.channel.observe())
        return take, self.rows.read(take.slots[: self.rows.limit]), self.channel.oldest_ns(take)


def _plain(take: Take) -> tuple[object, ...]:
    return (*take[:2], take.slots.tolist(), *take[3:])


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("wish", [None, WISH])
def test_it_takes_what_the_steps_take(
    market: MarketWriter, segment: Segment, wish: CandleWish | None, mirror: bool, channel: int
) -> None:
    """Flags, rows, candles and oldest update agree for a cycle with a symbol off the watch list and a locked row."""
    ours, theirs = (FastPathHarness(segment, wish, 70, mirror, channel) for _ in range(2))
    _trade(market, 0, 3, 31, 32, 69, event_ns=NOON + MINUTE, now_ns=400)
    _trade(market, 5, event_ns=NOON + MINUTE, now_ns=300)
    swap(market)
    market.segment.arrays.versions[31] += 1  # locked
    taken = ours.fast_path.take(SYMBOLS)
    assert taken is not None
    take, rows, oldest_ns = theirs.by_steps()
    assert _plain(taken[0]) == _plain(take)
    assert (take.route, take.slots.tolist(), take.not_watched) == (Route.FAST, [0, 5, 31, 32, 69], 1)
    assert taken[2] == oldest_ns == 300
    assert rows.failed == 1
    assert taken[1].tickers.tobytes() == rows.tickers.tobytes()  # NaN is not equal to itself
    for name in ("slots", "versions", "candles", "valid", "failed"):
        np.testing.assert_array_equal(getattr(taken[1], name), getattr(rows, name))


def test_only_the_first_rows_are_copied_where_there_are_many(market: MarketWriter, segment: Segment) -> None:
    """The take has all slots; rows are copied for as many as one read holds."""
    harness = FastPathHarness(segment, None, 2, mirror=False)
    _trade(market, 7, 8, 9)
    swap(market)
    taken = harness.fast_path.take(SYMBOLS)
    assert taken is not None
    assert taken[0].slots.tolist() == [7, 8, 9]
    assert (taken[1].slots.tolist(), taken[1].failed) == ([7, 8], 0)


def test_a_cycle_of_others_takes_no_row(market: MarketWriter, segment: Segment) -> None:
    """Only a symbol off the watch list changed: the cycle is taken, and has no work."""
    harness = FastPathHarness(segment, None, 70, mirror=False)
    _trade(market, 3)
    swap(market)
    taken = harness.fast_path.take(SYMBOLS)
    assert taken is not None
    assert (taken[0].slots.tolist(), taken[0].not_watched, len(taken[1].slots)) == ([], 1, 0)


def test_committed_it_is_where_the_steps_lead(market: MarketWriter, segment: Segment) -> None:
    """`done` follows the take, and the next cycle is one for the fast path again."""
    harness = FastPathHarness(segment, None, 70, mirror=False)
    for slot in (1, 2):
        _trade(market, slot)
        swap(market)
        taken = harness.fast_path.take(SYMBOLS)
        assert taken is not None
        harness.channel.commit(taken[0], taken[1].slots, taken[1].versions, retry=False)
        assert harness.channel.done == harness.channel.observe()[0]
    assert not harness.channel.pending()


class TestNothingTaken:
    """What the fast path leaves to the steps, which then find everything."""

    @pytest.fixture(params=[None, WISH])
    def harness(self, segment: Segment, request: pytest.FixtureRequest) -> FastPathHarness:
        return FastPathHarness(segment, request.param, 70, mirror=False)

    def test_without_a_new_cycle(self, harness: FastPathHarness) -> None:
        assert harness.fast_path.take(SYMBOLS) is None

    def test_after_a_gap(self, market: MarketWriter, harness: FastPathHarness) -> None:
        """Two cycles were closed since the last take."""
        for slot in (1, 2):
            _trade(market, slot)
            swap(market)
        assert harness.fast_path.take(SYMBOLS) is None
        assert harness.by_steps()[0].slots.tolist() == [1, 2]

    def test_with_a_new_symbol(self, market: MarketWriter, harness: FastPathHarness) -> None:
        """The watch list does not know the symbol yet."""
        market.slot("NEW")
        _trade(market, SYMBOLS)
        swap(market)
        assert harness.fast_path.take(SYMBOLS) is None
        assert harness.by_steps()[0].slots.tolist() == [SYMBOLS]

    def test_after_a_failure(self, market: MarketWriter, harness: FastPathHarness) -> None:
        """After a failure the flags are not trusted."""
        _trade(market, 1)
        swap(market)
        harness.channel.require_exact()
        assert harness.fast_path.take(SYMBOLS) is None
        assert harness.by_steps()[0].route is Route.EXACT

    def test_where_the_writer_laps_it(
        self, market: MarketWriter, segment: Segment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The buffer's stamp moves during the copy of the words, which are thrown away."""
        with plain_kernels():
            harness = FastPathHarness(segment, None, 70, mirror=False)
            copy = bitset.copy_words

            def copied(words: Any, out: Any) -> None:
                copy(words, out)
                monkeypatch.setattr(tickflag.common.protocol.cycles, "copy_words", copy)
                _trade(market, 2)
                swap(market)

            _trade(market, 1)
            swap(market)
            monkeypatch.setattr(tickflag.common.protocol.cycles, "copy_words", copied)
            assert harness.fast_path.take(SYMBOLS) is None
            assert harness.by_steps()[0].slots.tolist() == [1, 2]
