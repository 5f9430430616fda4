"""Tickflag: a market screener that processes only what changed.

What traders, their tests, notebooks and scripts need is here, in one line: `from tickflag import Market, Trader,
hookimpl, sma`, `tickflag.attach()`, `tickflag.follow()`, `tickflag.save_recording()`. Every name is imported when it is
first used, so `import tickflag` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tickflag.common.client.follower.async_follower import AsyncFollower, follow_async
    from tickflag.common.client.follower.events import (
        CollectorAway,
        CollectorBack,
        MatchSets,
        NewNotices,
        NewSignals,
        Place,
    )
    from tickflag.common.client.follower.follower import Follower, follow
    from tickflag.common.client.live import Live, attach
    from tickflag.common.client.saving import save_recording
    from tickflag.common.errors import TickflagError
    from tickflag.common.traderapi import (
        API_VERSION,
        CANDLE_COLUMNS,
        PROJECT,
        Candles,
        Market,
        State,
        Symbol,
        Trader,
        atr,
        bollinger_width,
        ema,
        highest,
        hookimpl,
        log_returns,
        lowest,
        returns,
        rsi,
        series,
        sma,
        std,
        vwap,
        zscore,
    )
    from tickflag.services.testing.market import ManualMarket
    from tickflag.services.testing.trader import LoadTrader

    __version__: str

__all__ = [
    "API_VERSION",
    "CANDLE_COLUMNS",
    "PROJECT",
    "AsyncFollower",
    "Candles",
    "CollectorAway",
    "CollectorBack",
    "Follower",
    "Live",
    "LoadTrader",
    "ManualMarket",
    "Market",
    "MatchSets",
    "NewNotices",
    "NewSignals",
    "Place",
    "State",
    "Symbol",
    "TickflagError",
    "Trader",
    "atr",
    "attach",
    "bollinger_width",
    "ema",
    "follow",
    "follow_async",
    "highest",
    "hookimpl",
    "log_returns",
    "lowest",
    "returns",
    "rsi",
    "save_recording",
    "series",
    "sma",
    "std",
    "vwap",
    "zscore",
]

_HOMES = {
    "AsyncFollower": "tickflag.common.client.follower.async_follower",
    "CollectorAway": "tickflag.common.client.follower.events",
    "CollectorBack": "tickflag.common.client.follower.events",
    "Follower": "tickflag.common.client.follower.follower",
    "MatchSets": "tickflag.common.client.follower.events",
    "NewNotices": "tickflag.common.client.follower.events",
    "NewSignals": "tickflag.common.client.follower.events",
    "Place": "tickflag.common.client.follower.events",
    "follow": "tickflag.common.client.follower.follower",
    "follow_async": "tickflag.common.client.follower.async_follower",
    "Live": "tickflag.common.client.live",
    "attach": "tickflag.common.client.live",
    "save_recording": "tickflag.common.client.saving",
    "TickflagError": "tickflag.common.errors",
    "ManualMarket": "tickflag.services.testing.market",
    "LoadTrader": "tickflag.services.testing.trader",
}
"""Where the names are that `tickflag.common.traderapi` does not have."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tickflag")
    if name not in __all__:
        raise AttributeError(f"module 'tickflag' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "tickflag.common.traderapi")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
