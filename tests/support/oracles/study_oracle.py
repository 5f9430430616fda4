"""What a study should tell, computed by pandas from the rows of a recording of ticks and the signals of its replay.

It models replays with a cycle for each moment (EVERY_CYCLE): then the price at any time is that of the last row.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.support.oracles.oracle_rows import Tick, read
from tickflag.common.units import NS_PER_MS, NS_PER_S

Watches = Callable[[str], bool]


class StudyOracle:
    """Prices by time and symbol; `digest` gives the summary of one trader's signals."""

    def __init__(self, paths: Sequence[Path]) -> None:
        rows = [(row.known_ns, row.symbol, row.price, row.bid, row.ask) for row in read(paths) if isinstance(row, Tick)]
        frame = pd.DataFrame(rows, columns=["ns", "symbol", "last", "bid", "ask"])
        kinds = {"last": float, "bid": float, "ask": float}
        frame[["last", "bid", "ask"]] = frame.astype(kinds).groupby("symbol")[["last", "bid", "ask"]].ffill()
        frame["price"] = frame["last"].fillna((frame["bid"] + frame["ask"]) / 2)
        self.start_ns, self.end_ns = int(frame.ns.iloc[0]), int(frame.ns.iloc[-1])
        self.since_ns = frame.groupby("symbol").ns.min()
        self._prices = frame.groupby(["ns", "symbol"]).price.last().unstack().ffill()

    def price(self, symbol: str, ns: int) -> float:
        """The last price at or before that time; NaN where there is none."""
        return float(self._at(np.array([ns]))[symbol].iloc[0])

    def entries(self, signals: Sequence[dict[str, Any]], trader: str) -> pd.DataFrame:
        """One row for each entry: symbol, entered_ms, left_ms (NaN: it still matches)."""
        found: list[dict[str, Any]] = []
        latest: dict[str, dict[str, Any]] = {}
        for signal in signals:
            if signal["trader"] == trader and signal["event"] == "entered":
                latest[signal["symbol"]] = {
                    "symbol": signal["symbol"],
                    "entered_ms": signal["time_ms"],
                    "left_ms": None,
                }
                found.append(latest[signal["symbol"]])
            elif signal["trader"] == trader and signal["event"] == "left":
                latest[signal["symbol"]]["left_ms"] = signal["time_ms"]
        return pd.DataFrame(found, columns=["symbol", "entered_ms", "left_ms"]).astype({"left_ms": float})

    def returns(self, entries: pd.DataFrame, horizon_s: int) -> pd.Series:
        """One return for each entry; NaN where the horizon ends after the recording."""
        found = []
        for symbol, entered_ms in zip(entries.symbol, entries.entered_ms, strict=True):
            begin_ns, end_ns = entered_ms * NS_PER_MS, entered_ms * NS_PER_MS + horizon_s * NS_PER_S
            later = self.price(symbol, end_ns) if end_ns <= self.end_ns else np.nan
            found.append(later / self.price(symbol, begin_ns) - 1)
        return pd.Series(found, dtype=float)

    def baseline(self, horizon_s: int, watches: Watches) -> np.ndarray:
        """All returns of watched symbols from the moments that count."""
        step_ns = horizon_s * NS_PER_S // 10
        moments = np.arange(0, self.end_ns - self.start_ns, step_ns) + -(-self.start_ns // step_ns) * step_ns
        moments = moments[moments + horizon_s * NS_PER_S <= self.end_ns]
        now, after = self._at(moments), self._at(moments + horizon_s * NS_PER_S)
        moved = (self._prices.ne(self._prices.shift()) & self._prices.notna()).any(axis=1)
        changes = self._prices.index.to_numpy()[moved.to_numpy()]
        # Those in the tenth before a moment, whose end belongs to it.
        counts = np.searchsorted(changes, moments, "right") > np.searchsorted(changes, moments - step_ns, "right")
        watched = [symbol for symbol in now.columns if watches(symbol)]
        values = (after / now - 1)[counts][watched].to_numpy().ravel()
        found: np.ndarray = values[~np.isnan(values)]
        return found

    def digest(
        self, signals: Sequence[dict[str, Any]], trader: str, watches: Watches, horizons: dict[str, int]
    ) -> dict[str, Any]:
        """The same numbers as in the summary of a replay."""
        events = pd.Series([signal["event"] for signal in signals if signal["trader"] == trader], dtype=object)
        entries = self.entries(signals, trader)
        held = (entries.left_ms - entries.entered_ms).dropna()
        matched_ms = (entries.left_ms.fillna(self.end_ns / NS_PER_MS) - entries.entered_ms).sum()
        since_ns = self.since_ns[[symbol for symbol in self.since_ns.index if watches(symbol)]]
        returns = {}
        for name, horizon_s in horizons.items():
            every = self.returns(entries, horizon_s)
            known, base = every.dropna(), self.baseline(horizon_s, watches)
            beyond = int((entries.entered_ms * NS_PER_MS + horizon_s * NS_PER_S > self.end_ns).sum())
            returns[name] = {
                "count": len(known),
                "mean": known.mean(),
                "median": known.median(),
                "hit_rate": (known > 0).mean(),
                "baseline": base.mean() if len(base) else np.nan,
                "baseline_count": len(base),
                "beyond": beyond,
                "unpriced": len(every) - len(known) - beyond,
            }
        return {
            **{event: int((events == event).sum()) for event in ("entered", "left", "score")},
            "standing": 0,
            "matching": int(entries.left_ms.isna().sum()),
            "symbols": len(since_ns),
            "time_in_set": matched_ms * NS_PER_MS / (self.end_ns - since_ns).sum(),
            "held_ms": {"count": len(held), "mean": held.mean(), "median": held.median()},
            "returns": returns,
        }

    def _at(self, moments: np.ndarray) -> pd.DataFrame:
        """The prices of all symbols at each of the moments."""
        places = np.searchsorted(self._prices.index.to_numpy(), moments, "right") - 1
        empty = pd.DataFrame(np.nan, index=[-1], columns=self._prices.columns)
        return pd.concat([empty, self._prices]).iloc[places + 1].reset_index(drop=True)
