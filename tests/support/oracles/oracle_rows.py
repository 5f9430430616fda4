"""Recordings read a second time, row by row with pandas and json: what the oracle is fed with."""

import gzip
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

MS = 1_000_000
SECOND = 1_000 * MS
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


Row = Tick | Kline


def read(paths: Iterable[Path]) -> list[Row]:
    """The rows of all files by the time they were known, those of one time in the order of the files."""
    rows: list[Row] = []
    for path in paths:
        rows += _read(path)
    return sorted(rows, key=lambda row: row.known_ns)


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
            yield Tick(ts_ns, ts_ns, symbol, *prices, *quotes)


def _klines(frame: pd.DataFrame) -> Iterator[Row]:
    for open_ms, symbol, interval, *numbers in frame.itertuples(index=False, name=None):
        length_s = LENGTHS_S[interval]
        yield Kline(open_ms * MS + length_s * SECOND, open_ms * MS, symbol, length_s, 0, True, *numbers)


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
    event_ns = known_ns if time_ms is None else time_ms * MS
    match data.get("e", "bookTicker" if {"u", "s", "b", "a"} <= data.keys() else "snapshot"):
        case "bookTicker":
            bid, ask = (float(data[side]) or None for side in "ba")
            sizes = float(data["B"]), float(data["A"])
            yield Tick(known_ns, event_ns, data["s"], None, None, bid, ask, *sizes)
        case "trade" | "aggTrade":
            yield Tick(known_ns, event_ns, data["s"], float(data["p"]), float(data["q"]))
        case "kline":
            k = data["k"]
            numbers = [float(k[field]) for field in "ohlcv"]
            yield Kline(known_ns, k["t"] * MS, data["s"], LENGTHS_S[k["i"]], k["n"], k["x"], *numbers)
        case "depthUpdate" | "snapshot":
            pass
        case kind:
            raise ValueError(f"the oracle cannot read {kind!r}")
