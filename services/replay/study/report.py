"""Report: a replay's signals, entries and summary as files."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.errors import RecordingError
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Signal
from tickflag.services.replay.study.study import Study

SIGNAL_ROWS = 65_536  # signals in memory before they are written


class ReportFile:
    """Writes into `folder`, and makes it where needed; replaces the files of an earlier report once all are whole.

    Use it in a `with` block around the replay: `add` each signal, and `finish` at the end. Raises TickflagError where
    the folder cannot be written to or pyarrow is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise TickflagError(
                "`--report` writes Parquet, which needs pyarrow: pip install 'tickflag[data]'"
            ) from None
        self._arrow, self._folder = pyarrow, folder
        kinds = {"seq": "int64", "trader": "string", "symbol": "string", "event": "string", "score": "float64"}
        kinds |= {"time_ms": "int64", "cycle": "int64", "note": "string"}
        self._schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()])
        self._waiting: list[Signal] = []
        self._parts: list[Path] = []
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
            self._signals = pyarrow.parquet.ParquetWriter(self._part("signals.parquet"), self._schema)

    def add(self, signal: Signal) -> None:
        self._waiting.append(signal)
        if len(self._waiting) >= SIGNAL_ROWS:
            self._flush()

    def finish(self, summary: Mapping[str, Any], traders: Sequence[str], study: Study) -> None:
        """Write entries and summary. `summary` is plain data; `traders` are the names of the study's subjects."""
        entries = self._entries(traders, study)
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        with self._told():
            self._arrow.parquet.write_table(entries, self._part("entries.parquet"))
            self._part("summary.json").write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RecordingError):  # what came before is told, as on the terminal
            self._flush()
            with self._told():
                self._signals.close()
                self._parts[0].replace(self._folder / "signals.parquet")
            self._remove_parts()
            return
        if error is not None:
            with contextlib.suppress(TickflagError), self._told():
                self._signals.close()
            self._remove_parts()
            return
        self._flush()
        with self._told():
            self._signals.close()
            for part in self._parts:
                part.replace(self._folder / part.name.removeprefix(".").removesuffix(".part"))

    def _flush(self) -> None:
        if self._waiting:
            columns = {name: [getattr(signal, name) for signal in self._waiting] for name in self._schema.names}
            with self._told():
                self._signals.write_table(self._arrow.table(columns, schema=self._schema))
            self._waiting.clear()

    def _part(self, name: str) -> Path:
        """The file under which `name` is written until the report is whole."""
        part = self._folder / f".{name}.part"
        self._parts.append(part)
        return part

    def _remove_parts(self) -> None:
        for part in self._parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the disk refuses into a TickflagError, and leave no half file."""
        try:
            yield
        except OSError as error:
            self._remove_parts()
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise TickflagError(f"cannot write the report to {self._folder}: {reason}") from None

    def _entries(self, traders: Sequence[str], study: Study) -> Any:
        arrow, rows = self._arrow, study.match_log.rows
        left = rows["left_ns"] > 0

        def named(names: Sequence[str], column: str) -> Any:
            return arrow.array(list(names), arrow.string()).take(arrow.array(rows[column]))

        def number(values: Any) -> Any:
            return arrow.array(values, mask=np.isnan(values))

        columns = {
            "trader": named(traders, "subject"),
            "symbol": named(study.prices.directory.names, "slot"),
            "entered_ms": arrow.array(rows["entered_ns"] // NS_PER_MS),
            "left_ms": arrow.array(rows["left_ns"] // NS_PER_MS, mask=~left),
            "standing": arrow.array(rows["standing"] == 1),
            "price": number(rows["price"]),
            "left_price": number(rows["left_price"]),
        }
        for horizon, values in zip(study.horizons, study.match_log.returns.T, strict=True):
            columns[f"return_{horizon.name}"] = number(values)
        return arrow.table(columns)
