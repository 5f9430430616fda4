"""The fields of Binance's messages: numbers, times, and what is wrong with one that is neither."""

import re
from typing import Any, TypeAlias

from tickflag.common.units import NS_PER_MS, NS_PER_US, US_PER_MS

Message: TypeAlias = dict[str, Any]

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITY = float("inf")
_MAX_MS = 9_000_000_000_000  # the year 2255; times beyond are microseconds, which spot streams send when asked to
_MAX_US = _MAX_MS * US_PER_MS


class FieldFault(Exception):  # noqa: N818 - it is a fault of the data, and caught within this package
    """One message, or one element of an array message, is refused because of a field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def event_ns_of(d: Message, recv_ns: int) -> int:
    """The time of the trade or change (T), else of the message (E), else of its receipt."""
    field = "T" if "T" in d else "E"
    time = d.get(field)
    if type(time) is int and 0 < time <= _MAX_MS:
        return time * NS_PER_MS
    return recv_ns if time is None else time_ns(time, field)


def time_ns(value: object, field: str) -> int:
    """A time of the message in ns: Binance sends milliseconds, or microseconds where asked to. Raises FieldFault."""
    if type(value) is int:
        if 0 < value <= _MAX_MS:
            return value * NS_PER_MS
        if _MAX_MS < value <= _MAX_US:
            return value * NS_PER_US
    raise FieldFault(field, f"{shown(value)} is not a time in milliseconds or microseconds since 1970")


def number(value: Any) -> float:
    """A number field's value. JSON numbers and decimal numbers in strings are both in use; nothing else is one."""
    fits = _DECIMAL.fullmatch(value) if type(value) is str else type(value) in (int, float) and value == value
    if not fits:  # NaN stands for "absent" in a row, so a NaN that was sent may not pass
        raise ValueError
    return float(value)


def field_fault(payload: Message, required: str, optional: str = "", prefix: str = "") -> FieldFault:
    """The fault of the field that is missing or wrong: decoding, built for speed, cannot tell which it is."""
    for field in required + optional:
        if field not in payload:
            if field in required:
                return FieldFault(prefix + field, "is missing")
        elif field == "s":
            if type(payload["s"]) is not str:
                return FieldFault("s", f"{shown(payload['s'])} is not a symbol name")
        else:
            try:
                finite = abs(number(payload[field])) < _INFINITY
            except (TypeError, ValueError, OverflowError):
                finite = False
            if not finite:
                return FieldFault(prefix + field, f"{shown(payload[field])} is not a number")
    return FieldFault("", "the message cannot be understood")


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
