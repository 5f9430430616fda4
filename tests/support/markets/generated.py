"""The project's own recording: 20 minutes of a quiet market of 40 symbols, with candles from two hours before on.

It is the same on every machine: Python's `random()` is fixed for a seed, prices are whole cents, and no function of the
system's mathematics library is called. `python -m tests.support.markets.generated` writes the files again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "recordings"
TICKS = FOLDER / "ticks_generated.parquet"
KLINES = FOLDER / "klines_generated.parquet"

SYMBOLS = 40
START_MS = 1_709_560_800_000  # 2024-03-04 14:00 UTC
MINUTE_MS = 60_000
HISTORY_MINUTES = 120
TICK_MINUTES = 20
MEAN_GAP_MS = 900
TOGETHER = 0.12  # share of the ticks that come at the time of the tick before

TickRow = tuple[int, str, float | None, float | None, float | None, float | None]
KlineRow = tuple[int, str, str, float, float, float, float, float]


@dataclass
class _GeneratedSymbol:
    name: str
    share: float
    cents: int
    spread: int
    minute: list[tuple[int, int]] = field(default_factory=list)
    """Price and quantity of each trade of the minute, in cents and pieces."""


def _symbols(rng: Random) -> list[_GeneratedSymbol]:
    """The n-th most active symbol trades 1 / n as often as the first. The symbols do not stand in that order."""
    ranks = list(range(1, SYMBOLS + 1))
    for i in range(SYMBOLS - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        ranks[i], ranks[j] = ranks[j], ranks[i]
    whole = sum(1.0 / rank for rank in ranks)
    symbols = []
    for number, rank in enumerate(ranks):
        name = f"T{number:02d}-{'EUR' if number % 4 == 3 else 'USD'}"
        cents = 2_000 + int(rng.random() * 30_000)
        symbols.append(_GeneratedSymbol(name, 1.0 / rank / whole, cents, max(1, cents // 2_500)))
    return symbols


def _chosen(symbols: list[_GeneratedSymbol], rng: Random) -> _GeneratedSymbol:
    left = rng.random()
    for symbol in symbols:
        left -= symbol.share
        if left < 0:
            return symbol
    return symbols[-1]


def _moved(symbol: _GeneratedSymbol, rng: Random) -> int:
    """The price after one step of its random walk: up to 0.15 % either way."""
    reach = max(1, symbol.cents * 15 // 10_000)
    symbol.cents = max(100, symbol.cents + int((2 * reach + 1) * rng.random()) - reach)
    return symbol.cents


def _klines_of_minute(symbols: list[_GeneratedSymbol], open_ms: int) -> Iterator[KlineRow]:
    """Yield the candles of what was traded in the minute, then forget the minute."""
    for symbol in symbols:
        if symbol.minute:
            prices = [cents / 100 for cents, _ in symbol.minute]
            volume = float(sum(quantity for _, quantity in symbol.minute))
            yield open_ms, symbol.name, "1m", prices[0], max(prices), min(prices), prices[-1], volume
            symbol.minute.clear()


def _tick(symbol: _GeneratedSymbol, ms: int, rng: Random) -> TickRow:
    """A trade, a quote, or a quote of one side. Now and then the spread is wide."""
    kind = rng.random()
    if kind < 0.45:
        cents, quantity = _moved(symbol, rng), 1 + int(rng.random() * 50)
        symbol.minute.append((cents, quantity))
        return ms * 1_000_000, symbol.name, cents / 100, float(quantity), None, None
    spread = symbol.spread * (10 if rng.random() < 0.08 else 1)
    bid, ask = (symbol.cents - spread) / 100, (symbol.cents + spread) / 100
    if kind < 0.6:
        return ms * 1_000_000, symbol.name, None, None, bid, None
    if kind < 0.75:
        return ms * 1_000_000, symbol.name, None, None, None, ask
    return ms * 1_000_000, symbol.name, None, None, bid, ask


def generate() -> tuple[list[TickRow], list[KlineRow]]:
    """Ticks from START_MS on, and the one-minute candles from HISTORY_MINUTES before to the end of the ticks."""
    rng = Random(20_240_304)
    symbols = _symbols(rng)
    ticks: list[TickRow] = []
    klines: list[KlineRow] = []
    for open_ms in range(START_MS - HISTORY_MINUTES * MINUTE_MS, START_MS, MINUTE_MS):
        for symbol in symbols:
            # A minute of history has a few trades; a quiet symbol may have none.
            for _ in range(4):
                if rng.random() < min(0.9, 20 * symbol.share):
                    symbol.minute.append((_moved(symbol, rng), 1 + int(rng.random() * 50)))
        klines += _klines_of_minute(symbols, open_ms)
    ms, open_ms = START_MS, START_MS
    while True:
        if rng.random() >= TOGETHER:
            ms += 1 + int(rng.random() * 2 * MEAN_GAP_MS)
        while ms >= open_ms + MINUTE_MS:
            klines += _klines_of_minute(symbols, open_ms)
            open_ms += MINUTE_MS
        if ms >= START_MS + TICK_MINUTES * MINUTE_MS:
            return ticks, klines
        ticks.append(_tick(_chosen(symbols, rng), ms, rng))


def tables() -> tuple[Any, Any]:
    """The two files' content as pyarrow tables."""
    import pyarrow as pa

    ticks, klines = generate()
    numbers = pa.float64()
    tick_schema = [("ts_ns", pa.int64()), ("symbol", pa.string()),
                   *((name, numbers) for name in ("price", "qty", "bid", "ask"))]  # fmt: skip
    kline_schema = [("open_time_ms", pa.int64()), ("symbol", pa.string()), ("interval", pa.string()),
                    *((name, numbers) for name in ("open", "high", "low", "close", "volume"))]  # fmt: skip
    made = []
    for rows, schema in ((ticks, tick_schema), (klines, kline_schema)):
        columns = [pa.array(column, kind) for column, (_, kind) in zip(zip(*rows, strict=True), schema, strict=True)]
        made.append(pa.table(columns, schema=pa.schema(schema)))
    return made[0], made[1]


def write() -> None:
    """Write both files."""
    import pyarrow.parquet

    for path, table in zip((TICKS, KLINES), tables(), strict=True):
        pyarrow.parquet.write_table(table, path, compression="zstd")


if __name__ == "__main__":
    write()
