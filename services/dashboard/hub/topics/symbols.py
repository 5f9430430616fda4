"""The topics `symbols`, `symbol` and `candles`: the search for symbols, and all about one."""

from typing import Any

import numpy as np

from tickflag.common.segment.layout import STATUS_TRADING
from tickflag.common.units import NS_PER_MS
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.engine.market_view import checked_interval
from tickflag.services.dashboard.hub.refusals import NotFound
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.live_search import LiveSearch
from tickflag.services.dashboard.hub.topics.matches import mark_stale
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic, Waiting

SIGNALS = 200
MOST_NAMES = 200
MOST_CANDLES = 100_000
TIMES = {"event_ns": "age_ms", "recv_ns": "received_age_ms", "last_ns": "last_age_ms"}


def _symbols(arguments: TopicArguments) -> Ready:
    text = arguments.text("text", "")
    count = arguments.count("count", 20, MOST_NAMES)
    arguments.end()
    wanted = text.casefold()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        names = sight.names.names()
        hits = np.nonzero(names.containing(text))[0].tolist()
        ranks = names.ranks()

        def place(number: int) -> tuple[bool, bool, int]:
            name = names.names[number].casefold()
            return name != wanted, not name.startswith(wanted), int(ranks[number])

        return Answer(
            {"names": [names.names[number] for number in sorted(hits, key=place)[:count]], "total": len(hits)}
        )

    return answer


def _symbol(arguments: TopicArguments) -> Ready:
    symbol = arguments.text("symbol")
    arguments.end()
    search = LiveSearch({"symbol": symbol}, SIGNALS)

    def answer(sight: Sight, _trusted: bool) -> Answer:
        collector = sight.collector
        if not collector.ready and not collector.away:
            raise Waiting
        mark_stale(sight)
        slot = sight.market.slot(symbol)
        past = search.signals(sight)
        if slot is None and not past and not sight.owed and not collector.table.of_symbol(symbol):
            raise NotFound(f"no symbol {symbol!r} in the market")
        return Answer(
            {
                "symbol": symbol,
                "known": slot is not None,
                "ticker": _ticker(sight, symbol),
                "intervals": sight.market.intervals(),
                "matches": collector.table.of_symbol(symbol),
                "signals": past,
            }
        )

    return answer


def _ticker(sight: Sight, symbol: str) -> dict[str, Any] | None:
    """All columns of the row with the ages of its times; None without data."""
    row = sight.market.row(symbol)
    if row is None:
        return None
    ticker, version = row
    times = {name: ticker.pop(name) for name in TIMES}
    ages = {age: sight.now_ms - times[name] / NS_PER_MS if times[name] else None for name, age in TIMES.items()}
    known = {f"{name.removesuffix('_ns')}_ms": value / NS_PER_MS if value else None for name, value in times.items()}
    status = "trading" if ticker.pop("status") == STATUS_TRADING else "delisted"
    return {**ticker, **known, **ages, "status": status, "version": version}


def _candles(arguments: TopicArguments) -> Ready:
    symbol, interval = arguments.text("symbol"), arguments.text("interval")
    count = arguments.count("count", 500, MOST_CANDLES, 1)
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        checked_interval(interval, sight.market.intervals())
        columns, forming = sight.market.candles(symbol, interval, count)
        data = {"symbol": symbol, "interval": interval, "forming": forming}
        return Answer(data, rows=len(columns["time"]), numbers=columns)

    return answer


TOPICS = (
    Topic("symbols", _symbols, 5.0),
    Topic("symbol", _symbol, 0.0, follows=True),
    Topic("candles", _candles, 0.5),
)
