"""All that a trader plugin may see: the hooks, the declaration, read-only views of the market, indicators."""

from common.traderapi import series
from common.traderapi.candles import Candles
from common.traderapi.declaration import API_VERSION, CANDLE_COLUMNS, Trader
from common.traderapi.hooks import PROJECT, hookimpl
from common.traderapi.indicators import (
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
from common.traderapi.state import State
from common.traderapi.views import Market, Symbol

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
