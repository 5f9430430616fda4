"""Columns are found by their usual names, or as the user maps them."""

import pytest

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.naming import NAMES, OURS, ColumnRequest, named

OHLC = ("open", "high", "low", "close", "volume")


def test_ticks_of_several_writers() -> None:
    """Case and punctuation do not matter."""
    found = named(["Timestamp", "Symbol", "Last Price", "Size", "best_bid", "best_ask"], ColumnRequest())
    assert found.kind == "ticks"
    assert found.columns == {
        "time": "Timestamp", "symbol": "Symbol", "price": "Last Price", "qty": "Size", "bid": "best_bid",
        "ask": "best_ask",
    }  # fmt: skip


def test_candles_have_four_prices() -> None:
    """Such a table holds klines; columns beside these are ignored."""
    found = named(["open_time", *OHLC, "close_time", "quote_volume", "count", "symbol", "timeframe"], ColumnRequest())
    assert found.kind == "klines"
    assert found.columns == {name: name for name in OHLC} | {
        "time": "open_time", "trades": "count", "symbol": "symbol", "interval": "timeframe",
    }  # fmt: skip


def test_our_own_names_are_the_first() -> None:
    """A recording's columns are found whatever columns stand beside them."""
    for kind in NAMES:
        names = [("ts_ns" if kind == "ticks" else "open_time_ms") if ours == "time" else ours for ours in NAMES[kind]]
        found = named(["timestamp", *reversed(names)], ColumnRequest())
        assert (found.kind, set(found.columns)) == (kind, set(NAMES[kind]))
        assert found.columns["time"] == names[0]


def test_what_the_user_says_wins() -> None:
    """A mapped column serves no second purpose; constants need no column; the kind may be forced."""
    names = ["time", "price", "vwap", "size", "symbol"]
    found = named(names, ColumnRequest(columns={"price": "vwap", "bid": "price"}))
    assert {ours: found.columns[ours] for ours in ("price", "bid")} == {"price": "vwap", "bid": "price"}
    found = named(["t", *OHLC], ColumnRequest(symbol="BTC", interval="1m"))
    assert "symbol" not in found.columns
    assert "interval" not in found.columns
    assert named(["t", "symbol", *OHLC], ColumnRequest("ticks", {"price": "close"})).kind == "ticks"
    assert "symbol" not in named(["t", "symbol", "price"], ColumnRequest(symbol="BTC")).columns


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (
            ["time", "price"],
            ColumnRequest(),
            "named as symbol of ticks; there are time, price: say which it is, by `--column symbol=",
        ),
        (["symbol", "price"], ColumnRequest(), "named as time of ticks"),
        (
            ["time", "symbol"],
            ColumnRequest(),
            "or ask of ticks; there are time, symbol: say which it is, by `--column price=",
        ),
        (["time", "symbol", *OHLC], ColumnRequest(), "named as interval of klines"),
        (["time", "symbol", *OHLC[:4]], ColumnRequest(interval="1m"), "named as volume of klines"),
        ([], ColumnRequest(), "there are none"),
        (["time"], ColumnRequest(columns={"cost": "time"}), "a recording has no column 'cost'; its columns are ask, "),
        (
            ["tick time"],
            ColumnRequest(columns={"time": "ticktime"}),
            r"no column 'ticktime' for time \(did you mean 'tick ti",
        ),
        (["time"], ColumnRequest(columns={"price": "xyz"}), "no column 'xyz' for price; there are time"),
        (["time", "p", "p"], ColumnRequest(), "the column 'p' is there 2 times"),
    ],
)
def test_what_is_missing_is_named(names: list[str], wanted: ColumnRequest, message: str) -> None:
    """The error has the columns there are."""
    with pytest.raises(TickflagError, match=message):
        named(names, wanted)


def test_every_column_can_be_mapped() -> None:
    """The list of our columns has those of both kinds."""
    assert {*NAMES["ticks"], *NAMES["klines"]} == set(OURS)
