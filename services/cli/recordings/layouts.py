"""Layouts: the columns of files without a header that Binance publishes, and what the names of such files tell."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_NAME = re.compile(r"(?P<symbol>[^-]+)-(?P<what>trades|aggTrades|bookTicker|[0-9]+(?:s|m|h|d|w|mo))-\d{4}-\d\d(-\d\d)?")
_VALUE = re.compile(
    r"[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?|[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}.*|[0-9:.]+"
)
_SINCE_1970 = re.compile(r"[0-9]{13}(?:[0-9]{3})?")  # ms; us since 2025
_TRUTH = re.compile(r"true|false", re.IGNORECASE)

_KLINES = ("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
           "taker_buy_volume", "taker_buy_quote_volume", "ignore")  # fmt: skip
_TRADES = ("trade_id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_AGG_TRADES = ("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time",
               "is_buyer_maker", "is_best_match")  # fmt: skip
_BOOK = ("update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time",
         "event_time")  # fmt: skip
# Columns, and which of them holds a time, which a truth value. Files of futures lack the last column of some.
_LAYOUTS = (
    (_KLINES, (0, 6), ()),
    (_TRADES, (4,), (5, 6)),
    (_TRADES[:6], (4,), (5,)),
    (_AGG_TRADES, (5,), (6, 7)),
    (_AGG_TRADES[:7], (5,), (6,)),
    (_BOOK, (5, 6), ()),
)


class FileName(NamedTuple):
    """What a file's name says of all its rows; the interval is empty where they are no candles."""

    symbol: str
    interval: str


def told_by_name(stem: str) -> FileName | None:
    """Symbol and interval of a file named as Binance's are: `BTCUSDT-1m-2024-12`, `BTCUSDT-trades-2024-12-31`."""
    found = _NAME.fullmatch(stem)
    if found is None:
        return None
    return FileName(found["symbol"], found["what"] if found["what"][0].isdigit() else "")


def is_row(cells: Sequence[str]) -> bool:
    """Whether a first line holds values, and so names no columns."""
    return any(_VALUE.fullmatch(cell.strip()) for cell in cells)


def binance_columns(cells: Sequence[str]) -> Sequence[str] | None:
    """The columns of a file of Binance, told by the values of its first line; None where it is none."""
    for columns, times, truths in _LAYOUTS:
        if len(cells) == len(columns):
            fits = all(_SINCE_1970.fullmatch(cells[i].strip()) for i in times)
            if fits and all(_TRUTH.fullmatch(cells[i].strip()) for i in truths):
                return columns
    return None
