"""Reads Parquet ticks and klines and Binance captures row by row, by nothing but pyarrow and json."""

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.oracles.brute_force.rows import (
    SECOND,
    BruteKline,
    BruteRecording,
    BruteRow,
    BruteTick,
    grid_start,
    length_ns,
)

MS = 1_000_000
KINDS = {"24hrTicker", "24hrMiniTicker", "aggTrade", "bookTicker", "kline", "trade"}


class Refused(Exception):  # noqa: N818 - it is the row's fault
    """A row that no market can use."""


def read_recordings(paths: Iterable[Path]) -> tuple[list[BruteRow], int]:
    """All rows in the order of a replay, and how many were refused."""
    rows: list[BruteRow] = []
    refused = 0
    for number, path in enumerate(sorted(paths, key=lambda path: (path.name, str(path)))):
        found = _parquet(path) if path.suffix == ".parquet" else _capture(path)
        for place, row in enumerate(found.rows):
            row.place = number, place
        rows += found.rows
        refused += found.refused
    _note_ends(rows)
    single = {(row.symbol, row.trade_id) for row in rows if isinstance(row, BruteTick) and row.stream == "trade"}
    rows = [row for row in rows if not _is_made_of(row, single)]
    return sorted(rows, key=lambda row: row.order), refused


def _is_made_of(row: BruteRow, single: set[tuple[str, int | None]]) -> bool:
    """Whether all trades that the row sums up are there one by one."""
    if not isinstance(row, BruteTick) or row.stream != "aggTrade" or row.trade_id is None:
        return False
    return all((row.symbol, number) in single for number in range(row.first_id, row.trade_id + 1))


def _note_ends(rows: Sequence[BruteRow]) -> None:
    ends: dict[tuple[str, int], int] = {}
    klines = [row for row in rows if isinstance(row, BruteKline)]
    for row in klines:
        key = row.symbol, row.length_ns
        ends[key] = max(ends.get(key, 0), row.start_ns + row.length_ns)
    for row in klines:
        row.last_end_ns = ends[row.symbol, row.length_ns]


def _parquet(path: Path) -> BruteRecording:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    found = BruteRecording()
    read = _tick_row if "ts_ns" in columns else _kline_row
    for values in zip(*columns.values(), strict=True):
        try:
            row = read(dict(zip(columns, values, strict=True)))
        except Refused:
            found.refused += 1
        else:
            if row is not None:
                found.rows.append(row)
    return found


def _tick_row(row: dict[str, Any]) -> BruteTick | None:
    sizes = row.get("bid_size"), row.get("ask_size")
    return _tick(
        row["ts_ns"], row["ts_ns"], row["symbol"], row["price"], row["qty"], row["bid"], row["ask"], *sizes,
        trade_id=row.get("trade_id"),
    )  # fmt: skip


def _tick(
    known_ns: int, event_ns: int, symbol: str, price: float | None, qty: float | None,
    bid: float | None, ask: float | None, bid_size: float | None = None, ask_size: float | None = None, **more: Any,
) -> BruteTick | None:  # fmt: skip
    """A checked tick; None for one that states nothing."""
    if price is not None and not 0 < price < math.inf:
        raise Refused
    for amount in (qty, bid, ask, bid_size, ask_size):
        if amount is not None and not 0 <= amount < math.inf:
            raise Refused
    if price is None and qty is not None:
        raise Refused
    bid, ask = bid or None, ask or None
    if price is None and bid is None and ask is None:
        return None
    return BruteTick(known_ns, event_ns, symbol, price, qty, bid, ask, bid_size, ask_size, **more)


def _kline_row(row: dict[str, Any]) -> BruteKline:
    start_ns, length = row["open_time_ms"] * MS, length_ns(row["interval"])
    prices = [row[name] for name in ("open", "high", "low", "close", "volume")]
    return _kline(start_ns + length, start_ns, row["symbol"], length, prices, row.get("trades") or 0, True)


def _kline(
    known_ns: int, start_ns: int, symbol: str, length: int, numbers: Sequence[float], trades: int, closed: bool
) -> BruteKline:
    """A checked candle, its high and low widened where only rounding makes them too narrow."""
    open_, high, low, close, volume = numbers
    if not all(0 < price < math.inf for price in (open_, high, low, close)) or not 0 <= volume < math.inf:
        raise Refused
    top, bottom = max(open_, close), min(open_, close)
    if high < low or top > high * (1 + 1e-6) or bottom < low * (1 - 1e-6):
        raise Refused
    if grid_start(start_ns, length) != start_ns:
        raise Refused
    numbers = open_, max(high, top), min(low, bottom), close, volume
    return BruteKline(known_ns, start_ns, symbol, length, *numbers, trades, closed, covers_ns=start_ns)


def _capture(path: Path) -> BruteRecording:
    found, first_ns = BruteRecording(), 0
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    for envelope in map(json.loads, text.splitlines()):
        if "msg" not in envelope or "sent_ts" in envelope:
            continue
        known_ns = envelope.get("recv_ns") or round(envelope["recv_ts"] * 1_000_000) * 1_000
        first_ns = first_ns or known_ns
        for data in _payloads(envelope["msg"]):
            try:
                row = _message(data, known_ns)
            except Refused:
                found.refused += 1
            else:
                if row is not None:
                    row.covers_ns = first_ns
                    found.rows.append(row)
    return found


def _payloads(message: Any) -> Iterator[dict[str, Any]]:
    inner = message["data"] if isinstance(message, dict) and "stream" in message else message
    for payload in inner if isinstance(inner, list) else [inner]:
        if isinstance(payload, dict):
            yield payload


def _message(data: dict[str, Any], known_ns: int) -> BruteRow | None:
    kind = data.get("e") or ("bookTicker" if {"u", "s", "b", "a"} <= data.keys() else "")
    if kind not in KINDS:
        return None
    stamp = data.get("T", data.get("E"))
    event_ns = known_ns if stamp is None else _time_ns(stamp)
    number = {field: float(data[field]) for field in "pqcohlvbaBA" if isinstance(data.get(field), str | int | float)}
    quote = [number.get(field) for field in "baBA"]
    match kind:
        case "trade" | "aggTrade":
            if data.get("X", "MARKET") != "MARKET":
                return None
            first = data.get("f", 0)
            price, qty, key = number["p"], number["q"], data.get("t" if kind == "trade" else "l")
            return _tick(
                known_ns, event_ns, data["s"], price, qty, None, None, trade_id=key, stream=kind, first_id=first
            )
        case "bookTicker":
            return _tick(known_ns, event_ns, data["s"], None, None, *quote)
        case "kline":
            k = data["k"]
            numbers = [float(k[field]) for field in "ohlcv"]
            kline = _kline(known_ns, _time_ns(k["t"]), data["s"], length_ns(k["i"]), numbers, k.get("n", 0), k["x"])
            kline.event_ns, kline.last_id = event_ns, max(0, k.get("L", 0))
            return kline
        case _:
            day = (*(number[field] or None for field in "ohl"), number["v"])
            last_id = max(0, data.get("L", 0))
            return _tick(known_ns, event_ns, data["s"], number["c"], None, *quote, day=day, last_id=last_id)


def _time_ns(stamp: int) -> int:
    """Milliseconds, or microseconds where they would be later than the year 2255."""
    return stamp * MS if stamp <= 9_000_000_000 * SECOND // MS else stamp * 1_000
