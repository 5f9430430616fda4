"""Live: the running engine in a notebook: market, candles, matches, signals and traders as data frames."""

import itertools
import os
import time
from collections.abc import Sequence
from typing import Any, Self, overload

import numpy as np

from tickflag.common.arrays import Integers
from tickflag.common.client.follower.events import Place
from tickflag.common.client.follower.follower import Follower, followed_settings
from tickflag.common.client.frames import Kind, Maker, column, maker, times
from tickflag.common.client.journal_pages import journalled, newest
from tickflag.common.client.market import LiveMarket
from tickflag.common.errors import TickflagError
from tickflag.common.protocol.rows import CandleWish
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import CANDLE_FIELDS, STATUS_TRADING, TICKER
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.requests import Client, Unreachable

_PRICES = [name for name in TICKER.names or () if TICKER[name].kind == "f"]


def attach(
    instance: str | None = None, *, root: str | os.PathLike[str] | None = None, frame: Kind | None = None
) -> "Live":
    """A Live on the running engine.

    `instance` and `root` (the setting `runtime.root`) say which engine; without them the settings do, as for any
    command. `frame` is the form of the answers: `pandas`, `polars`, or `numpy` (a dict of arrays); without it the first
    of these that is installed. Raises TickflagError where no engine runs.
    """
    runtime = followed_settings(instance, root).runtime_folder()
    if Role.holder(runtime, "feed") is None and Role.holder(runtime, "collector") is None:
        raise Unreachable(
            f"no engine is running for instance {runtime.folder.name!r} in {runtime.folder.parent} "
            "(start it with `tickflag start`)"
        )
    return Live(runtime, maker(frame))


class Live:
    """Made by `attach`. Every answer is a copy as of its moment; ask again for a newer one. One thread.

    It finds a restarted feed or collector by itself. Questions to a process that does not run raise TickflagError.
    """

    def __init__(self, runtime: Runtime, make: Maker) -> None:
        self._runtime, self._make = runtime, make
        self._market = LiveMarket(runtime)

    def market(self, symbols: Sequence[str] | None = None) -> Any:
        """The tickers of all symbols that have data, or of `symbols`, by symbol.

        Prices, sizes and volumes are floats, NaN where not known. `time` is the time of the latest event and `received`
        that of its receipt, both UTC. `age_s` is the age of the event by this machine's clock.
        """
        names, rows = self._market.read(symbols)
        tickers = rows.tickers
        columns: dict[str, Any] = {"symbol": names, **{name: tickers[name].copy() for name in _PRICES}}
        columns["trading"] = tickers["status"] == STATUS_TRADING
        columns["time"], columns["received"] = times(tickers["event_ns"]), times(tickers["recv_ns"])
        columns["age_s"] = (time.time_ns() - tickers["event_ns"]) / NS_PER_S
        return self._make(columns, ["symbol"])

    @overload
    def candles(self, symbol: str, interval: str, /, *, n: int | None = None, forming: bool = False) -> Any: ...

    @overload
    def candles(
        self, interval: str, /, *, symbols: Sequence[str] | None = None, n: int | None = None, forming: bool = False
    ) -> Any: ...

    def candles(
        self,
        first: str,
        second: str | None = None,
        /,
        *,
        symbols: Sequence[str] | None = None,
        n: int | None = None,
        forming: bool = False,
    ) -> Any:
        """The last `n` closed candles, oldest first; all that are kept where `n` is not given.

        `candles("BTCUSDT", "5m")` gives the candles of one symbol, by time; `candles("5m")` those of all symbols, or of
        `symbols`, by symbol and time. With `forming` the last one is the forming candle, where there is one.
        """
        alone = second is not None
        interval = first if second is None else second

        def wish(segment: Segment) -> CandleWish:
            longest = segment.layout.depth + forming
            if n is not None and not 1 <= n <= longest:
                raise TickflagError(f"n must be 1 to {longest}, not {n}: the feed keeps `segment.depth` candles")
            fields = tuple(range(len(CANDLE_FIELDS)))
            return CandleWish(segment.interval(interval), longest if n is None else n, fields, forming)

        names, rows = self._market.read([first] if alone else symbols, wish)
        assert rows.candles is not None
        assert rows.valid is not None
        width = rows.candles.shape[2]
        there = np.arange(width) >= width - rows.valid[:, None]  # the valid candles are on the right
        columns: dict[str, Any] = {} if alone else {"symbol": np.repeat(names, rows.valid)}
        columns |= {name: values[there] for name, values in zip(CANDLE_FIELDS, rows.candles, strict=True)}
        columns["time"] = times(columns["time"].astype(np.int64) * NS_PER_S)
        return self._make(columns, ["time"] if alone else ["symbol", "time"])

    def matches(self, trader: str | None = None) -> Any:
        """The present matches of one trader, or of all: symbol, trader, score and note, by trader, highest score first.

        `stale` is true where the trader or the match is stale: then the match is what was last known.
        """
        with Client(self._runtime, "collector") as collector:
            if trader is not None:
                answers = [collector.ask("matches", trader=trader)]
            else:
                # A trader without an age is on the roster only, and has sent nothing yet.
                known = [one["name"] for one in collector.ask("traders") if one["age_ms"] is not None]
                answers = [collector.ask("matches", trader=name) for name in known]
        found = [
            (
                symbol,
                answer["trader"],
                score,
                answer["stale"] or symbol in answer["stale_symbols"],
                answer["notes"].get(symbol, ""),
            )
            for answer in answers
            for symbol, score in sorted(answer["matches"].items(), key=lambda match: (-match[1], match[0]))
        ]
        symbols, traders, scores, stale, notes = zip(*found, strict=True) if found else ((),) * 5
        columns = {"symbol": column(symbols), "trader": column(traders)}
        columns |= {"score": np.array(scores, np.float64), "stale": np.array(stale, np.bool_), "note": column(notes)}
        return self._make(columns, [])

    def signals(self, since: int | None = None, *, trader: str | None = None, limit: int | None = 1_000) -> Any:
        """Signals by number: the newest `limit` ones, or the first `limit` after the number `since`.

        Without a limit (None) `since` must be given.
        """
        if since is None and limit is None:
            raise TickflagError("signals without a `limit` need a `since`: 0 for all that are kept")

        def wanted(signal: dict[str, Any]) -> bool:
            return trader is None or signal["trader"] == trader

        with Client(self._runtime, "collector") as collector:
            if since is None and limit is not None:
                found = newest(collector.ask, limit, wanted)
            else:
                after = journalled(collector.ask, "signals", since or 0)
                found = list(itertools.islice(filter(wanted, after), limit))
        columns: dict[str, Any] = {"seq": _whole(found, "seq"), "time": times(_whole(found, "time_ms") * NS_PER_MS)}
        columns |= {name: column([signal[name] for signal in found]) for name in ("trader", "symbol", "event")}
        columns["score"] = np.array([signal["score"] for signal in found], np.float64)
        columns["cycle"] = _whole(found, "cycle")
        columns["note"] = column([signal["note"] for signal in found])
        return self._make(columns, ["seq"])

    def follow(self, place: Place | None = None) -> Follower:
        """Every change of matches from now on, or from `place` on; see `tickflag.follow`."""
        return Follower(self._runtime, place=place)

    def traders(self) -> Any:
        """Every trader by name, with what `tickflag traders --json` tells."""
        with Client(self._runtime, "collector") as collector:
            found: list[dict[str, Any]] = collector.ask("traders")
        names = list(found[0]) if found else ["name", "state"]
        return self._make({name: column([one[name] for one in found]) for name in names}, ["name"])

    def close(self) -> None:
        """Release the segment; the next question attaches again."""
        self._market.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _whole(signals: list[dict[str, Any]], name: str) -> Integers:
    return np.array([signal[name] for signal in signals], np.int64)
