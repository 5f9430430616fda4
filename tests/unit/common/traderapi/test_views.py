"""What a trader sees: columns, names, candles, single symbols; nothing of it can be changed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag import Candles, Market, Symbol, Trader
from tickflag.common.protocol.rows import CandleWish, RowReader
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.traderapi.flags import FlagValue
from tickflag.services.feed.market import market as feed

COLUMNS = ("last", "bid", "ask", "last_size", "bid_size", "ask_size", "volume",
           "open_24h", "high_24h", "low_24h", "volume_24h", "change_24h", "event_ns", "recv_ns")  # fmt: skip
TRADER = Trader(
    name="test", candles="1m", look_back=3, columns=("time", "close", "open", "high", "low", "volume", "trades")
)
NOW = NOON + 5 * MINUTE


@pytest.fixture
def traded() -> Iterator[feed.MarketWriter]:
    """A traded in three minutes at 1, 2 and 3, B once at 9."""
    with runtime_folder() as runtime, open_market(runtime, symbols=2) as market:
        for minute in range(3):
            market.apply(tick_batch([0], [1.0 + minute], NOON + minute * MINUTE, qty=5.0, bid=0.5, ask=1.5), 1)
        market.apply(tick_batch([1], [9.0], NOON, ask_size=4.0), 1)
        swap(market)
        yield market


@pytest.fixture
def market(traded: feed.MarketWriter) -> Market:
    """Both symbols, in the view of a trader with candles."""
    return _shown(traded.segment, TRADER, CandleWish(0, 3, tuple(map(_field, TRADER.columns)), True))


def _field(column: str) -> int:
    return layout.CANDLE_FIELDS.index(column)


def _shown(segment: Segment, trader: Trader, wish: CandleWish | None) -> Market:
    rows = RowReader(segment, 0, wish, 5).read(np.array([0, 1], np.int32))
    return Market(trader, rows.tickers, rows.candles, rows.valid, lambda: ["A", "B"], NOW)


def test_columns(market: Market, traded: feed.MarketWriter) -> None:
    """Each column is that of the rows, in the order of the symbols."""
    assert (len(market), market.symbols, market.time_ns) == (2, ["A", "B"], NOW)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(market, column), traded.segment.arrays.tickers[column][:2], column)
    assert market.last.tolist() == [3.0, 9.0]
    assert market.volume.tolist() == [15.0, 1.0]
    assert market.age_ns.tolist() == [3 * MINUTE, 5 * MINUTE]
    assert np.isnan(market.bid).tolist() == [False, True]


def test_candles(market: Market) -> None:
    """Candles come oldest first, with NaN on the left of a young symbol and times in seconds."""
    candles = market.candles
    assert (candles.interval, candles.count.tolist()) == ("1m", [3, 1])
    assert candles.close[0].tolist() == candles.open[0].tolist() == [1.0, 2.0, 3.0]
    assert candles.time[0].tolist() == [(NOON + minute * MINUTE) // 10**9 for minute in range(3)]
    assert (candles.high[1, 2], candles.low[1, 2], candles.volume[1, 2], candles.trades[1, 2]) == (9.0, 9.0, 1.0, 1.0)
    assert np.isnan(candles.close[1, :2]).all()


def test_a_single_symbol(market: Market, traded: feed.MarketWriter) -> None:
    """The columns of a symbol are plain numbers, its candles one-dimensional."""
    row = traded.segment.arrays.tickers[0]
    symbol = market.symbol(0)
    assert (symbol.name, symbol.time_ns) == ("A", NOW)
    for column in COLUMNS:
        assert type(getattr(symbol, column)) in (float, int)
        np.testing.assert_equal(getattr(symbol, column), row[column])
    assert (symbol.trading, symbol.age_ns) == (True, 3 * MINUTE)
    assert symbol.candles.close.tolist() == [1.0, 2.0, 3.0]
    assert symbol.candles.count.tolist() == [3]


def test_what_was_not_declared_is_named(market: Market, traded: feed.MarketWriter) -> None:
    """The error says what to declare; for a misspelt column, which columns there are."""
    few = _shown(
        traded.segment, Trader(name="x", candles="1m", look_back=1, columns=("high",)), CandleWish(0, 1, (2,), False)
    )
    with pytest.raises(AttributeError, match=r"'close' is not declared: add it to `columns` \(now high\)"):
        _ = few.candles.close
    none = _shown(traded.segment, Trader(name="x"), None)
    for shown in (none, none.symbol(0)):
        with pytest.raises(AttributeError, match="set `candles` and `look_back`"):
            _ = shown.candles
        with pytest.raises(AttributeError, match="no state: declare it in the Trader"):
            _ = shown.state
        with pytest.raises(LookupError, match="'A' is not declared: add it to `references`"):
            shown.reference("A")
    for name in ("price", "last_ns", "status"):
        with pytest.raises(AttributeError, match=f"no '{name}'; it has name, trading, age_ns, candles, state, last,"):
            getattr(market.symbol(0), name)
    known = "symbols, trading, age_ns, time_ns, candles, state, last,"
    for name in ("price", "last_ns", "status"):
        with pytest.raises(AttributeError, match=f"a market has no '{name}'; it has {known}"):
            getattr(market, name)
    with pytest.raises(AttributeError, match="candles have no 'clos'; they have count, interval, high"):
        _ = few.candles.clos  # type: ignore[attr-defined] # as mypy says, too


def test_a_delisted_symbol_is_not_trading(traded: feed.MarketWriter) -> None:
    """The market has an array for all symbols, a symbol its own value."""
    traded.apply(tick_batch([1], [9.0], NOON, status=layout.STATUS_DELISTED), 1)
    shown = _shown(traded.segment, Trader(name="x"), None)
    assert shown.trading.tolist() == [True, False]
    assert [shown.symbol(i).trading for i in range(2)] == [True, False]


def test_references(market: Market) -> None:
    """A reference is found by its name, also from a symbol, and is None without data. A name that was not declared is
    an error."""
    leader = market.symbol(1)
    trader = Trader(name="x", scope="references", references=["B", "C"])
    shown = Market(trader, market._tickers, None, None, lambda: ["A", "B"], NOW, None, {"B": leader, "C": None})
    for one in (shown, shown.symbol(0)):
        found = one.reference("B")
        assert isinstance(found, Symbol)
        assert (found.name, found.last) == ("B", 9.0)
        assert one.reference("C") is None
        with pytest.raises(LookupError, match="'A' is not declared: add it to `references`"):
            one.reference("A")
    with pytest.raises(AttributeError, match="symbols of `references` have none"):
        _ = leader.state


def test_frames(market: Market) -> None:
    """pandas has the symbol as index, polars as a column; frames are copies of all columns, in the order of the
    rows."""
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = market.to_pandas()
    assert (frame.index.name, frame.index.tolist(), tuple(frame.columns)) == ("symbol", ["A", "B"], COLUMNS)
    for column in COLUMNS:
        np.testing.assert_array_equal(frame[column], getattr(market, column))
    frame.loc["A", "last"] = 5.0
    assert market.last.tolist() == [3.0, 9.0]
    assert isinstance(frame, pd.DataFrame)


def test_polars_frames(market: Market) -> None:
    """They hold what those of pandas do."""
    pytest.importorskip("polars", reason="polars is not installed")
    frame = market.to_polars()
    assert tuple(frame.columns) == ("symbol", *COLUMNS)
    assert frame["symbol"].to_list() == ["A", "B"]
    for column in COLUMNS:
        np.testing.assert_array_equal(frame[column].to_numpy(), getattr(market, column))


@pytest.mark.parametrize("column", [*COLUMNS, "candles.close", "candles.time", "candles.count"])
@pytest.mark.parametrize("mirror", [False, True])
def test_nothing_can_be_changed(traded: feed.MarketWriter, column: str, mirror: bool) -> None:
    """A trader cannot write to its view: a market's mirror would keep it for ever."""
    reader = RowReader(traded.segment, 0, CandleWish(0, 3, tuple(map(_field, TRADER.columns)), True), 5, mirror)
    rows = reader.read(np.array([0, 1], np.int32))
    rows = reader.mirrored(2) if mirror else rows
    shown: Any = Market(TRADER, rows.tickers, rows.candles, rows.valid, lambda: ["A", "B"], NOW)
    for part in column.split("."):
        shown = getattr(shown, part)
    with pytest.raises(ValueError, match="read-only"):
        shown[0] = 7


def test_candles_of_one_symbol_name_their_columns_too() -> None:
    """Candles of one symbol refuse the same columns as those of all."""
    candles = Candles("5m", ("close",), np.ones((1, 2, 3)), np.array([3, 2], np.int32))
    assert candles.of(1).count.tolist() == [2]
    with pytest.raises(AttributeError, match="not declared"):
        _ = candles.of(1).open


def test_own_feature_flags() -> None:
    """Market and symbol have them alike; a feature flag that was not declared raises an error with those there are."""
    tickers = np.zeros(1, layout.TICKER)
    flags = {"use_ema": FlagValue(True, "a"), "fast": FlagValue(False)}
    market = Market(Trader(name="x"), tickers, None, None, lambda: ["A"], 0, flags=flags)
    for shown in (market, market.symbol(0)):
        assert (shown.on("use_ema"), shown.arm("use_ema")) == (True, "a")
        assert (shown.on("fast"), shown.arm("fast")) == (False, None)
        with pytest.raises(LookupError, match="'slow' is not declared in the Trader: it declares fast, use_ema"):
            shown.on("slow")
    bare = Market(Trader(name="x"), tickers, None, None, lambda: ["A"], 0)
    with pytest.raises(LookupError, match=r"'slow' is not declared in the Trader: as in `flags=\{'use_ema': False\}`"):
        bare.arm("slow")
