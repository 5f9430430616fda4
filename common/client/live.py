"""Live: the running engine, for a notebook: market, candles, matches, signals and traders as data frames."""

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from common import settings as configuration
from common.client.frames import Kind, Maker, column, maker, times
from common.client.market import LiveMarket
from common.errors import TickflagError
from common.follower import Follower, newest
from common.layout import CANDLE_FIELDS, STATUS_TRADING, TICKER
from common.requests import Client, Unreachable
from common.rows import CandleWish
from common.runtime import Role, Runtime
from common.segment import Segment

_PRICES = [name for name in TICKER.names or () if TICKER[name].kind == "f"]


def attach(
    instance: str | None = None, *, root: str | os.PathLike[str] | None = None, frame: Kind | None = None
) -> "Live":
    """A view of the running engine.

    `instance` and `root` (the setting `runtime.root`) say which engine, else the settings do, as for any command.
    `frame` is what the answers are: `pandas`, `polars`, or `numpy` (a dict of arrays); else the first of them that is
    installed. Raises TickflagError where no engine runs.
    """
    given: dict[str, Any] = {} if instance is None else {"instance": instance}
    if root is not None:
        given["runtime"] = {"root": Path(root)}
    runtime = configuration.load(**given).runtime_folder()
    if Role.holder(runtime, "feed") is None and Role.holder(runtime, "collector") is None:
        raise Unreachable(
            f"no engine is running for instance {runtime.folder.name!r} in {runtime.folder.parent} "
            "(start it with `tickflag start`)"
        )
    return Live(runtime, maker(frame))


class Live:
    """Given by `attach`. Everything is a copy of the moment; ask again for a newer one. One thread.

    A restarted feed or collector is found by itself. While one does not run, its questions raise TickflagError.
    """

    def __init__(self, runtime: Runtime, make: Maker) -> None:
        self._runtime, self._make = runtime, make
        self._market = LiveMarket(runtime)

    def market(self, symbols: Sequence[str] | None = None) -> Any:
        """The tickers of all symbols that have data, or of these, by symbol.

        Prices, sizes and volumes are floats, NaN where not known; `time` is the latest event's and `received` that of
        its receipt, both UTC; `age_s` is how long ago that event was by this machine's clock.
        """
        names, rows = self._market.read(symbols)
        tickers = rows.tickers
        columns: dict[str, Any] = {"symbol": names, **{name: tickers[name].copy() for name in _PRICES}}
        columns["trading"] = tickers["status"] == STATUS_TRADING
        columns["time"], columns["received"] = times(tickers["event_ns"]), times(tickers["recv_ns"])
        columns["age_s"] = (time.time_ns() - tickers["event_ns"]) / 1e9
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
        """The last `n` closed candles, oldest first, all that are kept where `n` is not given.

        `candles("BTCUSDT", "5m")` gives those of one symbol, by time; `candles("5m")` those of all symbols, or of
        `symbols`, by symbol and time. With `forming` the candle being formed is the last one, where there is one.
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
        there = np.arange(width) >= width - rows.valid[:, None]  # on the right
        columns: dict[str, Any] = {} if alone else {"symbol": np.repeat(names, rows.valid)}
        columns |= {name: values[there] for name, values in zip(CANDLE_FIELDS, rows.candles, strict=True)}
        columns["time"] = times(columns["time"].astype(np.int64) * 1_000_000_000)
        return self._make(columns, ["time"] if alone else ["symbol", "time"])

    def matches(self, trader: str | None = None) -> Any:
        """What matches now: symbol, trader, score and note, each trader's highest first; of one trader, or of all.

        `stale`: the trader or the symbol is silent, and the match is what was last known.
        """
        with Client(self._runtime, "collector") as collector:
            if trader is not None:
                answers = [collector.ask("matches", trader=trader)]
            else:
                # One that is only on the roster has reported nothing yet.
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
        """What entered and left, by number: the newest `limit` signals, or those after the number `since`.

        `limit` None is no limit; then `since` must be given.
        """
        if since is None and limit is None:
            raise TickflagError("signals without a `limit` need a `since`: 0 for all that are kept")

        def wanted(signal: dict[str, Any]) -> bool:
            return trader is None or signal["trader"] == trader

        with Client(self._runtime, "collector") as collector:
            if since is None and limit is not None:
                found = newest(collector.ask, limit, wanted)
            else:
                replayed = Follower(collector.ask, since or 0, lambda _text: None).replay()
                found = list(itertools.islice(filter(wanted, replayed), limit))
        columns: dict[str, Any] = {"seq": _whole(found, "seq"), "time": times(_whole(found, "time_ms") * 1_000_000)}
        columns |= {name: column([signal[name] for signal in found]) for name in ("trader", "symbol", "event")}
        columns["score"] = np.array([signal["score"] for signal in found], np.float64)
        columns["cycle"] = _whole(found, "cycle")
        columns["note"] = column([signal["note"] for signal in found])
        return self._make(columns, ["seq"])

    def traders(self) -> Any:
        """Every trader by name, with what `tickflag traders --json` tells."""
        with Client(self._runtime, "collector") as collector:
            found: list[dict[str, Any]] = collector.ask("traders")
        names = list(found[0]) if found else ["name", "state"]
        return self._make({name: column([one[name] for one in found]) for name in names}, ["name"])

    def close(self) -> None:
        """Let go of the segment; the next question takes it again."""
        self._market.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _whole(signals: list[dict[str, Any]], name: str) -> npt.NDArray[np.int64]:
    return np.array([signal[name] for signal in signals], np.int64)
