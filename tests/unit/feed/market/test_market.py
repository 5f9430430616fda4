"""MarketWriter: the rows, candles, flags and counters that ticks and klines lead to.

Trades alone are compared with a model in tests/property/test_market.py.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.markets.markets import MINUTE, NOON, kline_batch, open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.errors import SymbolTableFull
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import STATUS_DELISTED, STATUS_TRADING
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import NEXT_DUE
from tickflag.services.feed.market.updates import Batch, ticks

NAN = float("nan")
HOUR = 60 * MINUTE


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder of the test's own."""
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def _kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test twice: with compiled kernels and with their plain twins."""
    if request.param == "compiled":
        yield
    else:
        with plain_kernels():
            yield


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    """Three symbols; candles of 1 and 5 minutes from trades."""
    with open_market(runtime, capacity=4, symbols=3) as market:
        yield market


@pytest.fixture
def native(runtime: Runtime) -> Iterator[MarketWriter]:
    """Three symbols; the source brings 1-minute candles, the feed builds 5-minute ones."""
    with open_market(runtime, capacity=4, symbols=3) as market:
        yield market


def _row(market: MarketWriter, slot: int = 0) -> Any:
    return market.segment.arrays.tickers[slot]


def _closed(market: MarketWriter, k: int, slot: int = 0) -> list[list[float]]:
    """The closed candles of a slot: time in minutes after noon, open, high, low, close, volume."""
    arrays = market.segment.arrays
    rows = arrays.rings[k, slot, :6, : arrays.heads[k, slot]].T.tolist()
    return [[(time - NOON // NS_PER_S) / 60, *rest] for time, *rest in rows]


def _counters(market: MarketWriter) -> dict[str, int]:
    return {name: count for name, count in market.segment.counters().items() if count}


def _flagged(market: MarketWriter) -> dict[str, int]:
    return {event.channel: event.flagged for event in swap(market)}


def test_what_a_tick_does_not_say_stays(market: MarketWriter) -> None:
    """NaN means "not stated": a quote leaves the last trade alone, a one-sided quote the other side, a trade the
    quotes."""
    market.apply(tick_batch([0], [10.0], qty=2.0), 1)
    market.apply(tick_batch([0], [NAN], qty=NAN, bid=9.0, ask=11.0, bid_size=3.0, ask_size=4.0), 1)
    market.apply(tick_batch([0], [NAN], qty=NAN, ask=12.0), 1)
    row = _row(market)
    assert [row[f] for f in ("last", "last_size", "bid", "ask", "bid_size", "ask_size")] == [10, 2, 9, 12, 3, 4]


def test_a_new_row_knows_nothing(market: MarketWriter) -> None:
    """Prices that were never stated are NaN, not 0; volume begins at 0."""
    market.apply(tick_batch([0], [NAN], qty=NAN, bid=9.0), 1)
    row = _row(market)
    for field in ("last", "ask", "last_size", "open_24h", "high_24h", "low_24h", "change_24h"):
        assert np.isnan(row[field])
    assert (row["volume"], row["volume_24h"]) == (0, 0)


def test_a_price_without_a_size_is_no_trade(market: MarketWriter) -> None:
    """Such a price is the latest one, and adds to no volume and no candle."""
    market.apply(tick_batch([0], [10.0], qty=NAN), 1)
    assert _row(market)["last"] == 10
    assert market.segment.arrays.opens["trades"].sum() == 0


def test_ticks_need_not_lie_side_by_side(market: MarketWriter) -> None:
    """A source may hand over part of a larger array: every second tick, or a table of ticks."""
    rows = tick_batch([0, 1, 2, 1], [1.0, 2.0, 3.0, 4.0]).rows
    market.apply(Batch(rows[::2]), 1)
    assert market.segment.arrays.tickers["last"][:3].tolist() == [1, 0, 3]
    market.apply(Batch(rows.reshape(2, 2)), 1)
    assert market.segment.arrays.tickers["last"][:3].tolist() == [1, 4, 3]


@pytest.mark.parametrize(
    "fields",
    [
        {"price": 0.0}, {"price": -1.0}, {"price": np.inf}, {"qty": -1.0}, {"qty": np.inf}, {"bid": 0.0},
        {"ask": -np.inf}, {"bid_size": -1.0}, {"ask_size": np.inf}, {"event_ns": 0},
    ],
)  # fmt: skip
def test_an_unsound_tick_is_rejected(market: MarketWriter, fields: dict[str, Any]) -> None:
    """An impossible price or a negative size changes no row, sets no flag and is counted."""
    market.apply(tick_batch([0], [1.0], **fields), 1)
    assert _counters(market) == {"rejected_updates": 1}
    assert market.segment.arrays.versions[0] == 0
    assert not market.dirty


def test_updates_of_a_refused_symbol_are_counted(market: MarketWriter) -> None:
    """A full table refuses the first new symbol with an error, the next with -1; their updates change nothing."""
    market.slot("LAST")
    with pytest.raises(SymbolTableFull):
        market.slot("MORE")
    assert market.slot("MORE") == market.slot("STILL") == -1
    market.apply(tick_batch([-1, 0], [1.0, 2.0]), 1)
    market.apply(kline_batch([-1], [1.0]), 1)
    assert _counters(market) == {"updates": 1, "flagged": 1, "refused_updates": 2, "refused_symbols": 3}


def test_delisting_is_an_update(market: MarketWriter) -> None:
    """A tick that states only a status is announced, so that matches can leave."""
    rows = ticks(1)
    rows["event_ns"], rows["status"] = NOON, STATUS_DELISTED
    market.apply(Batch(rows), 1)
    assert _row(market)["status"] == STATUS_DELISTED
    assert _flagged(market) == {"ticker": 1}
    assert _counters(market)["status_changes"] == 1
    market.apply(Batch(rows), 1)
    assert _counters(market)["status_changes"] == 1
    rows["status"] = STATUS_TRADING
    market.apply(Batch(rows), 1)
    assert _counters(market)["status_changes"] == 2


def test_time_that_goes_back_is_counted(market: MarketWriter) -> None:
    """The row keeps the newest event time, and the price of that time: an older trade is not the last."""
    market.apply(tick_batch([0, 0], [1.0, 2.0], [NOON, NOON - NS_PER_S], [3.0, 4.0]), 1)
    assert (_row(market)["last"], _row(market)["last_size"], _row(market)["event_ns"]) == (1, 3, NOON)
    market.apply(tick_batch([0], [5.0], NOON - 1, qty=NAN), 1)
    assert (_row(market)["last"], _row(market)["volume"]) == (1, 7)
    assert market.segment.counters()["times_backwards"] == 2


def test_24_h_figures_of_the_source_win(market: MarketWriter) -> None:
    """Trades do not change the figures that a source brings; the 24 h change is that of the last price from the day's
    opening."""
    market.apply(tick_batch([0], [11.0], open_24h=10.0, high_24h=12.0, low_24h=9.0, volume_24h=500.0), 1)
    market.apply(tick_batch([0], [20.0]), 1)
    row = _row(market)
    assert [row[f] for f in ("open_24h", "high_24h", "low_24h", "volume_24h", "change_24h")] == [10, 12, 9, 500, 1]


def test_native_candles_are_taken_as_they_are(native: MarketWriter) -> None:
    """A forming kline replaces the forming candle, a closed one goes to the ring; trades build no candles of this
    interval."""
    native.apply(tick_batch([0], [50.0]), 1)
    native.apply(kline_batch([0], [10.0], closed=False, high=11.0), 1)
    native.apply(kline_batch([0], [12.0], closed=False, high=13.0), 1)
    forming = native.segment.arrays.opens[0, 0]
    assert [forming[field] for field in ("open", "high", "low", "close", "trades")] == [12, 13, 12, 12, 1]
    assert _flagged(native) == {"ticker": 1}
    native.apply(kline_batch([0], [14.0], high=15.0, volume=7.0), 1)
    assert forming["trades"] == 0
    assert _closed(native, 0) == [[0, 14, 15, 14, 14, 7]]
    assert _flagged(native) == {"ticker": 1, "1m": 1}


def test_a_native_candle_whose_last_word_never_came_closes_with_the_next(native: MarketWriter) -> None:
    """When a later candle begins, the forming one closes as it is."""
    native.apply(kline_batch([0, 0], [1.0, 2.0], [NOON, NOON + MINUTE], closed=False), 1)
    assert _closed(native, 0) == [[0, 1, 1, 1, 1, 1]]
    assert _flagged(native) == {"ticker": 1, "1m": 1}


def test_a_kline_that_is_over_is_late(native: MarketWriter) -> None:
    """A closed candle that comes again changes nothing and is counted."""
    native.apply(kline_batch([0, 0], [1.0, 2.0]), 1)
    assert _closed(native, 0) == [[0, 1, 1, 1, 1, 1]]
    assert native.segment.counters()["late_ticks"] == 1


def test_closed_klines_build_the_longer_candles(native: MarketWriter) -> None:
    """Five 1-minute candles make one of five minutes, which closes with the last of them; after a gap it closes with
    the next candle."""
    native.apply(kline_batch([0] * 5, [3.0, 5.0, 1.0, 2.0, 4.0], [NOON + m * MINUTE for m in range(5)]), 1)
    assert _closed(native, 1) == [[0, 3, 5, 1, 4, 5]]
    assert _row(native)["volume"] == 5
    assert (_row(native)["last"], _row(native)["event_ns"]) == (4, NOON + 5 * MINUTE)
    native.apply(kline_batch([0, 0], [6.0, 7.0], [NOON + 6 * MINUTE, NOON + 12 * MINUTE]), 1)
    assert _closed(native, 1) == [[0, 3, 5, 1, 4, 5], [5, 6, 6, 6, 6, 1]]


def test_a_source_with_trades_and_klines_counts_each_trade_once(native: MarketWriter) -> None:
    """Where trades of a minute came, its kline adds nothing to volume, 24 h figures or built candles."""
    for minute in range(5):
        native.apply(tick_batch([0], [10.0 + minute], NOON + minute * MINUTE + NS_PER_S, 2.0), 1)
        native.apply(kline_batch([0], [10.0 + minute], NOON + minute * MINUTE, volume=2.0), 1)
    native.apply(tick_batch([0], [20.0], NOON + 5 * MINUTE, 2.0), 1)
    assert (_row(native)["volume"], _row(native)["volume_24h"]) == (12, 12)
    assert _closed(native, 1) == [[0, 10, 14, 10, 14, 10]]
    assert [candle[5] for candle in _closed(native, 0)] == [2] * 5


def test_klines_shorter_than_any_that_is_kept_build_all(runtime: Runtime) -> None:
    """A source with an interval that the segment does not keep feeds the intervals that it does."""
    with open_market(runtime, symbols=1) as market:
        market.apply(kline_batch([0] * 3, [1.0, 3.0, 2.0], [NOON + s * NS_PER_S for s in (0, 20, 40)], 20), 1)
        assert _closed(market, 0) == [[0, 1, 3, 1, 2, 3]]


def test_klines_of_an_interval_that_is_not_kept_count(market: MarketWriter) -> None:
    """They are price and volume, but no candle that is kept is a multiple of them."""
    market.apply(kline_batch([0], [5.0], interval_s=180), 1)
    assert (_row(market)["last"], _row(market)["volume"]) == (5, 1)
    assert market.segment.arrays.opens["trades"].sum() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"low": 0.0}, {"high": 0.5}, {"high": np.inf}, {"close": 2.0}, {"close": 0.5}, {"open": 2.0}, {"open": 0.5},
        {"volume": -1.0}, {"volume": np.inf}, {"volume": NAN}, {"open_ns": 0}, {"interval_s": 0}, {"interval_s": -60},
    ],
)  # fmt: skip
def test_an_unsound_kline_is_rejected(native: MarketWriter, fields: dict[str, Any]) -> None:
    """Prices outside low and high, no volume, or no time: nothing changes, and the kline is counted."""
    native.apply(kline_batch([0], [1.0], **{"interval_s": 60, **fields}), 1)
    assert _counters(native) == {"rejected_updates": 1}
    assert native.segment.arrays.versions[0] == 0


def test_a_kline_is_widened_by_what_rounding_does(native: MarketWriter) -> None:
    """Open and close that lie outside low to high by a millionth make room; the source's rows stay as they are."""
    batch = kline_batch([0, 0], [100.0, 100.0], [NOON, NOON + MINUTE], high=[99.99995, 100.0], low=[90.0, 100.00009])
    native.apply(batch, 1)
    assert [candle[1:5] for candle in _closed(native, 0)] == [[100, 100, 90, 100], [100, 100, 100, 100]]
    assert batch.rows["high"].tolist() == [99.99995, 100.0]
    native.apply(kline_batch([0], [100.0], NOON + 2 * MINUTE, high=99.999), 1)
    assert native.segment.counters()["rejected_updates"] == 1


def test_a_daily_kline_is_the_days_figures(runtime: Runtime) -> None:
    """A source that brings only daily candles has the 24 h figures of the last one."""
    with open_market(runtime, symbols=1) as market:
        day = NOON - NOON % (24 * HOUR)
        market.apply(kline_batch([0], [8.0], day, 86_400, high=9.0, low=7.0, volume=5.0), 1)
        row = _row(market)
        assert [row[f] for f in ("open_24h", "high_24h", "low_24h", "volume_24h")] == [8, 9, 7, 5]


def test_debugging_keeps_the_last_hundred(market: MarketWriter) -> None:
    """While debugging is on, each update leaves an entry; else none does."""
    living, debug = market.segment.arrays.living, market.segment.arrays.debug
    market.apply(tick_batch([0], [1.0]), 5)
    assert living[layout.DEBUG_HEAD] == 0
    living[layout.DEBUG_ON] = 1
    for now_ns in range(1, 103):
        market.apply(tick_batch([1], [1.0]), now_ns)
    assert living[layout.DEBUG_HEAD] == 102
    assert debug[1].tolist() == (102, 1, layout.DEBUG_TICK)
    assert debug[2].tolist() == (3, 1, layout.DEBUG_TICK)
    market.close_due(NOON + MINUTE, 200)
    assert debug[2].tolist() == (200, 0, layout.DEBUG_CLOSE)


def test_the_heartbeat_is_shown(market: MarketWriter) -> None:
    """The driver of the market decides when to beat."""
    market.beat(77)
    assert market.segment.arrays.living[layout.HEARTBEAT] == 77


def test_a_market_that_grew_goes_on(runtime: Runtime) -> None:
    """Names, rows, candles, timers and figures are the same in a segment of twice the capacity; cycles begin anew."""
    with open_market(runtime, capacity=2, rate_limit_ns=100, symbols=2) as old:
        old.apply(tick_batch([0, 1], [1.0, 2.0]), 10)
        swap(old)
        fresh = grown(old, runtime)
        with fresh.segment:
            assert fresh.segment.lineage == old.segment.lineage == old.segment.generation
            assert fresh.slot("S2") == 2
            assert fresh.slot("S1") == 1
            assert fresh.segment.arrays.tickers[:2].tobytes() == old.segment.arrays.tickers[:2].tobytes()
            fresh.apply(tick_batch([0, 2], [3.0, 4.0], NOON + MINUTE), 50)
            assert fresh.pending[NEXT_DUE] == 110
            assert _closed(fresh, 0) == [[0, 1, 1, 1, 1, 1]]
            assert [(e.channel, e.cycle, e.flagged, e.symbols) for e in swap(fresh)] == [
                ("ticker", 1, 1, 3), ("1m", 1, 1, 3),
            ]  # fmt: skip
            assert fresh.segment.counters()["updates"] == 4
