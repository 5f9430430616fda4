"""Lists of matches for other programs."""

import csv
import io
from typing import Any

import pytest

from tickflag.services.dashboard.web.lists import chart_name, csv_lines, pair_list, table, watch_list


def row(symbol: str, **fields: Any) -> dict[str, Any]:
    return {"trader": "rsi", "symbol": symbol, "note": "", "entered_ms": 0.0, "score": 1.0, "mark": 0.0, **fields}


def test_the_list_of_freqtrade() -> None:
    """Each symbol once, best first, and when to ask again."""
    rows = [row("BTC/USDT:USDT"), row("ETH/USDT"), row("BTC/USDT:USDT")]
    assert pair_list(rows, {}) == {"pairs": ["BTC/USDT:USDT", "ETH/USDT"], "refresh_period": 10}
    assert pair_list([], {}) == {"pairs": [], "refresh_period": 10}


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("BTC/USDT", "BTCUSDT"), ("BTC/USDT:USDT", "BTCUSDT.P"), ("BTCUSDT", "BTCUSDT"), ("币安人生USDT", "币安人生USDT")],
)
def test_names_on_charts(symbol: str, name: str) -> None:
    """TradingView has no slash, and marks perpetual contracts."""
    assert chart_name(symbol) == name


def test_the_list_of_tradingview() -> None:
    """With the exchange where one is given; nothing but a name gets in."""
    rows = [row("BTC/USDT"), row("ETH/USDT")]
    assert watch_list(rows, {}) == "BTCUSDT,ETHUSDT"
    assert watch_list(rows, {"exchange": "binance"}) == "BINANCE:BTCUSDT,BINANCE:ETHUSDT"
    assert watch_list(rows, {"exchange": "a,b:\r\nc"}) == "ABC:BTCUSDT,ABC:ETHUSDT"
    assert watch_list([], {}) == ""


def test_the_table() -> None:
    """Names first, times as UTC, unknown numbers empty; what a spreadsheet would take for a formula stays a text."""
    rows = [row("a,b", note='=HYPERLINK("x")', entered_ms=1_700_000_000_123.0, last=-1.5), row("c", last=None)]
    first, second = csv.DictReader(io.StringIO(table(rows, {})))
    assert list(first) == ["symbol", "trader", "score", "note", "entered", "last"]
    assert first["symbol"] == "a,b"
    assert first["note"] == '\'=HYPERLINK("x")'
    assert first["entered"] == "2023-11-14T22:13:20.123Z"
    assert first["last"] == "-1.5"
    assert second["last"] == ""


def test_an_empty_table_has_its_names() -> None:
    """A program that reads it finds the columns that never change."""
    assert table([], {}) == '"symbol","trader","score","note","entered"\r\n'


def test_a_row_without_a_time() -> None:
    """It is left empty."""
    (found,) = csv.DictReader(io.StringIO(table([row("a", entered_ms=None, last=1.0)], {})))
    assert (found["entered"], found["last"]) == ("", "1.0")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_is_a_formula(sign: str) -> None:
    """Neither a name nor a note, wherever a spreadsheet splits a line; numbers stay numbers."""
    text = f"{sign}1+1;{sign}2"
    lines = csv_lines([[text, "a", -1.5]])
    assert lines.startswith("\"'")
    assert lines.endswith(',"a",-1.5\r\n')
    assert next(csv.reader(io.StringIO(lines)))[0] == f"'{text}"
    assert next(csv.reader(io.StringIO(lines), delimiter=";"))[0].startswith(f"'{text}")
