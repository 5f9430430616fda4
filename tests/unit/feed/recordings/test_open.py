"""Opening: the content tells the kind of a file; what is no recording is refused with a reason that helps the user."""

import gzip
import json
import pickle
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickflag.common.errors import NO_THREADS
from tickflag.services.feed.recordings import RecordingError, open_recording
from tickflag.services.feed.recordings.captures.binance import BinanceCapture
from tickflag.services.feed.recordings.parquet import KlineFile, TickFile

BOOK = {"u": 1, "s": "A", "b": "1", "B": "1", "a": "2", "A": "1"}


def lines(path: Path, *rows: object) -> Path:
    """Write a capture."""
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def table(path: Path, **columns: pa.DataType) -> Path:
    """Write a Parquet file of no rows."""
    pq.write_table(pa.table({name: pa.array([], kind) for name, kind in columns.items()}), path)
    return path


def ticks(path: Path) -> Path:
    """Write a tick file of no rows."""
    numbers = dict.fromkeys(("price", "qty", "bid", "ask"), pa.float64())
    return table(path, ts_ns=pa.int64(), symbol=pa.string(), **numbers)


def test_kind_is_told_by_content(tmp_path: Path) -> None:
    """File names mean nothing: each kind opens under any name, given as text or as a path."""
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), pa.float64())
    texts = {"symbol": pa.string(), "interval": pa.string()}
    assert isinstance(open_recording(ticks(tmp_path / "a.jsonl.gz")), TickFile)
    assert isinstance(open_recording(table(tmp_path / "b.txt", open_time_ms=pa.int64(), **texts, **numbers)), KlineFile)
    assert isinstance(open_recording(str(lines(tmp_path / "c.parquet", {"recv_ns": 1, "msg": BOOK}))), BinanceCapture)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "file is empty"),
        (b"ts_ns,symbol\n1,A\n", "not a recording"),
        (b"\x89PNG\r\n", "not a recording"),
        (b"PAR1 and no more", "damaged or cut off"),
        (b"\x1f\x8b and no gzip", "damaged after this line"),
        (b"\x1f\x8b", "cut off after this line"),
        (gzip.compress(b"", mtime=0), "no line is an envelope"),
        (gzip.compress(b"hello\nworld\n", mtime=0), "no line is an envelope"),
        (b'{"a": 1}\n', "no line is an envelope"),
        (b'{"connect_ts": 1.5}\n', "no line is an envelope"),
    ],
)
def test_not_a_recording(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that is no recording, or is damaged, is refused on opening."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=words) as caught:
        open_recording(path)
    assert str(caught.value).startswith(str(path))


def test_a_lack_of_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow gives it as an error of the file."""

    def fail(*_: object) -> None:
        raise OSError("Failed to launch worker thread: Resource temporarily unavailable")

    path = table(tmp_path / "p", ts_ns=pa.int64(), symbol=pa.string())
    monkeypatch.setattr(pq, "read_schema", fail)
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert str(caught.value).endswith(f"cannot be read: {NO_THREADS}")


def test_other_parquet(tmp_path: Path) -> None:
    """For a Parquet file without either time column, the error says what both kinds would need."""
    path = table(tmp_path / "p", date=pa.string(), close=pa.float64())
    with pytest.raises(RecordingError, match=r"neither a column ts_ns .* nor open_time_ms .* has date, close"):
        open_recording(path)


def test_messages_without_receipt(tmp_path: Path) -> None:
    """Single messages have no order in time, so they cannot be replayed."""
    with pytest.raises(RecordingError, match="no time of receipt"):
        open_recording(lines(tmp_path / "m", {"msg": BOOK}))


def test_capture_of_another_venue(tmp_path: Path) -> None:
    """A capture without any Binance message is refused, and not replayed as silence."""
    path = lines(tmp_path / "k", {"connect_ts": 1.0}, *[{"recv_ts": 1.0 + i, "msg": [1, "x"]} for i in range(5)])
    with pytest.raises(RecordingError, match="no Binance market message among the first 5"):
        open_recording(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """The error for a path that cannot be opened has the system's reason."""
    with pytest.raises(RecordingError, match="cannot be opened: No such file"):
        open_recording(tmp_path / "nothing")
    with pytest.raises(RecordingError, match="cannot be opened: Is a directory"):
        open_recording(tmp_path)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional reader, the error for Parquet says what to install; captures still open."""
    path, capture = ticks(tmp_path / "t"), lines(tmp_path / "c", {"recv_ns": 1, "msg": BOOK})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecordingError, match=r"pip install 'tickflag\[data\]'"):
        open_recording(path)
    assert sum(map(len, open_recording(capture))) == 1


def test_error_says_where() -> None:
    """An error names file, row and reason as far as known, and survives the way to another process."""
    assert str(RecordingError("f", "is bad")) == "f: is bad"
    assert str(RecordingError("f", "is bad", "price", 3)) == "f, row 3, column price: is bad"
    assert str(RecordingError("f", "is bad", row=3, unit="line")) == "f, line 3: is bad"
    copy = pickle.loads(pickle.dumps(RecordingError("f", "is bad", "price", 3)))  # noqa: S301 - our own bytes
    assert (str(copy), copy.row) == ("f, row 3, column price: is bad", 3)
