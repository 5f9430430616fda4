"""Files as new users have them: each gives the right rows, or is refused with what to do; none gives a wrong number."""

import gzip
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tests.unit.cli.conftest import Run

NUMBERS = ("open", "high", "low", "close", "volume", "trades")
TICKS = ("price", "qty", "bid", "ask", "trade_id")
A5 = ["--symbol", "A", "--interval", "5m"]
A1D = ["--symbol", "A", "--interval", "1d"]
BERLIN = ["--timezone", "Europe/Berlin"]
OHLC = (100.0, 102.0, 99.5, 101.0)


class Case(NamedTuple):
    """A file, the options to import it with, and what comes of it: rows, or words of a refusal."""

    name: str
    content: Any
    options: Sequence[str] = ()
    rows: Sequence[tuple[Any, ...]] = ()
    refused: Sequence[str] = ()


def _kline(
    time: str, interval: str = "5m", volume: float = 12.5, trades: int = 0, symbol: str = "A"
) -> tuple[Any, ...]:
    """A candle of the prices OHLC."""
    return (time, symbol, interval, *OHLC, volume, trades)


DAY = _kline("2024-03-04", "1d")


def _tick(time: str, price: Any = None, qty: Any = None, bid: Any = None, ask: Any = None, number: Any = None,
          symbol: str = "A") -> tuple[Any, ...]:  # fmt: skip
    return (time, symbol, price, qty, bid, ask, number)


def _zipped(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "-") + ("" if "." in name else ".csv"), text)
    return made.getvalue()


def _broken_zip() -> bytes:
    whole = bytearray(_zipped(a="time,symbol,price\n" + "2024-03-04,A,1\n" * 300))
    whole[45] ^= 0xFF  # within the packed bytes
    return bytes(whole)


def _parquet(frame: Any) -> bytes:
    made = io.BytesIO()
    if isinstance(frame, pd.DataFrame):
        frame.to_parquet(made)
    elif isinstance(frame, pl.DataFrame):
        frame.write_parquet(made)
    else:
        pq.write_table(pa.table(frame), made)
    return made.getvalue()


def _feather() -> bytes:
    made = io.BytesIO()
    pyarrow.feather.write_feather(pa.table({"time": [1], "symbol": ["A"], "price": [1.0]}), made)
    return made.getvalue()


FRAME = {"Open": [100.0], "High": [102.0], "Low": [99.5], "Close": [101.0], "Volume": [12.5]}
IN_NEW_YORK = pd.DatetimeIndex(["2024-03-04 09:30"], tz="America/New_York", name="t")
VIEWS = pa.array(["A"], pa.string_view())
QUOTE = {"time": [datetime(2024, 3, 4, 14, 30)], "symbol": ["A"], "bid": [1.0], "ask": [None]}
SPOT_KLINE = "{time},100,102,99.5,101,12.5,{end},1252.5,7,6.0,600.0,0\n"
MS, US = 1_735_603_200_000, 1_735_689_600_000_000  # 2024-12-31 and 2025-01-01
SPOT_MS = SPOT_KLINE.format(time=MS, end=MS + 59_999)
SPOT_US = SPOT_KLINE.format(time=US, end=US + 59_999_999)

CASES = [
    Case(
        "yahoo daily.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-03-04,100,102,99.5,101,99.0,12.5\n",
        A1D, [DAY],
    ),
    Case(
        "yahoo intraday.csv",
        "Datetime,Close,High,Low,Open,Volume\n2024-03-04 09:30:00-05:00,101,102,99.5,100,12.5\n",
        A5, [_kline("2024-03-04 14:30")],
    ),
    Case(
        "yahoo daily in local time.csv",
        "Date,Open,High,Low,Close,Volume\n2024-03-04 00:00:00-05:00,100,102,99.5,101,12.5\n",
        A1D, refused=["line 2, field Date", "is not a multiple of the interval"],
    ),
    Case(
        "yahoo of two header lines.csv",
        "Price,Close,High,Low,Open,Volume\nTicker,A,A,A,A,A\nDate,,,,,\n2024-03-04,101,102,99.5,100,12.5\n",
        A1D, refused=["no column is named as time of klines"],
    ),
    Case(
        "stooq.csv",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "A,5,20240304,000000,100,102,99.5,101,12.5,0\nA,5,20240304,093500,100,102,99.5,101,12.5,0\n",
        ["--interval", "5m"], [_kline("2024-03-04"), _kline("2024-03-04 09:35")],
    ),
    Case(
        "stooq without leading zeros.csv",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"
        "A,5,20240304,153500,100,102,99.5,101,12.5\nA,5,20240305,93500,100,102,99.5,101,12.5\n",
        ["--interval", "5m"], [_kline("2024-03-04 15:35")], ["line 3, field <TIME>", "is no time"],
    ),
    Case("stooq daily.csv", "Date,Open,High,Low,Close,Volume\n20240304,100,102,99.5,101,12.5\n", A1D, [DAY]),
    Case("BTCUSDT-1m-2024-12.csv", SPOT_MS, [], [_kline("2024-12-31", "1m", 12.5, 7, "BTCUSDT")]),
    Case("BTCUSDT-1m-2025-01.csv.gz", gzip.compress(SPOT_US.encode()), [],
         [_kline("2025-01-01", "1m", 12.5, 7, "BTCUSDT")]),
    Case("BTCUSDT-1m-2025-01-01.zip", _zipped(BTCUSDT__1m__2025__01__01=SPOT_MS + SPOT_US), [],
         [_kline("2024-12-31", "1m", 12.5, 7, "BTCUSDT"), _kline("2025-01-01", "1m", 12.5, 7, "BTCUSDT")]),
    Case("reversed.csv", SPOT_US + SPOT_MS, ["--symbol", "A", "--interval", "1m", "--sort"],
         [_kline("2024-12-31", "1m", 12.5, 7), _kline("2025-01-01", "1m", 12.5, 7)]),
    Case("reversed.csv", SPOT_US + SPOT_MS, ["--symbol", "A", "--interval", "1m"],
         refused=["line 2: older than a row before it", "--sort"]),
    Case(
        "BTCUSD_PERP-1h-2024-12.csv",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,"
        "ignore\n" + SPOT_MS,
        ["--symbol", "A"], [_kline("2024-12-31", "1h", 12.5, 7)],
    ),
    Case("BTCUSDT-1mo-2024-12.csv", SPOT_MS, refused=["'1mo' is the unknown interval"]),
    Case("BTCUSDT-trades-2025-01.csv", f"7,100.5,2,201,{MS},True,True\n9,101,1,101,{US},False,True\n", [],
         [_tick("2024-12-31", 100.5, 2.0, number=7, symbol="BTCUSDT"),
          _tick("2025-01-01", 101.0, 1.0, number=9, symbol="BTCUSDT")]),
    Case("BTCUSDT-trades-2024-12.csv",
         f"id,price,qty,quote_qty,time,is_buyer_maker\n7,100.5,2,201,{MS},true\n", [],
         [_tick("2024-12-31", 100.5, 2.0, number=7, symbol="BTCUSDT")]),
    Case("futures trades.csv", f"7,100.5,2,201,{MS},true\n", ["--symbol", "A"],
         [_tick("2024-12-31", 100.5, 2.0, number=7)]),
    Case("BTCUSDT-aggTrades-2024-12.csv", f"3,100.5,2,20,22,{MS},True,True\n", [],
         [_tick("2024-12-31", 100.5, 2.0, number=22, symbol="BTCUSDT")]),
    Case("BTCUSDT-aggTrades-2024-12-31.csv", f"3,100.5,2,20,22,{MS},true\n", [],
         [_tick("2024-12-31", 100.5, 2.0, number=22, symbol="BTCUSDT")]),
    Case("BTCUSDT-bookTicker-2024-12-31.csv",
         "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
         f"3,100,2,101,1,{MS},{MS + 5}\n", [], [_tick("2024-12-31", bid=100.0, ask=101.0, symbol="BTCUSDT")]),
    Case("two.zip", _zipped(BTCUSDT__1m__2024__12=SPOT_MS, ETHUSDT__1m__2025__01=SPOT_US, **{"x.CHECKSUM": "abc"}), [],
         [_kline("2024-12-31", "1m", 12.5, 7, "BTCUSDT"), _kline("2025-01-01", "1m", 12.5, 7, "ETHUSDT")]),
    Case("cut.zip", _zipped(a=SPOT_MS)[:60], refused=["cut.zip cannot be read as a zip archive"]),
    Case("damaged.zip", _broken_zip(), refused=["damaged.zip/a.csv cannot be read as CSV"]),
    Case("empty.zip", _zipped(), refused=["archive without a file"]),
    Case("freqtrade.csv", "date,open,high,low,close,volume\n2024-03-04 14:30:00+00:00,100,102,99.5,101,12.5\n", A5,
         [_kline("2024-03-04 14:30")]),
    Case("XBTUSD_5.csv", "1709562600,100,102,99.5,101,12.5,7\n", A5, refused=["by `--header`"]),
    Case("XBTUSD_5.csv", "1709562600,100,102,99.5,101,12.5,7\n",
         [*A5, "--header", "time,open,high,low,close,volume,trades"], [_kline("2024-03-04 14:30", "5m", 12.5, 7)]),
    Case("tradingview.csv", "time,open,high,low,close,Volume,MA\n1709562600,100,102,99.5,101,12.5,NaN\n", A5,
         [_kline("2024-03-04 14:30")]),
    Case("tradingview iso.csv",
         "time,open,high,low,close,Volume\n2024-03-04T15:30:00+01:00,100,102,99.5,101,12.5\n", A5,
         [_kline("2024-03-04 14:30")]),
    Case("tradingview without volume.csv", "time,open,high,low,close\n1709562600,100,102,99.5,101\n", A5,
         refused=["no column is named as volume of klines"]),
    Case("ccxt.csv", ",timestamp,open,high,low,close,volume\n0,1709562600000,100,102,99.5,101,12.5\n", A5,
         [_kline("2024-03-04 14:30")]),
    Case("ccxt bare.csv", "1709562600000,100,102,99.5,101,12.5\n", A5, refused=["names no columns"]),
    Case("polygon.csv.gz",
         gzip.compress(b"ticker,volume,open,close,high,low,window_start,transactions\n"
                       b"A,12.5,100,101,102,99.5,1709562600000000000,7\n"),
         ["--interval", "5m"], [_kline("2024-03-04 14:30", "5m", 12.5, 7)]),
    Case("databento.csv",
         "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,"
         "symbol\n1709562600000000001,1709562600000000000,0,1,2,T,B,0,100.500000000,2,0,0,5,A\n", [],
         [_tick("2024-03-04 14:30", 100.5, 2.0)]),
    Case("databento raw.csv",
         "ts_event,rtype,publisher_id,instrument_id,price,size,symbol\n1709562600000000000,0,1,2,100500000000,2,A\n",
         refused=["field price", "pretty_px"]),
    Case("metatrader.csv",
         "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
         "2024.03.04\t14:30:00\t100\t102\t99.5\t101\t7\t12.5\t1\r\n", A5, [_kline("2024-03-04 14:30")]),
    Case("metatrader ticks.csv",
         "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\n2024.03.04\t14:30:00.250\t100\t\t\t\n"
         "2024.03.04\t14:30:01.000\t\t101\t100.5\t2\n", ["--symbol", "A", "--timezone", "Europe/Athens"],
         [_tick("2024-03-04 12:30:00.25", bid=100.0), _tick("2024-03-04 12:30:01", 100.5, 2.0, ask=101.0)]),
    Case("german.csv", "Datum;Zeit;Eröffnung;Hoch;Tief;Schluss;Volumen\n04.03.2024;14:30;100;102;99,5;101;1.012,5\n",
         [*A5, "--date-order", "dmy", "--decimal", ",", "--thousands", ".", "--timezone", "Europe/Berlin",
          *(part for pair in ("date=Datum", "time=Zeit", "open=Eröffnung", "high=Hoch", "low=Tief", "close=Schluss",
                              "volume=Volumen") for part in ("--column", pair))],
         [_kline("2024-03-04 13:30", "5m", 1012.5)]),
    Case("decimal commas.csv", "time;symbol;price\n2024-03-04;A;1,5\n2024-03-05;A;1.5\n", ["--decimal", ","],
         [_tick("2024-03-04", 1.5)], ["'1.5' is not a number"]),
    Case("decimal commas unsaid.csv", "time;symbol;price\n2024-03-04;A;1,500\n", refused=["--decimal", "--thousands"]),
    Case("thousands.csv", 'time,symbol,price,qty\n2024-03-04,A,"1,234.5","1,000,000"\n2024-03-05,A,"12,34",1\n',
         ["--thousands", ","], [_tick("2024-03-04", 1234.5, 1e6)], ["'12,34' is not a number"]),
    Case("thousands unsaid.csv", 'time,symbol,price\n2024-03-04,A,"1,234"\n', refused=["--decimal", "--thousands"]),
    Case("us dates.csv", "Date,Open,High,Low,Close,Volume\n03/04/2024,100,102,99.5,101,12.5\n", A1D,
         refused=["day and month in either order", "--date-order"]),
    Case("us dates said.csv", "Date,Open,High,Low,Close,Volume\n3/4/2024,100,102,99.5,101,12.5\n",
         [*A1D, "--date-order", "mdy"], [DAY]),
    Case("excel.csv", "time,symbol,price\n45355.5,A,1\n", refused=["--time-unit excel"]),
    Case("excel said.csv", "time;symbol;price\n45355.5;A;1\n", ["--time-unit", "excel"],
         [_tick("2024-03-04 12:00", 1.0)]),
    Case("spreadsheet.csv", "time,symbol,price\n1.70956E+12,A,1\n", refused=["lost digits"]),
    Case("bom, crlf, blank and short lines.csv",
         "\ufefftime,symbol,price,qty\r\n\r\n2024-03-04,A,1,2\r\n2024-03-05,A\r\n\r\n2024-03-06,A,3,4\r\n", [],
         [_tick("2024-03-04", 1.0, 2.0), _tick("2024-03-06", 3.0, 4.0)], ["line 4: has 2 columns, not 4"]),
    Case("empty columns.csv", "time;symbol;price;;\n2024-03-04;A;1;;\n;;;;\n", [], [_tick("2024-03-04", 1.0)]),
    Case("small numbers.csv", "time,symbol,price,qty\n2024-03-04,A,1.5e-7,2E+3\n", [],
         [_tick("2024-03-04", 1.5e-7, 2000.0)]),
    Case("impossible prices.csv",
         "time,symbol,price\n2024-03-04,A,-1\n2024-03-04,A,0\n2024-03-04,A,inf\n2024-03-04,A,1\n", [],
         [_tick("2024-03-04", 1.0)], ["line 2, field price", "3 lines refused"]),
    Case("gaps and doubles.csv", "time,symbol,price,id\n2024-03-04,A,1,5\n2024-03-04,A,1,5\n2024-03-06,A,2,\n", [],
         [_tick("2024-03-04", 1.0, number=5)] * 2 + [_tick("2024-03-06", 2.0)]),
    Case("ids of letters.csv",
         "time,symbol,price,trade_id\n2024-03-04,A,1,a7\n2024-03-05,A,2,8\n2024-03-06,A,2,\n", [],
         [_tick("2024-03-04", 1.0), _tick("2024-03-05", 2.0, number=8), _tick("2024-03-06", 2.0)],
         ["1 trade ids are no whole numbers"]),
    Case("no volume.csv", "time,open,high,low,close,volume\n2024-03-04,100,102,99.5,101,\n", A1D,
         refused=["field volume: is missing"]),
    Case("spring.csv", "time,symbol,price\n2024-03-31 01:30,A,1\n2024-03-31 02:30,A,2\n2024-03-31 03:30,A,3\n",
         ["--timezone", "Europe/Berlin"], [_tick("2024-03-31 00:30", 1.0), _tick("2024-03-31 01:30", 3.0)],
         ["line 3", "does not exist in Europe/Berlin"]),
    Case("autumn.csv", "time,symbol,price\n2024-10-27 02:30,A,1\n2024-10-27 03:30,A,2\n", BERLIN,
         [_tick("2024-10-27 02:30", 2.0)], ["line 2", "comes twice in Europe/Berlin"]),
    Case("mixed units.csv", "time,symbol,price\n1709562600,A,1\n1709562600500,A,2\n1709562600750000,A,3\n"
         "1709562600800000000,A,4\n2024-03-04T14:30:01Z,A,5\n1709562602.5,A,6\n", [],
         [_tick("2024-03-04 14:30", 1.0), _tick("2024-03-04 14:30:00.5", 2.0), _tick("2024-03-04 14:30:00.75", 3.0),
          _tick("2024-03-04 14:30:00.8", 4.0), _tick("2024-03-04 14:30:01", 5.0), _tick("2024-03-04 14:30:02.5", 6.0)]),
    Case("seconds since midnight.csv", "time,symbol,price\n34200.5,A,1\n", refused=["is no time since 1970"]),
    Case("old.csv", "Date,Open,High,Low,Close,Volume\n1985-03-04,100,102,99.5,101,12.5\n", A1D,
         refused=["is before 1990", "--from-year"]),
    Case("old wanted.csv", "Date,Open,High,Low,Close,Volume\n1985-03-04,100,102,99.5,101,12.5\n",
         [*A1D, "--from-year", "1980"], [_kline("1985-03-04", "1d")]),
    Case("pandas.parquet", _parquet(pd.DataFrame(FRAME, index=pd.DatetimeIndex(["2024-03-04 14:30"], name="Date"))), A5,
         [_kline("2024-03-04 14:30")]),
    Case("pandas with zone.parquet",
         _parquet(pd.DataFrame(FRAME, index=IN_NEW_YORK)), A5,
         [_kline("2024-03-04 14:30")]),
    Case("polars.parquet",
         _parquet(pl.DataFrame(QUOTE)),
         [], [_tick("2024-03-04 14:30", bid=1.0)]),
    Case("views.parquet", _parquet({"ts": [1_709_562_600], "symbol": VIEWS, "price": [1.0]}),
         [], [_tick("2024-03-04 14:30", 1.0)]),
    Case("truth.parquet", _parquet({"ts": [1_709_562_600], "symbol": ["A"], "price": [True]}),
         refused=["row 0, column price", "is not a number"]),
    Case("damaged.parquet", _parquet({"ts": [1]})[:40], refused=["damaged.parquet cannot be read as Parquet"]),
    Case("x.feather", _feather(), refused=["is a Feather file"]),
    Case("x.xlsx", _zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), refused=["is an Excel workbook"]),
    Case("x.xls", b"\xd0\xcf\x11\xe0" + bytes(100), refused=["is an Excel workbook"]),
    Case("unicode.txt", "time\tsymbol\tprice\n".encode("utf-16"), refused=["is text in UTF-16"]),
    Case("x.json", '[{"time": 1}]', refused=["is JSON, not CSV"]),
    Case("capture.jsonl.gz", gzip.compress(b'{"recv_ns": 1}\n'), refused=["is JSON", "captures are recordings"]),
    Case("latin.csv", "time,symbol,price\n2024-03-04,Ä,1\n".encode("latin-1"), refused=["cannot be read as CSV"]),
    Case("cryptodatadownload.csv", "https://www.CryptoDataDownload.com\nUnix,Date,Symbol,Open,High,Low,Close,Volume\n",
         refused=["there are https://www.CryptoDataDownload.com"]),
]  # fmt: skip


def _written(path: Path) -> list[tuple[Any, ...]]:
    """The rows of a recording, with times to compare with those of cases."""
    if not path.exists():
        return []
    rows = []
    for row in pq.read_table(path).to_pylist():
        if "ts_ns" in row:
            rows.append((row["ts_ns"], row["symbol"], *(row[name] for name in TICKS)))
        else:
            rows.append((row["open_time_ms"] * 10**6, row["symbol"], row["interval"], *(row[name] for name in NUMBERS)))
    return rows


def _ns(time: str) -> int:
    moment = datetime.fromisoformat(time.ljust(len("2024-03-04 00:00:00.000000"), "0") if "." in time else time)
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000) * 10**6


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.name}" for i, case in enumerate(CASES)])
def test_a_file_is_read_right_or_refused(run: Run, tmp_path: Path, case: Case) -> None:
    """Exactly these rows are written; what is refused is named on standard error with what to do."""
    source, out = tmp_path / case.name, tmp_path / "out.parquet"
    source.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    result = run("import", str(source), "--out", str(out), *case.options)
    assert _written(out) == [(_ns(row[0]), *row[1:]) for row in case.rows]
    assert result.exit_code == (0 if case.rows else 1), result.stderr
    assert bool(case.refused) == bool(result.stderr), result.stderr
    for words in case.refused:
        assert words in result.stderr
