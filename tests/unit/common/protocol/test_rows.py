from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tickflag.common.protocol.rows
from tests.support.markets.markets import MINUTE, NOON, open_market, tick_batch
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.protocol.rows import (
    AHEAD,
    MAX_TRIES,
    CandleWish,
    RowReader,
    Rows,
    begin_row,
    end_row,
    publish_head,
)
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import CANDLE_FIELDS, CLOSE, TIME, TRADES
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter

ALL_FIELDS = tuple(range(len(CANDLE_FIELDS)))


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    """Four symbols; candles of 1 and 5 minutes, with rings of 5."""
    with open_market(runtime, capacity=8, depth=5, symbols=4) as market:
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: MarketWriter) -> Iterator[Segment]:
    """The market's segment, as a trader maps it."""
    with Segment.attach_current(runtime) as segment:
        yield segment


def _slots(*slots: int) -> Any:
    return np.array(slots, np.int32)


def _trade(market: MarketWriter, slot: int, price: float, minute: int = 0) -> None:
    market.apply(tick_batch([slot], [price], NOON + minute * MINUTE), 1)


def _candles(rows: Rows) -> Any:
    assert rows.candles is not None
    return rows.candles.tolist()


@pytest.mark.usefixtures("kernels")
def test_a_row_is_odd_while_it_is_written(market: MarketWriter, segment: Segment) -> None:
    """Between `begin_row` and `end_row` nobody reads the row; then its version is the next even one."""
    versions = market.segment.arrays.versions
    reader = RowReader(segment, 0, None, 4)
    for update in (1, 2):
        version = begin_row(versions, 3)
        assert (version, int(versions[3])) == (2 * update, 2 * update - 1)
        assert reader.read(_slots(3)).failed == 1
        end_row(versions, 3, version)
        assert reader.read(_slots(3)).versions.tolist() == [2 * update]
    assert not versions[:3].any()


@pytest.mark.usefixtures("kernels")
def test_a_candle_counts_when_its_head_is_published(market: MarketWriter, segment: Segment) -> None:
    """Until then a reader does not see the candle in the ring."""
    arrays = market.segment.arrays
    arrays.rings[0, 2, CLOSE, 0] = 7.0
    reader = RowReader(segment, 1, CandleWish(0, 1, (CLOSE,), False), 1)
    np.testing.assert_array_equal(_candles(reader.read(_slots(2))), [[[np.nan]]])
    publish_head(arrays.heads[0], 2, 1)
    rows = reader.read(_slots(2))
    assert (_candles(rows), rows.versions.tolist()) == ([[[7.0]]], [1])


@pytest.mark.usefixtures("kernels")
def test_rows_are_copied_in_the_order_asked_for(market: MarketWriter, segment: Segment) -> None:
    """The copy has slots, versions and ticker fields of the requested rows; later updates do not reach it."""
    market.apply(tick_batch([0, 1, 2], [10.0, 11.0, 12.0], bid=9.5, recv_ns=77), 1)
    _trade(market, 2, 13.0)
    rows = RowReader(segment, 0, None, 4).read(_slots(2, 0))
    _trade(market, 2, 14.0)
    assert rows.slots.tolist() == [2, 0]
    assert rows.versions.tolist() == [4, 2]
    assert rows.tickers["last"].tolist() == [13.0, 10.0]
    assert rows.tickers["bid"].tolist() == [9.5, 9.5]
    assert rows.tickers["recv_ns"].tolist() == [0, 77]
    assert (rows.candles, rows.valid, rows.failed) == (None, None, 0)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("wish", [None, CandleWish(0, 1, (CLOSE,), True)])
def test_many_rows_are_copied_as_a_few_are(runtime: Runtime, wish: CandleWish | None, mirror: bool) -> None:
    """Loading rows ahead of their copy changes nothing, at the beginning, in the middle or at the end of a chunk."""
    n = 3 * AHEAD
    with open_market(runtime, capacity=n, symbols=n) as market, Segment.attach_current(runtime) as segment:
        market.apply(tick_batch(range(n), [100.0 + slot for slot in range(n)]), 1)
        order = np.random.default_rng(3).permutation(n).astype(np.int32)
        rows = RowReader(segment, 0, wish, n, mirror).read(order)
        shown = np.arange(n) if mirror else order
        assert rows.slots.tolist() == order.tolist()
        assert rows.tickers["last"].tolist() == (100.0 + shown).tolist()
        if rows.candles is not None:
            assert rows.candles[0, :, 0].tolist() == (100.0 + shown).tolist()


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("forming", [False, True])
@pytest.mark.parametrize("closed", [0, 1, 4, 5, 7])
@pytest.mark.parametrize("look_back", [1, 3, 5])
def test_candles_are_the_newest_right_aligned(
    market: MarketWriter, segment: Segment, look_back: int, closed: int, forming: bool
) -> None:
    """The last columns are the newest candles, oldest first, with the forming one last on request. What a young symbol
    lacks is NaN; `valid` counts what it has."""
    for minute in range(closed + 1):
        _trade(market, 1, 100.0 + minute, minute)
    wish = CandleWish(0, look_back, ALL_FIELDS, forming)
    rows = RowReader(segment, 0, wish, 2).read(_slots(1, 3))
    last = closed + forming  # candles are the minutes below this one
    shown = range(max(0, last - look_back, closed - 5), last)
    missing = [np.nan] * (look_back - len(shown))
    assert rows.candles is not None
    assert rows.valid is not None
    assert rows.valid.tolist() == [len(shown), 0]
    for field in ALL_FIELDS:
        values = [{TIME: NOON // 10**9 + 60 * m, 5: 1.0, TRADES: 1.0}.get(field, 100.0 + m) for m in shown]
        np.testing.assert_array_equal(rows.candles[field, 0], missing + values)
    assert np.isnan(rows.candles[:, 1]).all()


@pytest.mark.usefixtures("kernels")
def test_a_candle_that_is_not_forming_is_not_shown(market: MarketWriter, segment: Segment) -> None:
    """After the watermark has closed the candle, none is forming: the closed one is the last column."""
    _trade(market, 0, 5.0)
    market.close_due(NOON + MINUTE, 1)
    rows = RowReader(segment, 0, CandleWish(0, 2, (CLOSE,), True), 1).read(_slots(0))
    np.testing.assert_array_equal(_candles(rows), [[[np.nan, 5.0]]])


@pytest.mark.usefixtures("kernels")
def test_a_candle_channel_counts_closed_candles(market: MarketWriter, segment: Segment) -> None:
    """A reader of an interval's channel gets that interval's head as version, whichever candles it copies."""
    for minute in range(3):
        _trade(market, 0, 1.0, minute)
    wish = CandleWish(1, 1, (CLOSE,), True)
    assert RowReader(segment, 1, wish, 1).read(_slots(0)).versions.tolist() == [2]
    assert RowReader(segment, 2, None, 1).read(_slots(0)).versions.tolist() == [0]
    assert RowReader(segment, 0, wish, 1).read(_slots(0)).versions.tolist() == [6]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("wish", [None, CandleWish(0, 2, (CLOSE,), True)])
def test_a_locked_row_blocks_no_other(market: MarketWriter, segment: Segment, wish: CandleWish | None) -> None:
    """Progress: a row whose version stays odd is left out and counted, the others are read."""
    market.apply(tick_batch([0, 1, 2], [10.0, 11.0, 12.0]), 1)
    market.segment.arrays.versions[1] += 1
    rows = RowReader(segment, 0, wish, 3).read(_slots(0, 1, 2))
    assert rows.slots.tolist() == [0, 2]
    assert rows.tickers["last"].tolist() == [10.0, 12.0]
    assert rows.failed == 1
    if rows.candles is not None:
        np.testing.assert_array_equal(rows.candles, [[[np.nan, 10.0], [np.nan, 12.0]]])


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("wish", [None, CandleWish(0, 2, (CLOSE,), True)])
def test_a_mirror_keeps_each_row_at_its_slot(market: MarketWriter, segment: Segment, wish: CandleWish | None) -> None:
    """With `mirror` only the requested rows change; the others stay as last read, NaN where they never were."""
    reader = RowReader(segment, 0, wish, 1, mirror=True)
    assert np.isnan(reader.mirrored(4).tickers["last"]).all()
    market.apply(tick_batch([1, 2], [11.0, 12.0]), 1)
    reader.read(_slots(2, 1))
    market.apply(tick_batch([0, 1], [20.0, 21.0]), 1)
    rows = reader.read(_slots(0))
    assert rows.slots.tolist() == [0]
    np.testing.assert_array_equal(rows.tickers["last"], [20.0, 11.0, 12.0, *[np.nan] * 5])
    shown = reader.mirrored(3)
    assert shown.tickers["last"].tolist() == [20.0, 11.0, 12.0]
    assert (shown.slots.tolist(), shown.failed) == ([], 0)
    if wish is not None:
        assert shown.candles is not None
        assert shown.valid is not None
        np.testing.assert_array_equal(shown.candles[0], [[np.nan, 20.0], [np.nan, 11.0], [np.nan, 12.0]])
        assert shown.valid.tolist() == [1, 1, 1]


def test_copies_cannot_be_changed_by_a_plugin(market: MarketWriter, segment: Segment) -> None:
    """The arrays are read-only, so nothing that a plugin does reaches the next cycle."""
    _trade(market, 0, 1.0)
    rows = RowReader(segment, 0, CandleWish(0, 1, (CLOSE,), True), 1).read(_slots(0))
    assert rows.candles is not None
    assert rows.valid is not None
    for array in (rows.tickers, rows.candles, rows.valid):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


class Interference:
    """A writer that acts between a copy and its check: `act` runs before each of the first `times` second looks."""

    def __init__(self, times: int, act: Callable[[], None]) -> None:
        self.left, self.act, self.looks = times, act, 0

    def __call__(self) -> None:
        self.looks += 1
        if self.left:
            self.left -= 1
            self.act()


@pytest.mark.parametrize("wish", [None, CandleWish(0, 2, (CLOSE,), True)])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("times", [1, MAX_TRIES - 1, MAX_TRIES])
def test_a_copy_the_writer_came_into_is_thrown_away(
    times: int,
    mirror: bool,
    wish: CandleWish | None,
    market: MarketWriter,
    segment: Segment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NoTornRead: a row that changed during the copy is copied again, at most 8 times, then it counts as failed; a
    mirror keeps the older row whole."""
    market.apply(tick_batch([0, 1], [10.0, 11.0]), 1)
    reader = RowReader(segment, 0, wish, 2, mirror)
    reader.read(_slots(0, 1))
    between = Interference(times, lambda: _trade(market, 0, 50.0, 2))
    with plain_kernels(tickflag.common.protocol.rows):
        monkeypatch.setattr(tickflag.common.protocol.rows, "fence_acquire", between)
        rows = reader.read(_slots(0, 1))
    failed = times == MAX_TRIES
    assert rows.failed == failed
    assert rows.slots.tolist() == ([1] if failed else [0, 1])
    assert between.looks == min(times + 1, MAX_TRIES) + 1
    if mirror:
        shown = reader.mirrored(2)
        assert shown.tickers["last"].tolist() == [10.0 if failed else 50.0, 11.0]
        if wish is not None:
            expected = [np.nan, 10.0] if failed else [10.0, 50.0]
            np.testing.assert_array_equal(_candles(shown)[0][0], expected)


@pytest.mark.parametrize(("look_back", "forming"), [(0, False), (6, False), (7, True), (-1, True)])
def test_a_look_back_that_is_not_kept_is_refused(segment: Segment, look_back: int, forming: bool) -> None:
    """The look-back is at least one candle and at most the ring, plus the forming one; the error names the limits."""
    with pytest.raises(ValueError, match=f"1 to {5 + forming}, not {look_back}"):
        RowReader(segment, 0, CandleWish(0, look_back, (CLOSE,), forming), 1)


@pytest.mark.parametrize("mirror", [False, True])
def test_more_rows_than_there_is_room_for_are_refused(segment: Segment, mirror: bool) -> None:
    """A chunk that is too long is an error, and no write beyond the buffers."""
    limit = segment.layout.capacity if mirror else 2
    with pytest.raises(ValueError, match=f"room for, {limit}"):
        RowReader(segment, 0, None, 2, mirror).read(np.zeros(limit + 1, np.int32))


def test_unknown_rows_are_nan_and_zero() -> None:
    """A mirror shows no price of a symbol without data as 0."""
    for field in layout.TICKER.names or ():
        value = tickflag.common.protocol.rows.UNKNOWN[field]
        assert np.isnan(value) if layout.TICKER[field].kind == "f" else value == 0
