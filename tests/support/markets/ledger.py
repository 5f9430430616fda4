"""Ledger: a recording whose end is known, two traders with an arithmetic rule, and the matches that these must find."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.harnesses.engine import Engine, write_trader

BY_ARRAY = """
    @hookimpl
    def evaluate(market):
        return np.floor(market.last * 100) % 3 == 0, market.last
"""
BY_SYMBOL = """
    @hookimpl
    def evaluate_symbol(symbol):
        return symbol.last if symbol.last * 100 // 1 % 3 == 0 else None
"""


@dataclass(frozen=True)
class Ledger:
    """What was written: the recording's path and each symbol's last price."""

    path: Path
    last: dict[str, float]

    def matches(self) -> dict[str, float]:
        """The match set of either trader after the last row."""
        return {symbol: price for symbol, price in self.last.items() if np.floor(price * 100) % 3 == 0}


def write_ledger(folder: Path, symbols: int = 120, ticks: int = 6_000, seconds: float = 4.0, seed: int = 1) -> Ledger:
    """Write a Parquet recording of Zipf-active symbols; every symbol ticks at least once."""
    rng = np.random.default_rng(seed)
    names = [f"SYM{i:04d}" for i in range(symbols)]
    which = np.concatenate([np.arange(symbols), np.minimum(rng.zipf(1.3, ticks) - 1, 10**6) % symbols])
    at_ns = 1_700_000_000 * 10**9 + np.linspace(0, seconds * 1e9, len(which)).astype(np.int64)
    price = np.round(rng.uniform(1.0, 200.0, len(which)), 4)
    absent = pa.nulls(len(which), pa.float64())
    table = pa.table(
        {
            "ts_ns": at_ns,
            "symbol": [names[i] for i in which],
            "price": price,
            "qty": np.ones(len(which)),
            "bid": absent,
            "ask": absent,
        }
    )
    path = folder / "ledger.parquet"
    pq.write_table(table, path)
    return Ledger(path, {names[i]: float(p) for i, p in zip(which, price, strict=True)})


def ledger_env(ledger: Ledger) -> dict[str, str]:
    """Settings with which the feed plays the ledger once."""
    return {
        "TICKFLAG_FEED__SOURCE": "replay",
        "TICKFLAG_REPLAY__RECORDINGS": f'["{ledger.path}"]',
        "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "10",
        "TICKFLAG_FEED__RATE_LIMIT_MS": "30",
        "TICKFLAG_FEED__HEARTBEAT_MS": "100",
        "TICKFLAG_TRADER__HEARTBEAT_MS": "200",
        "TICKFLAG_TRADER__RESTART_MS": "50",
        # Every cycle is audited, so each of these tests also shows that an audit accuses nobody.
        "TICKFLAG_AUDIT__SHARE": "100",
        "TICKFLAG_AUDIT__BUDGET": "1",
    }


def write_ledger_traders(folder: Path) -> Path:
    """Write the two traders into a plugin folder of their own."""
    write_trader(folder, "by_array", BY_ARRAY, name="by-array")
    write_trader(folder, "by_symbol", BY_SYMBOL, name="by-symbol")
    return folder


TRADERS = ("by-array", "by-symbol")
ACCUSATIONS = ("audit", "dependence", "flags", "buffer", "gap", "segment")


def played(engine: Engine, ledger: Ledger) -> bool:
    """Whether the feed has written the ledger's last rows."""
    with engine.segment() as segment:
        names = [name.decode() for name in segment.names[: len(ledger.last)]]
        last = segment.arrays.tickers["last"][: len(ledger.last)]
        return {name: float(price) for name, price in zip(names, last, strict=True) if name} == ledger.last


def settled(engine: Engine, ledger: Ledger, traders: tuple[str, ...] = TRADERS) -> bool:
    """Whether the feed is at its end and every trader's matches are those of a full evaluation, synced and live."""
    if not played(engine, ledger):
        return False
    lines = {line["name"]: line for line in engine.request("collector", "traders")}
    for trader in traders:
        line = lines.get(trader)
        if line is None or not line["synced"] or line["state"] != "running":
            return False
        if engine.matches(trader) != ledger.matches():
            return False
    return True


def check_signals(engine: Engine, ledger: Ledger, traders: tuple[str, ...] = TRADERS) -> None:
    """Check that no signal was repeated or lost: the signals of each trader and symbol alternate, and add up to the
    matches.

    Check as well that no audit accused a trader or the flags.
    """
    signals = engine.signals()
    assert [signal["seq"] for signal in signals] == list(range(1, len(signals) + 1))
    for trader in traders:
        held: dict[str, float] = {}
        for signal in signals:
            if signal["trader"] == trader:
                apply_signal(held, signal)
        assert held.keys() == ledger.matches().keys()
    errors = engine.request("collector", "errors")["errors"]
    accused = [error for error in errors if error["kind"] in ACCUSATIONS and error["trader"] in traders]
    assert not accused, accused


def apply_signal(held: dict[str, float], signal: dict[str, Any]) -> None:
    """Apply one signal to a match set. Fails where the signal cannot follow the earlier ones."""
    symbol, event = signal["symbol"], signal["event"]
    if event == "entered":
        assert symbol not in held, f"entered twice: {signal}"
        held[symbol] = signal["score"]
    elif event == "left":
        assert symbol in held, f"left without being there: {signal}"
        del held[symbol]
    else:
        assert symbol in held, f"a score of no match: {signal}"
        held[symbol] = signal["score"]
