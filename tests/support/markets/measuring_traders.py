"""Trader files that tell all they see: candles, rows, 24 h figures, rankings, references, numbers that they remember.

The brute force in `tests/support/oracles/brute_force` says what they must give.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

HEAD = """import numpy as np
from tickflag import Trader, hookimpl

@hookimpl
def trader():
    return Trader(name="{name}", {declared})

@hookimpl
def evaluate(market):
"""
COLUMNS = ("time", "open", "high", "low", "close", "volume", "trades")
EACH = 'channel="{0}", candles="{0}", look_back=1, every_close=True, '
NOTED = """    market.state.count = market.state.count + 1
    shown = zip(*({numbers}))
    notes = {{i: " ".join(map(repr, row)) for i, row in enumerate(shown)}}
    return np.ones(len(market), bool), market.state.count.astype(float), notes
"""
ROW = ("last", "last_size", "bid", "ask", "bid_size", "ask_size")
DAY = ("volume", "open_24h", "high_24h", "low_24h", "volume_24h", "change_24h")
RANKED = """    values = market.{value}
    known = np.sort(values[~np.isnan(values)])
    return np.where(np.isnan(values), np.nan, len(known) - np.searchsorted(known, values, "right"))
"""
RELATIVE = """    base = market.reference("{reference}")
    return market.last / (np.nan if base is None else base.last)
"""
SUMMED = """    for numbers in ({numbers},):
        market.state.sum = market.state.sum + np.nan_to_num(numbers)
    return market.state.sum.copy()
"""


def write_measuring_traders(
    folder: Path, reference: str, intervals: Iterable[str] = ("1m", "5m", "1h"), only: Collection[str] = ()
) -> Path:
    """Write the files, or those that `only` names; `reference` is the symbol that others are divided by. Gives the
    folder."""
    folder.mkdir(parents=True, exist_ok=True)
    every = list(intervals)
    candles = f"getattr(market.candles, name)[:, -1].tolist() for name in {COLUMNS}"
    rows = f"*(getattr(market, name).tolist() for name in {ROW}), (market.event_ns % 10**15).astype(float).tolist()"
    counted, summed = 'state={"count": 0}', 'state={"sum": 0.0}'
    columns = f"columns={COLUMNS}, "
    forming = f'candles="{every[0]}", look_back=1, forming=True, '
    files = {
        **{f"candles-{one}": (EACH.format(one) + columns + counted, NOTED.format(numbers=candles)) for one in every},
        "day": (counted, NOTED.format(numbers=f"getattr(market, name).tolist() for name in {DAY}")),
        "every-close": (
            EACH.format(every[0]) + summed,
            SUMMED.format(numbers="market.candles.close[:, -1], market.candles.volume[:, -1]"),
        ),
        "forming": (forming + columns + counted, NOTED.format(numbers=candles)),
        "rank-change": ('scope="market"', RANKED.format(value="change_24h")),
        "rank-last": ('scope="market"', RANKED.format(value="last")),
        "relative": (f'scope="references", references=["{reference}"]', RELATIVE.format(reference=reference)),
        "row": (counted, NOTED.format(numbers=rows)),
        "sum-of-prices": (summed, SUMMED.format(numbers="market.last")),
    }
    for name, (declared, body) in files.items():
        if not only or name in only:
            (folder / f"{name}.py").write_text(HEAD.format(name=name, declared=declared) + body)
    return folder
