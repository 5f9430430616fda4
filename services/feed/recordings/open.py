"""Opens a recording of any kind. The content and the columns tell what a file is, never its name."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from tickflag.common.recordings.errors import RecordingError, RowFault
from tickflag.services.feed.recordings.captures.binance import BinanceCapture
from tickflag.services.feed.recordings.captures.lines import GZIP_MAGIC
from tickflag.services.feed.recordings.columns import column_names
from tickflag.services.feed.recordings.parquet import KlineFile, TickFile
from tickflag.services.feed.recordings.recording import CHUNK_ROWS, Recording

_PARQUET_MAGIC = b"PAR1"
_HEAD_BYTES = 64


def open_recording(
    path: str | PathLike[str],
    on_fault: Callable[[RowFault], None] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Recording:
    """Open a Parquet file of ticks or klines, or a raw Binance capture (gzip-compressed or plain JSON lines).

    `on_fault` hears of the first 20 refused rows of each iteration; all are counted. Chunks have at most `chunk_rows`
    rows. Raises RecordingError if the file cannot be read or is no recording, ValueError if `chunk_rows` is below 1.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise RecordingError(str(path), f"cannot be opened: {error.strerror or error}") from error
    if not head:
        raise RecordingError(str(path), "the file is empty")
    if head.startswith(_PARQUET_MAGIC):
        return _open_parquet(path, on_fault, chunk_rows)
    if head.startswith(GZIP_MAGIC) or head.lstrip().startswith(b"{"):
        return BinanceCapture(path, on_fault, chunk_rows)
    raise RecordingError(
        str(path),
        "not a recording: neither Parquet (ticks or klines) nor a capture (JSON lines, .jsonl.gz or plain); "
        "`tickflag import` makes recordings of CSV files and archives",
    )


def _open_parquet(path: Path, on_fault: Callable[[RowFault], None] | None, chunk_rows: int) -> Recording:
    names = column_names(path)
    if "ts_ns" in names:
        return TickFile(path, on_fault, chunk_rows)
    if "open_time_ms" in names:
        return KlineFile(path, on_fault, chunk_rows)
    has = ", ".join(names)
    raise RecordingError(
        str(path),
        f"not a recording: neither a column ts_ns (ticks) nor open_time_ms (klines); the file has {has}; "
        "`tickflag import` makes recordings of Parquet files with other columns",
    )
