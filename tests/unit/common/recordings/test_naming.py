"""Columns are found by their usual names, or as the user says."""

import pytest

from common.errors import TickflagError
from common.recordings.naming import NAMES, OURS, Wanted, named

OHLC = ("open", "high", "low", "close", "volume")


def test_ticks_of_several_writers() -> None:
    """Case and punctuation do not count."""
    found = named(["Timestamp", "Symbol", "Last Price", "Size", "best_bid", "best_ask"], Wanted())
    assert found.kind == "ticks"
    assert found.columns == {
        "time": "Timestamp", "symbol": "Symbol", "price": "Last Price", "qty": "Size", "bid": "best_bid",
        "ask": "best_ask",
    }  # fmt: skip


def test_candles_have_four_prices() -> None:
    """They are klines, and what else stands there is left alone."""
    found = named(["open_time", *OHLC, "close_time", "quote_volume", "count", "symbol", "timeframe"], Wanted())
    assert found.kind == "klines"
    assert found.columns == {name: name for name in OHLC} | {
        "time": "open_time", "trades": "count", "symbol": "symbol", "interval": "timeframe",
    }  # fmt: skip


def test_our_own_names_are_the_first() -> None:
    """A recording's columns are found whatever stands beside them."""
    for kind in NAMES:
        names = [("ts_ns" if kind == "ticks" else "open_time_ms") if ours == "time" else ours for ours in NAMES[kind]]
        found = named(["timestamp", *reversed(names)], Wanted())
        assert (found.kind, set(found.columns)) == (kind, set(NAMES[kind]))
        assert found.columns["time"] == names[0]


def test_what_the_user_says_wins() -> None:
    """A mapped column is not taken for another of ours; constants need no column; the kind may be forced."""
    names = ["time", "price", "vwap", "size", "symbol"]
    found = named(names, Wanted(columns={"price": "vwap", "bid": "price"}))
    assert {ours: found.columns[ours] for ours in ("price", "bid")} == {"price": "vwap", "bid": "price"}
    found = named(["t", *OHLC], Wanted(symbol="BTC", interval="1m"))
    assert "symbol" not in found.columns
    assert "interval" not in found.columns
    assert named(["t", "symbol", *OHLC], Wanted("ticks", {"price": "close"})).kind == "ticks"
    assert "symbol" not in named(["t", "symbol", "price"], Wanted(symbol="BTC")).columns


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (
            ["time", "price"],
            Wanted(),
            "named as symbol of ticks; there are time, price: say which it is, by `--column symbol=",
        ),
        (["symbol", "price"], Wanted(), "named as time of ticks"),
        (
            ["time", "symbol"],
            Wanted(),
            "or ask of ticks; there are time, symbol: say which it is, by `--column price=",
        ),
        (["time", "symbol", *OHLC], Wanted(), "named as interval of klines"),
        (["time", "symbol", *OHLC[:4]], Wanted(interval="1m"), "named as volume of klines"),
        ([], Wanted(), "there are none"),
        (["time"], Wanted(columns={"cost": "time"}), "a recording has no column 'cost'; its columns are ask, "),
        (["tick time"], Wanted(columns={"time": "ticktime"}), r"no column 'ticktime' for time \(did you mean 'tick ti"),
        (["time"], Wanted(columns={"price": "xyz"}), "no column 'xyz' for price; there are time"),
        (["time", "p", "p"], Wanted(), "the column 'p' is there 2 times"),
    ],
)
def test_what_is_missing_is_named(names: list[str], wanted: Wanted, message: str) -> None:
    """With the columns there are."""
    with pytest.raises(TickflagError, match=message):
        named(names, wanted)


def test_every_column_can_be_mapped() -> None:
    """The list of ours has those of both kinds."""
    assert {*NAMES["ticks"], *NAMES["klines"]} == set(OURS)
