"""Saving: writes a data frame as a recording, for `tickflag replay`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow
from tickflag.common.recordings.dates import DateOrder
from tickflag.common.recordings.errors import RowFault, RowFaultLog
from tickflag.common.recordings.naming import ColumnRequest, Kind, named
from tickflag.common.recordings.table import TableReader
from tickflag.common.recordings.times import FROM_YEAR, Times, Unit
from tickflag.common.recordings.writer import GROUP_ROWS, Writer


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
    from_year: int = FROM_YEAR,
    date_order: DateOrder = "",
    overwrite: bool = False,
) -> int:
    """Write a frame of ticks or candles to the Parquet file `path`, in order of time; gives the number of rows.

    `frame` is a DataFrame of pandas or polars, a pyarrow table, or a dict of columns; an index with a name counts as
    a column. Columns are found by their usual names; `columns` maps a recording's column (time, symbol, price, qty,
    bid, ask, bid_size, ask_size, trade_id; interval, open, high, low, close, volume, trades) to the frame's. `symbol`
    and `interval` are the values of columns that the frame does not have. Times may be timestamps, texts in ISO 8601 or
    numbers since 1970, whose size tells their unit; `timezone` is the zone of times that name none. Times before
    `from_year` are refused; `date_order`, dmy or mdy, is that of dates as 03/04/2024.

    Raises TickflagError where a column is missing, a row cannot be used (nothing is written then), or the file exists.
    """
    table = _table(frame)
    wanted = ColumnRequest(kind, columns or {}, symbol, interval)
    first: list[RowFault] = []
    faults = RowFaultLog("frame", "row", first.append)
    reader = TableReader(
        named(table.column_names, wanted), wanted, Times(time_unit, timezone, from_year, date_order), faults
    )
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
