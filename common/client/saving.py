"""Saving: a data frame as a recording, for `tickflag replay`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import TickflagError
from common.recordings.casting import arrow
from common.recordings.errors import Fault, FaultLog
from common.recordings.naming import Kind, Wanted, named
from common.recordings.table import Reader
from common.recordings.times import Times, Unit
from common.recordings.writer import GROUP_ROWS, Writer


def save_recording(
    frame: Any,
    path: str | os.PathLike[str],
    *,
    kind: Kind | None = None,
    columns: Mapping[str, str] | None = None,
    symbol: str = "",
    interval: str = "",
    time_unit: Unit = "auto",
    timezone: str = "UTC",
    overwrite: bool = False,
) -> int:
    """Write a frame of ticks or candles to the Parquet file `path`, in order of time; gives the number of rows.

    `frame` is a DataFrame of pandas or polars, a pyarrow table, or a dict of columns; an index with a name counts as
    a column. Columns are found by their usual names; `columns` maps a recording's column (time, symbol, price, qty,
    bid, ask, bid_size, ask_size; interval, open, high, low, close, volume, trades) to the frame's. `symbol` and
    `interval` stand for columns that are not there. Times may be timestamps, texts in ISO 8601 or numbers since 1970,
    whose unit is told by their size; `timezone` is that of times that name none.

    Raises TickflagError where a column is missing, a row cannot be used (nothing is written then), or the file exists.
    """
    table = _table(frame)
    wanted = Wanted(kind, columns or {}, symbol, interval)
    first: list[Fault] = []
    faults = FaultLog("frame", "row", first.append)
    reader = Reader(named(table.column_names, wanted), wanted, Times(time_unit, timezone), faults)
    with Writer(Path(path), sort=True, overwrite=overwrite) as writer:
        for start in range(0, table.num_rows, GROUP_ROWS):
            part = table.slice(start, GROUP_ROWS)
            writer.write(reader.rows(part, np.arange(start, start + part.num_rows)))
        if faults.count:
            raise TickflagError(f"{faults.count:,} rows cannot be used, nothing is written; the first: {first[0]}")
    return writer.rows


def _table(frame: Any) -> Any:
    pa = arrow()
    try:
        if isinstance(frame, pa.Table) or hasattr(frame, "__arrow_c_stream__") or isinstance(frame, Mapping):
            return pa.table(frame)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise TickflagError(f"the frame cannot be read as a table: {' '.join(str(error).split())}") from None
    wanted = "a DataFrame of pandas or polars, a pyarrow table or a dict of columns"
    raise TickflagError(f"{wanted} is wanted, not a {type(frame).__name__}")
