"""Parts of the recorded markets that are played in a second or two, and the files as a whole.

A part has rows of all symbols for a short time, or few symbols for a long time, so that days and hours pass.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RecordedPart:
    """Rows (lines of a capture) `start` to `stop` of a file; only of the first `symbols` by name, if given."""

    file: str
    start: int = 0
    stop: int | None = None
    symbols: int | None = None

    def __str__(self) -> str:
        rows = f"{self.start}-{'' if self.stop is None else self.stop}"
        return f"{self.file.split('.')[0]}:{rows}" + (f":{self.symbols}-symbols" if self.symbols else "")

    def write(self, source: Path, to: Path) -> Path:
        """The part as a file of its own; of a whole file, the file itself."""
        if (self.start, self.stop, self.symbols) == (0, None, None):
            return source / self.file
        if self.file.endswith(".gz"):
            with gzip.open(source / self.file, "rb") as lines:
                chosen = [line for number, line in enumerate(lines) if number < (self.stop or 1 << 60)]
            path = to / self.file.removesuffix(".gz")
            path.write_bytes(b"".join(chosen[self.start :]))
            return path
        return write_table(self._table(source), to / self.file)

    def _table(self, source: Path) -> Any:
        import pyarrow.compute
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(source / self.file)
        if self.symbols is not None:
            names = sorted(set(table.column("symbol").unique().to_pylist()))[: self.symbols]
            symbols = pyarrow.array(table.column("symbol").to_pylist())
            table = table.filter(pyarrow.compute.is_in(symbols, pyarrow.array(names)))
        return table.slice(self.start, None if self.stop is None else self.stop - self.start)


def write_table(table: Any, path: Path, group_rows: int | None = None) -> Path:
    """Write a pyarrow table to a Parquet file, and give the path."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, path, row_group_size=group_rows)
    return path


PARTS = (
    RecordedPart("klines_1m_aapl_options_20140606.parquet", stop=4_000),
    RecordedPart("klines_1m_aapl_options_20140606.parquet", symbols=120),
    RecordedPart("klines_1m_goog_options_20151224.parquet"),
    RecordedPart("klines_1m_spxw_options_20210105_06.parquet"),
    RecordedPart("klines_1s_us_equity_20131008.parquet", 20_000, 23_000),
    RecordedPart("klines_5m_binance_usdt_20210518_23.parquet", symbols=3),
    RecordedPart("klines_5m_binance_usdt_20210703_07.parquet", stop=4_000),
    RecordedPart("klines_5m_freqtrade_btc_pairs.parquet", stop=6_000),
    RecordedPart("klines_octobot_bittrex_201807.parquet", 10_000, 15_000),
    RecordedPart("quotes_1m_goog_options_20151224.parquet", stop=6_000),
    RecordedPart("ticks_fx_20140505.parquet", 100_000, 103_000),
    RecordedPart("ticks_us_equity_20131007.parquet", 1_000_000, 1_004_000),
    RecordedPart("ticks_us_equity_20131007.parquet", stop=4_000),
    RecordedPart("raw_binance_coinm_20240808.jsonl.gz", stop=9_000),
    RecordedPart("raw_binance_spot_20240808.jsonl.gz", stop=12_000),
    RecordedPart("raw_binance_usdm_20240808.jsonl.gz", stop=5_000),
    RecordedPart("raw_cryptofeed_binance.jsonl.gz"),
    RecordedPart("raw_cryptofeed_binance_futures.jsonl.gz"),
)
WHOLE = tuple(RecordedPart(file) for file in dict.fromkeys(part.file for part in PARTS))
