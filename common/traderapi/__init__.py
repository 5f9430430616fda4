"""All that a trader plugin may see: the hooks, the declaration, read-only views of the market, indicators.

In: rows and candles that were read from the segment. Out: views for the hooks, and numbers computed from candles.
"""

from tickflag.common.traderapi import series
from tickflag.common.traderapi.candles import Candles
from tickflag.common.traderapi.declaration import API_VERSION, CANDLE_COLUMNS, Trader
from tickflag.common.traderapi.hooks import PROJECT, hookimpl
from tickflag.common.traderapi.indicators import (
    atr,
    bollinger_width,
    ema,
    highest,
    log_returns,
    lowest,
    returns,
    rsi,
    sma,
    std,
    vwap,
    zscore,
)
from tickflag.common.traderapi.state import State
from tickflag.common.traderapi.views import Market, Symbol

__all__ = [
    "API_VERSION",
    "CANDLE_COLUMNS",
    "PROJECT",
    "Candles",
    "Market",
    "State",
    "Symbol",
    "Trader",
    "atr",
    "bollinger_width",
    "ema",
    "highest",
    "hookimpl",
    "log_returns",
    "lowest",
    "returns",
    "rsi",
    "series",
    "sma",
    "std",
    "vwap",
    "zscore",
]
