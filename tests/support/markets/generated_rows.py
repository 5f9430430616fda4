"""Generated rows of ticks and candles for property tests, and Parquet files of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

SECOND = 1_000_000_000
MS = 1_000_000
BEGIN_S = 1_709_553_480
"""2024-03-04 11:58 UTC, two minutes before an hour."""
SYMBOLS = [f"S{number:02}" for number in range(12)]
PRICES = (100.0, 100.25, 99.5, 103.0, 97.0, 0.001, 1e7)
QUANTITIES = (1.0, 0.1, 0.7, 12.5, 0.0)
GAPS_NS = (1, MS, 40 * MS, 99 * MS, 100 * MS, 150 * MS, SECOND, 3 * SECOND, 20 * SECOND, 61 * SECOND, 301 * SECOND,
           3_600 * SECOND, 25 * 3_600 * SECOND)  # fmt: skip


class TickRow(NamedTuple):
    ts_ns: int
    symbol: str
    price: float | None
    qty: float | None
    bid: float | None
    ask: float | None
    trade_id: int | None


class KlineRow(NamedTuple):
    open_time_ms: int
    symbol: str
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float


_ticks = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from(["trade", "trade", "trade", "quote", "price", "again"]),
    st.sampled_from(PRICES),
    st.sampled_from(QUANTITIES),
)
_moments = st.lists(st.tuples(st.sampled_from(GAPS_NS), st.lists(_ticks, min_size=1, max_size=8), st.booleans()),
                    min_size=1, max_size=25)  # fmt: skip


@st.composite
def tick_rows(draw: st.DrawFn, ids: bool) -> list[TickRow]:
    """Moments of several symbols. With `ids` the trades of a moment may stand in the wrong order, or twice."""
    rows: list[TickRow] = []
    ts_ns = BEGIN_S * SECOND + draw(st.sampled_from([0, 1, 7_500 * MS, 59_999 * MS]))
    for gap_ns, ticks, backwards in draw(_moments):
        ts_ns += gap_ns
        moment: list[TickRow] = []
        for symbol, kind, price, qty in ticks:
            trade_id = len(rows) + len(moment) + 1 if ids and kind == "trade" else None
            if kind == "again":
                moment += [row for row in moment if ids and row.symbol == symbol and row.trade_id is not None][:1]
            elif kind == "quote":
                moment.append(TickRow(ts_ns, symbol, None, None, price, price + qty, None))
            else:
                moment.append(TickRow(ts_ns, symbol, price, qty if kind == "trade" else None, None, None, trade_id))
        rows += reversed(moment) if ids and backwards else moment
    return rows or [TickRow(ts_ns, "S00", 1.0, 1.0, None, None, 1 if ids else None)]


@st.composite
def kline_rows(draw: st.DrawFn, intervals: Sequence[str] = ("1m",), most: int = 12) -> list[KlineRow]:
    """Candles of some symbols in a row, one of which may be missing here and there; longer ones have the same times."""
    rows: list[KlineRow] = []
    for symbol in draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=5, unique=True)):
        interval = draw(st.sampled_from(intervals))
        length_ms = {"1m": 60_000, "5m": 300_000}[interval]
        begin_ms = (BEGIN_S * 1_000 // length_ms + draw(st.integers(0, 3))) * length_ms
        candles = draw(st.lists(st.tuples(st.sampled_from(PRICES), st.sampled_from(QUANTITIES)), max_size=most))
        missing = draw(st.sets(st.integers(0, most), max_size=2))
        for number, (price, qty) in enumerate(candles):
            if number not in missing:
                numbers = price, price * 1.5, price * 0.5, price * 1.25, qty
                rows.append(KlineRow(begin_ms + number * length_ms, symbol, interval, *numbers))
    return sorted(rows)


def table(rows: Sequence[TickRow] | Sequence[KlineRow], ids: bool = True) -> Any:
    """The rows as a pyarrow table; without the column `trade_id`, if wanted."""
    import pyarrow as pa

    kinds = {"ts_ns": pa.int64(), "open_time_ms": pa.int64(), "trade_id": pa.int64(), "symbol": pa.string(),
             "interval": pa.string()}  # fmt: skip
    columns = dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))
    if not ids:
        columns.pop("trade_id", None)
    return pa.table({name: pa.array(values, kinds.get(name, pa.float64())) for name, values in columns.items()})


def write_rows(rows: Sequence[TickRow] | Sequence[KlineRow], path: Path, ids: bool = True) -> list[Path]:
    """Write the rows, if there are any; gives the files."""
    import pyarrow.parquet

    if not rows:
        return []
    pyarrow.parquet.write_table(table(rows, ids), path)
    return [path]
