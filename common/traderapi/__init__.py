"""All that a trader plugin may see: the hooks, the declaration, read-only views of the market, indicators."""

from common.traderapi.declaration import CANDLE_COLUMNS, Trader
from common.traderapi.hooks import API_VERSION, PROJECT, hookimpl
from common.traderapi.indicators import ema, rsi, sma
from common.traderapi.views import Candles, Market, Symbol

__all__ = [
    "API_VERSION",
    "CANDLE_COLUMNS",
    "PROJECT",
    "Candles",
    "Market",
    "Symbol",
    "Trader",
    "ema",
    "hookimpl",
    "rsi",
    "sma",
]
