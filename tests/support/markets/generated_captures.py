"""Captures of Binance messages, written by tests. Times of messages are in ms, those of receipt in ns."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

MS = 1_000_000


class Received(NamedTuple):
    recv_ns: int
    data: dict[str, Any]


def trade(recv_ns: int, symbol: str, time_ms: int, price: float, qty: float, **more: Any) -> Received:
    """A trade; `t` is its id, `X` the kind of a futures trade."""
    deal = {"E": time_ms, "s": symbol, "p": repr(price), "q": repr(qty), "T": time_ms}
    return Received(recv_ns, {"e": "trade", **deal, **more})


def aggregate(recv_ns: int, symbol: str, time_ms: int, price: float, qty: float, trade_id: int) -> Received:
    """The same trade in the other stream."""
    ids = {"a": trade_id // 2, "f": trade_id, "l": trade_id}
    return Received(recv_ns, trade(recv_ns, symbol, time_ms, price, qty).data | {"e": "aggTrade"} | ids)


def quote(recv_ns: int, symbol: str, time_ms: int, bid: float, ask: float) -> Received:
    sides = {"b": repr(bid), "B": "1", "a": repr(ask), "A": "2"}
    return Received(recv_ns, {"e": "bookTicker", "u": 1, "s": symbol, **sides, "T": time_ms, "E": time_ms})


def kline(
    recv_ns: int, symbol: str, interval: str, open_ms: int, numbers: tuple[float, ...], closed: bool,
    time_ms: int | None = None, trades: int = 3, **more: Any,
) -> Received:  # fmt: skip
    """A candle as far as it is known; `numbers` are open, high, low, close and volume, `L` is the id of the last trade
    in it."""
    prices = dict(zip("ohlcv", map(repr, numbers), strict=True))
    candle = {"t": open_ms, "s": symbol, "i": interval, **prices, "n": trades, "x": closed, **more}
    return Received(
        recv_ns, {"e": "kline", "E": recv_ns // MS if time_ms is None else time_ms, "s": symbol, "k": candle}
    )


def day_ticker(
    recv_ns: int, symbol: str, time_ms: int, last: float, numbers: tuple[float, ...], **more: Any
) -> Received:
    """The venue's own open, high, low and volume of 24 hours; with `L`, the id of the last trade in them, the long
    form."""
    figures = dict(zip("ohlv", map(repr, numbers), strict=True))
    kind = "24hrTicker" if more else "24hrMiniTicker"
    return Received(recv_ns, {"e": kind, "E": time_ms, "s": symbol, "c": repr(last), **figures, **more})


def write_capture(messages: Iterable[Received], path: Path) -> Path:
    """Write the messages in the order of their receipt."""
    ordered = sorted(messages, key=lambda message: message.recv_ns)
    path.write_text("".join(json.dumps({"recv_ns": one.recv_ns, "msg": one.data}) + "\n" for one in ordered))
    return path
