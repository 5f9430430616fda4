"""Recordings read a second time, row by row with pandas and json: the oracle's input."""

import gzip
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tickflag.common.units import NS_PER_MS, NS_PER_S

LENGTHS_S = {"1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600}


@dataclass(frozen=True)
class Tick:
    known_ns: int
    event_ns: int
    symbol: str
    price: float | None = None
    qty: float | None = None
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    trade_id: int = 0


@dataclass(frozen=True)
class Kline:
    known_ns: int
    start_ns: int
    symbol: str
    interval_s: int
    trades: float
    closed: bool
    open: float
    high: float
    low: float
    close: float
    volume: float
    event_ns: int = 0
    until_ns: int = 0
    """End of the recording's last candle of this symbol and interval."""
    last_id: int = 0
    """The trade that it names as its last; 0 where it names none."""

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.interval_s * NS_PER_S


Row = Tick | Kline


def read(paths: Iterable[Path]) -> list[Row]:
    """The rows of all files by the time at which they were known. Of one time come first candles, the longest first,
    then ticks by their trade id; else in the order of the files' names."""
    rows: list[Row] = []
    for path in sorted(paths, key=lambda path: path.name):
        rows += _until(list(_read(path)))
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[int, int, int]:
    if isinstance(row, Kline):
        return row.known_ns, 0, -row.interval_s
    return row.known_ns, 1, row.trade_id


def _until(rows: list[Row]) -> Iterator[Row]:
    """The rows of a file, its candles with the end of the last one of their symbol and interval."""
    ends: dict[tuple[str, int], int] = {}
    for row in rows:
        if isinstance(row, Kline):
            pair = row.symbol, row.interval_s
            ends[pair] = max(ends.get(pair, 0), row.end_ns)
    for row in rows:
        yield replace(row, until_ns=ends[row.symbol, row.interval_s]) if isinstance(row, Kline) else row


def _read(path: Path) -> Iterator[Row]:
    if path.suffix == ".gz":
        return _capture(path)
    frame = pd.read_parquet(path)
    return _ticks(frame) if "ts_ns" in frame.columns else _klines(frame)


def _ticks(frame: pd.DataFrame) -> Iterator[Row]:
    for ts_ns, symbol, price, qty, bid, ask in frame.itertuples(index=False, name=None):
        prices = [None if math.isnan(value) else value for value in (price, qty)]
        quotes = [None if math.isnan(value) or value == 0 else value for value in (bid, ask)]
        if prices[0] is not None or quotes != [None, None]:
            yield Tick(ts_ns, ts_ns, symbol, prices[0], prices[1], quotes[0], quotes[1])


def _klines(frame: pd.DataFrame) -> Iterator[Row]:
    for open_ms, symbol, interval, *numbers in frame.itertuples(index=False, name=None):
        length_s = LENGTHS_S[interval]
        yield Kline(open_ms * NS_PER_MS + length_s * NS_PER_S, open_ms * NS_PER_MS, symbol, length_s, 0, True, *numbers)


def _capture(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            envelope = json.loads(line)
            if "msg" not in envelope or "sent_ts" in envelope:
                continue
            known_ns = envelope.get("recv_ns") or round(envelope["recv_ts"] * 1e6) * 1_000
            message = envelope["msg"]
            yield from _message(message.get("data", message), known_ns)


def _message(data: dict[str, Any], known_ns: int) -> Iterator[Row]:
    time_ms = data.get("T") or data.get("E")
    event_ns = known_ns if time_ms is None else time_ms * NS_PER_MS
    match data.get("e", "bookTicker" if {"u", "s", "b", "a"} <= data.keys() else "snapshot"):
        case "bookTicker":
            bid, ask = (float(data[side]) or None for side in "ba")
            sizes = float(data["B"]), float(data["A"])
            yield Tick(known_ns, event_ns, data["s"], None, None, bid, ask, *sizes)
        case "trade" | "aggTrade":
            trade_id = data.get("t" if data["e"] == "trade" else "l", 0)
            yield Tick(known_ns, event_ns, data["s"], float(data["p"]), float(data["q"]), trade_id=trade_id)
        case "kline":
            k = data["k"]
            open_, high, low, close, volume = (float(k[field]) for field in "ohlcv")
            start_ns, length_s = k["t"] * NS_PER_MS, LENGTHS_S[k["i"]]
            prices = open_, high, low, close
            last_id = max(0, k.get("L", 0))
            yield Kline(
                known_ns, start_ns, data["s"], length_s, k["n"], k["x"], *prices, volume, event_ns, last_id=last_id
            )
        case "depthUpdate" | "snapshot":
            pass
        case kind:
            raise ValueError(f"the oracle cannot read {kind!r}")
