"""Binance websocket messages turned into ticks and candles: the meaning of their fields, and nothing about files."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tickflag.common.recordings.interval import recorded_interval_s
from tickflag.common.recordings.symbols import SymbolIndex, symbol_fault
from tickflag.common.units import LARGEST_INT64
from tickflag.services.feed.recordings.captures.id_ranges import IdRanges
from tickflag.services.feed.recordings.captures.message_fields import (
    FieldFault,
    Message,
    event_ns_of,
    field_fault,
    number,
    shown,
    time_ns,
)

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

AGGREGATES = "aggTrade of trades that come one by one, as trade"
"""The kind under which an aggregate of trades is counted that the recordings have as single trades too."""
NOT_MARKET = "insurance fund and other non-market trades"
"""The kind under which futures trades are left out that no order met: `X` says which these are."""

_NAN = float("nan")
_LEFT_OUT = {"depthUpdate": "depth", "markPriceUpdate": "markPrice"}


def payloads(message: object) -> list[Any]:
    """The events in a message: of a combined stream, of an array, or the message itself."""
    if isinstance(message, dict) and "data" in message and "stream" in message:
        message = message["data"]
    return message if isinstance(message, list) else [message]


def is_binance(payload: object) -> bool:
    """Whether an event is one that Binance's market streams send, known to us or not."""
    if not isinstance(payload, dict):
        return False
    return isinstance(payload.get("e"), str) or "lastUpdateId" in payload or _is_book(payload)


def _is_book(payload: Message) -> bool:
    # The best bid and ask of spot streams names no event type.
    return "u" in payload and "s" in payload and "b" in payload and "a" in payload


# How to decode an event, its required fields, its optional number fields, and whether it makes ticks.
_Decoder: TypeAlias = tuple[Callable[[Message, int], Row | None], str, str, bool]


class MessageDecoder:
    """Collects the rows of messages, with the line each came from. The owner takes the lists and calls `clear`."""

    def __init__(self, index: SymbolIndex) -> None:
        self._index = index
        self._intervals: dict[str, int] = {}
        self._known = index.known
        self._nameless: _Decoder = (self._book, "sbaBA", "", True)
        self._decoders: dict[str, _Decoder] = {
            "bookTicker": self._nameless,
            "trade": (self._trade, "spq", "t", True),
            "aggTrade": (self._trade, "spq", "l", True),
            "24hrTicker": (self._day, "scohlv", "baBA", True),
            "24hrMiniTicker": (self._day, "scohlv", "baBA", True),
            "kline": (self._kline, "", "", False),
        }
        self.numbered: Mapping[str, IdRanges] = {}
        """Symbol -> the ids of the single trades there are. An aggregate of such trades is left out."""
        self.ticks: list[Row] = []
        self.tick_lines: list[int] = []
        self.klines: list[Row] = []
        self.kline_lines: list[int] = []
        self.count = 0
        self.escaped = False
        """Whether the line holds a backslash. Set it before `add`."""

    def clear(self) -> None:
        """Forget the rows; symbols keep their index."""
        self.ticks, self.tick_lines, self.klines, self.kline_lines = [], [], [], []
        self.count = 0

    def wants(self, payload: object) -> bool:
        """Whether an event would become a row, if it is sound."""
        return self._decoder_of(payload) is not None and not _is_off_market(payload)

    def _decoder_of(self, payload: object) -> _Decoder | None:
        if type(payload) is not dict:
            return None
        kind = payload.get("e")
        if kind is None:
            is_book = "u" in payload and "s" in payload and "b" in payload and "a" in payload
            return self._nameless if is_book else None
        return self._decoders.get(kind) if type(kind) is str else None

    def add(self, payload: Any, recv_ns: int, line: int) -> str | None:
        """Decode one event and keep its row. Gives None, or the kind of an event that is left out.

        Raises FieldFault if a field is missing or is not what it should be; ranges are left to the row checks.
        """
        found = self._decoder_of(payload)
        if found is None:
            return _left_out(payload)
        decode, required, optional, is_tick = found
        if self.numbered and payload.get("e") == "aggTrade" and self._is_known(payload):
            return AGGREGATES
        try:
            row = decode(payload, recv_ns)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise field_fault(payload, required, optional) from error
        if row is None:
            return NOT_MARKET
        if is_tick:
            self.ticks.append(row)
            self.tick_lines.append(line)
        else:
            self.klines.append(row)
            self.kline_lines.append(line)
        self.count += 1
        return None

    # The next two decode nearly all messages of a busy capture, so they avoid calls. `float` reads more than decimal
    # numbers: 1_000, blanks around, digits of other scripts, true, nan. A look at all fields together finds texts that
    # may be such, and these are looked at one by one; a tabulator and its like need a backslash in the line.

    def _book(self, d: Message, recv_ns: int) -> Row:
        bid, ask, bid_size, ask_size = d["b"], d["a"], d["B"], d["A"]
        text = f"{bid}{ask}{bid_size}{ask_size}"
        if text.isascii() and "_" not in text and " " not in text and "e" not in text and not self.escaped:
            bid, ask, bid_size, ask_size = float(bid), float(ask), float(bid_size), float(ask_size)
            total = bid + ask + bid_size + ask_size
            if total != total:
                raise ValueError
        else:
            bid, ask, bid_size, ask_size = number(bid), number(ask), number(bid_size), number(ask_size)
        symbol = self._known.get(d["s"])
        if symbol is None:
            symbol = self._symbol(d)
        event_ns = event_ns_of(d, recv_ns) if "E" in d or "T" in d else recv_ns
        # Spelt out, as a tuple with a `*` in it is made by way of a list.
        return (
            event_ns, recv_ns, symbol, 0, 0, _NAN, _NAN, bid, ask, bid_size, ask_size, _NAN, _NAN, _NAN, _NAN
        )  # fmt: skip

    def _trade(self, d: Message, recv_ns: int) -> Row | None:
        if "X" in d and _is_off_market(d):
            return None
        price, qty = d["p"], d["q"]
        text = f"{price}{qty}"
        if text.isascii() and "_" not in text and " " not in text and "e" not in text and not self.escaped:
            price, qty = float(price), float(qty)
            total = price + qty
            if total != total:
                raise ValueError
        else:
            price, qty = number(price), number(qty)
        symbol = self._known.get(d["s"])
        if symbol is None:
            symbol = self._symbol(d)
        trade_id = d.get("t" if d["e"] == "trade" else "l", 0)  # an aggregate has the id of its last trade
        if type(trade_id) is not int or not 0 <= trade_id <= LARGEST_INT64:
            raise FieldFault("t or l", f"{shown(trade_id)} is not a trade id")
        event_ns = event_ns_of(d, recv_ns)
        return (
            event_ns, recv_ns, symbol, 0, trade_id, price, qty, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN
        )  # fmt: skip

    def _is_known(self, payload: Message) -> bool:
        """Whether all trades of an aggregate come one by one as well."""
        symbol, first, last = payload.get("s"), payload.get("f"), payload.get("l")
        if type(symbol) is not str or type(first) is not int or type(last) is not int:
            return False
        return symbol in self.numbered and self.numbered[symbol].has(first, last)

    def _day(self, d: Message, recv_ns: int) -> Row:
        # The last quantity (Q) is left out, as it would count that trade once more.
        price = number(d["c"])
        day = (number(d["o"]), number(d["h"]), number(d["l"]), number(d["v"]))
        # Only the spot ticker has a quote.
        bid, ask, bid_size, ask_size = (number(d[field]) if field in d else _NAN for field in "baBA")
        event_ns, last_id = event_ns_of(d, recv_ns), _last_id(d, "")
        return (event_ns, recv_ns, self._symbol(d), 0, last_id, price, _NAN, bid, ask, bid_size, ask_size, *day)

    def _kline(self, d: Message, recv_ns: int) -> Row:
        k = d.get("k")
        if type(k) is not dict:
            raise FieldFault("k", "is missing" if k is None else f"{shown(k)} is not a candle")
        if "s" not in d:
            raise FieldFault("s", "is missing")
        try:
            open_, high, low, close, volume = (number(k[field]) for field in "ohlcv")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise field_fault(k, "ohlcv", prefix="k.") from error
        trades, closed = k.get("n", 0), k.get("x")
        if type(trades) is not int or not 0 <= trades <= LARGEST_INT64:
            raise FieldFault("k.n", f"{shown(trades)} is not a count")
        if type(closed) is not bool:
            raise FieldFault("k.x", f"{shown(closed)} is neither true nor false")
        open_ns = time_ns(k.get("t"), "k.t")
        interval_s = self._interval(k.get("i"))
        event_ns, symbol = event_ns_of(d, recv_ns), self._symbol(d)
        return (
            open_ns, recv_ns, event_ns, 0, symbol, interval_s, open_, high, low, close, volume, trades, closed,
            _last_id(k, "k."),
        )  # fmt: skip

    def _symbol(self, d: Message) -> int:
        """The index of a message's symbol, which is checked when it is new."""
        name = d["s"]
        if type(name) is not str:
            raise FieldFault("s", f"{shown(name)} is not a symbol name")
        reason = symbol_fault(name)
        if reason is not None:
            raise FieldFault("s", reason)
        return self._index.index(name)

    def _interval(self, name: object) -> int:
        if not isinstance(name, str):
            raise FieldFault("k.i", "is missing" if name is None else f"{shown(name)} is not an interval")
        known = self._intervals.get(name)
        if known is None:
            known = recorded_interval_s(name)
            if known is None:
                raise FieldFault("k.i", f"unknown interval {shown(name)}")
            self._intervals[name] = known
        return known


def _last_id(payload: Message, prefix: str) -> int:
    """The id of the last trade in what is said of a candle or of 24 hours; 0 where there is none, or no trade."""
    last_id = payload.get("L", 0)
    if type(last_id) is not int or not -1 <= last_id <= LARGEST_INT64:
        raise FieldFault(f"{prefix}L", f"{shown(last_id)} is not a trade id")
    return max(last_id, 0)


def _left_out(payload: object) -> str:
    """The kind under which an event without rows is counted."""
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


def _is_off_market(payload: Any) -> bool:
    return payload.get("e") == "trade" and payload.get("X") not in (None, "MARKET")
