"""ManualMarket: a trader sees what the test fills in."""

from collections.abc import Iterator

import numpy as np
import pytest

from tickflag.common.errors import SegmentError, SymbolTableFull
from tickflag.common.settings import load
from tickflag.common.units import NS_PER_S
from tickflag.services.testing.market import START_NS, ManualMarket


@pytest.fixture
def market() -> Iterator[ManualMarket]:
    with ManualMarket(load(), capacity=3) as market:
        yield market


def row(market: ManualMarket, symbol: str) -> np.void:
    found: np.void = market.segment.arrays.tickers[market.symbols.index(symbol)]
    return found


def closed(market: ManualMarket, symbol: str, interval: str) -> list[list[float]]:
    """(time, open, high, low, close, volume, trades) of the closed candles, oldest first."""
    slot, number = market.symbols.index(symbol), market.segment.interval(interval)
    count = int(market.segment.arrays.heads[number, slot])
    candles: list[list[float]] = market.segment.arrays.rings[number, slot, :, :count].T.tolist()
    return candles


def test_ticks(market: ManualMarket) -> None:
    """A tick is a trade or a quote; a value that is left out stays as it was, NaN where it was never given."""
    market.tick("A", last=10.0, size=2.0)
    market.tick("A", bid=9.0, ask=11.0, ask_size=3.0)
    a = row(market, "A")
    assert [a[name] for name in ("last", "last_size", "bid", "ask", "ask_size", "volume")] == [10, 2, 9, 11, 3, 2]
    assert np.isnan(a["bid_size"])
    assert a["event_ns"] == a["recv_ns"] == START_NS
    assert (a["open_24h"], a["high_24h"], a["volume_24h"]) == (10.0, 10.0, 2.0)


def test_figures_of_a_day(market: ManualMarket) -> None:
    """They are given with the day's opening; after that trades do not change them."""
    market.tick("A", last=12.0, open_24h=10.0, high_24h=20.0, low_24h=5.0, volume_24h=100.0)
    market.tick("A", last=30.0)
    a = row(market, "A")
    assert [a[name] for name in ("open_24h", "high_24h", "low_24h", "volume_24h", "change_24h")] == [10, 20, 5, 100, 2]
    with pytest.raises(ValueError, match="A: give `open_24h`"):
        market.tick("A", high_24h=1.0)


def test_delisting(market: ManualMarket) -> None:
    """A delisting lasts until the next tick."""
    market.tick("A", last=10.0)
    market.delist("A")
    assert row(market, "A")["status"] == 1
    market.tick("A", last=10.0)
    assert row(market, "A")["status"] == 0


def test_of_an_incomplete_candle_the_close_alone_is_known(market: ManualMarket) -> None:
    """A candle is incomplete where its open is NaN, whatever else is given."""
    market.candles("A", "1m", [1.0, 2.0], open=np.array([np.nan, 1.0]), high=np.array([5.0, 3.0]), volume=2.0)
    incomplete, whole = closed(market, "A", "1m")
    assert incomplete[4] == 1.0
    assert np.isnan([incomplete[place] for place in (1, 2, 3, 5, 6)]).all()
    assert whole[1:] == [1.0, 3.0, 1.0, 2.0, 2.0, 1.0]


def test_candles(market: ManualMarket) -> None:
    """The last candle ends now; opening, high and low follow from the closes, and the latest price is the last
    close."""
    market.advance(100.0)
    market.candles("A", "1m", close=[10.0, 12.0, 11.0])
    start = START_NS // NS_PER_S + 60
    assert closed(market, "A", "1m") == [
        [start - 180, 10, 10, 10, 10, 1, 1],
        [start - 120, 10, 12, 10, 12, 1, 1],
        [start - 60, 12, 12, 11, 11, 1, 1],
    ]
    assert row(market, "A")["last"] == 11.0
    market.candles("B", "5m", close=np.array([3.0]), open=2.0, high=[9.0], low=1.0, volume=7.0, trades=2)
    assert closed(market, "B", "5m") == [[START_NS // NS_PER_S - 300, 2, 9, 1, 3, 7, 2]]


def test_time_passes_when_told(market: ManualMarket) -> None:
    """Trades build candles, which close when their end is reached."""
    market.tick("A", last=10.0)
    market.advance(59.5)
    assert closed(market, "A", "1m") == []
    market.advance(0.5)
    assert [candle[4] for candle in closed(market, "A", "1m")] == [10.0]
    market.advance("1h")
    assert market.time_ns == START_NS + 3_660 * NS_PER_S
    assert [candle[4] for candle in closed(market, "A", "1h")] == [10.0]
    with pytest.raises(ValueError, match="time does not go back"):
        market.advance(-1.0)


def test_what_the_feed_would_refuse(market: ManualMarket) -> None:
    """The error names the symbol."""
    for price in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="tick of A: prices are finite"):
            market.tick("A", last=price)
    with pytest.raises(ValueError, match="candles of A: prices are above 0"):
        market.candles("A", "1m", close=[1.0], high=0.5)
    market.tick("A", last=1.0)
    with pytest.raises(ValueError, match="A has newer 1m candles or trades"):
        market.candles("A", "1m", close=[1.0])
    with pytest.raises(SegmentError, match=r"'2m'.*1m, 5m"):
        market.candles("A", "2m", close=[1.0])
    market.place("B")
    market.place("C")
    assert market.symbols == ["A", "B", "C"]
    with pytest.raises(SymbolTableFull, match="'D'"):
        market.tick("D", last=1.0)


def test_it_announces_once(market: ManualMarket) -> None:
    """Where nothing changed, nothing is announced."""
    market.publish()
    market.tick("A", last=1.0)
    market.publish()
    market.publish()
    assert market.segment.counters()["swaps"] == 1
