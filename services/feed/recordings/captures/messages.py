"""Binance websocket messages turned into ticks and candles: the meaning of their fields, and nothing about files."""

from collections.abc import Callable
from typing import Any, TypeAlias

from common.recordings.interval import interval_seconds
from common.recordings.symbols import SymbolIndex, symbol_fault

Message: TypeAlias = dict[str, Any]
Row: TypeAlias = tuple[float, ...]

TICK_FIELDS = {
    "price": "p or c",
    "qty": "q",
    "bid": "b",
    "ask": "a",
    "bid_size": "B",
    "ask_size": "A",
    "open_24h": "o",
    "high_24h": "h",
    "low_24h": "l",
    "volume_24h": "v",
}
KLINE_FIELDS = {"open": "k.o", "high": "k.h", "low": "k.l", "close": "k.c", "volume": "k.v", "open_ns": "k.t"}
"""The message field behind each column, for reports."""

_LEFT_OUT = {"depthUpdate": "depth", "markPriceUpdate": "markPrice"}
_NAN, _INFINITY = float("nan"), float("inf")
_MAX_MS = 9_000_000_000_000  # the year 2255; times beyond are microseconds, which spot streams send when asked to
_MAX_US = _MAX_MS * 1_000
_MAX_COUNT = 2**63 - 1


class FieldFault(Exception):  # noqa: N818 - it is a fault of the data, and caught within this package
    """One message, or one element of an array message, is refused because of a field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def payloads(message: object) -> list[Any]:
    """Give the events in a message: of a combined stream, of an array, or the message itself."""
    if isinstance(message, dict) and "data" in message and "stream" in message:
        message = message["data"]
    return message if isinstance(message, list) else [message]


def is_binance(payload: object) -> bool:
    """Tell whether an event is one that Binance's market streams send, known to us or not."""
    if not isinstance(payload, dict):
        return False
    return isinstance(payload.get("e"), str) or "lastUpdateId" in payload or _is_book(payload)


def _is_book(payload: Message) -> bool:
    # The best bid and ask of spot streams names no event type.
    return "u" in payload and "s" in payload and "b" in payload and "a" in payload


# A way to decode, the fields that must be there and the number fields that may, and whether it makes ticks.
_Decoder: TypeAlias = tuple[Callable[[Message, int], Row], str, str, bool]


class MessageDecoder:
    """Collects the rows of messages, with the line each came from. The owner takes the lists and calls `clear`."""

    def __init__(self, index: SymbolIndex) -> None:
        self._index = index
        self._intervals: dict[str, int] = {}
        self._known = index.known
        self._nameless: _Decoder = (self._book, "sbaBA", "", True)
        self._decoders: dict[str, _Decoder] = {
            "bookTicker": self._nameless,
            "trade": (self._trade, "spq", "", True),
            "aggTrade": (self._trade, "spq", "", True),
            "24hrTicker": (self._day, "scohlv", "baBA", True),
            "24hrMiniTicker": (self._day, "scohlv", "baBA", True),
            "kline": (self._kline, "", "", False),
        }
        self.ticks: list[Row] = []
        self.tick_lines: list[int] = []
        self.klines: list[Row] = []
        self.kline_lines: list[int] = []
        self.count = 0

    def clear(self) -> None:
        """Forget the rows; symbols keep their index."""
        self.ticks, self.tick_lines, self.klines, self.kline_lines = [], [], [], []
        self.count = 0

    def wants(self, payload: object) -> bool:
        """Tell whether an event would become a row, if it is sound."""
        return self._decoder_of(payload) is not None

    def _decoder_of(self, payload: object) -> _Decoder | None:
        if type(payload) is not dict:
            return None
        kind = payload.get("e")
        if kind is None:
            return self._nameless if _is_book(payload) else None
        return self._decoders.get(kind) if type(kind) is str else None

    def add(self, payload: Any, recv_ns: int, line: int) -> str | None:
        """Decode one event and keep its row. Gives None, or the kind of an event that is left out.

        Raises FieldFault if a field is missing or is not what it should be; ranges are left to the row checks.
        """
        found = self._decoder_of(payload)
        if found is None:
            return _left_out(payload)
        decode, required, optional, is_tick = found
        try:
            row = decode(payload, recv_ns)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _field_fault(payload, required, optional) from error
        if is_tick:
            self.ticks.append(row)
            self.tick_lines.append(line)
        else:
            self.klines.append(row)
            self.kline_lines.append(line)
        self.count += 1
        return None

    # The next two decode nearly all messages of a busy capture, so they avoid calls: one sum finds a NaN in any field.

    def _book(self, d: Message, recv_ns: int) -> Row:
        bid, ask, bid_size, ask_size = float(d["b"]), float(d["a"]), float(d["B"]), float(d["A"])
        total = bid + ask + bid_size + ask_size
        if total != total:
            raise ValueError
        symbol = self._known.get(d["s"])
        if symbol is None:
            symbol = self._symbol(d)
        return (_event_ns(d, recv_ns), recv_ns, symbol, 0, _NAN, _NAN, bid, ask, bid_size, ask_size, *_NO_DAY)

    def _trade(self, d: Message, recv_ns: int) -> Row:
        price, qty = float(d["p"]), float(d["q"])
        total = price + qty
        if total != total:
            raise ValueError
        symbol = self._known.get(d["s"])
        if symbol is None:
            symbol = self._symbol(d)
        return (_event_ns(d, recv_ns), recv_ns, symbol, 0, price, qty, _NAN, _NAN, _NAN, _NAN, *_NO_DAY)

    def _day(self, d: Message, recv_ns: int) -> Row:
        # Its last quantity (Q) is left out: it would count that trade once more.
        price = _number(d["c"])
        day = (_number(d["o"]), _number(d["h"]), _number(d["l"]), _number(d["v"]))
        # Only the spot ticker has a quote.
        bid, ask, bid_size, ask_size = (_number(d[field]) if field in d else _NAN for field in "baBA")
        event_ns = _event_ns(d, recv_ns)
        return (event_ns, recv_ns, self._symbol(d), 0, price, _NAN, bid, ask, bid_size, ask_size, *day)

    def _kline(self, d: Message, recv_ns: int) -> Row:
        k = d.get("k")
        if type(k) is not dict:
            raise FieldFault("k", "is missing" if k is None else f"{_shown(k)} is not a candle")
        if "s" not in d:
            raise FieldFault("s", "is missing")
        try:
            open_, high, low, close, volume = (_number(k[field]) for field in "ohlcv")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _field_fault(k, "ohlcv", prefix="k.") from error
        trades, closed = k.get("n", 0), k.get("x")
        if type(trades) is not int or not 0 <= trades <= _MAX_COUNT:
            raise FieldFault("k.n", f"{_shown(trades)} is not a count")
        if type(closed) is not bool:
            raise FieldFault("k.x", f"{_shown(closed)} is neither true nor false")
        open_ns = _time_ns(k.get("t"), "k.t")
        interval_s = self._interval(k.get("i"))
        return (open_ns, recv_ns, self._symbol(d), interval_s, open_, high, low, close, volume, trades, closed)

    def _symbol(self, d: Message) -> int:
        """Give the index of a message's symbol, which is checked when it is new."""
        name = d["s"]
        if type(name) is not str:
            raise FieldFault("s", f"{_shown(name)} is not a symbol name")
        reason = symbol_fault(name)
        if reason is not None:
            raise FieldFault("s", reason)
        return self._index.index(name)

    def _interval(self, name: object) -> int:
        if not isinstance(name, str):
            raise FieldFault("k.i", "is missing" if name is None else f"{_shown(name)} is not an interval")
        known = self._intervals.get(name)
        if known is None:
            known = interval_seconds(name)
            if known is None:
                raise FieldFault("k.i", f"unknown interval {_shown(name)}")
            self._intervals[name] = known
        return known


_NO_DAY = (_NAN, _NAN, _NAN, _NAN)


def _event_ns(d: Message, recv_ns: int) -> int:
    """Give the time of the trade or change (T), else of the message (E), else of its receipt."""
    field = "T" if "T" in d else "E"
    time = d.get(field)
    if type(time) is int and 0 < time <= _MAX_MS:
        return time * 1_000_000
    return recv_ns if time is None else _time_ns(time, field)


def _time_ns(value: object, field: str) -> int:
    if type(value) is int:
        if 0 < value <= _MAX_MS:
            return value * 1_000_000
        if _MAX_MS < value <= _MAX_US:
            return value * 1_000
    raise FieldFault(field, f"{_shown(value)} is not a time in milliseconds or microseconds since 1970")


def _left_out(payload: object) -> str:
    """Give the kind under which an event without rows is counted."""
    if not isinstance(payload, dict):
        return "text" if isinstance(payload, str) else "other"
    kind = payload.get("e")
    if kind is not None:
        return _LEFT_OUT.get(kind, "other") if isinstance(kind, str) else "other"
    if "lastUpdateId" in payload:
        return "snapshot"
    if "result" in payload:
        return "ack"
    return "error" if "error" in payload or "code" in payload else "other"


def _number(value: Any) -> float:
    """Give a number field's value. JSON numbers and numbers in strings are both in use."""
    number = float(value)
    if number != number:  # NaN stands for "absent" in a row, so a NaN that was sent may not pass
        raise ValueError
    return number


def _field_fault(payload: Message, required: str, optional: str = "", prefix: str = "") -> FieldFault:
    """Name the field that is missing or is not as it should be: decoding, built for speed, cannot tell which."""
    for field in required + optional:
        if field not in payload:
            if field in required:
                return FieldFault(prefix + field, "is missing")
        elif field == "s":
            if type(payload["s"]) is not str:
                return FieldFault("s", f"{_shown(payload['s'])} is not a symbol name")
        else:
            try:
                finite = abs(_number(payload[field])) < _INFINITY
            except (TypeError, ValueError, OverflowError):
                finite = False
            if not finite:
                return FieldFault(prefix + field, f"{_shown(payload[field])} is not a number")
    return FieldFault("", "the message cannot be understood")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
