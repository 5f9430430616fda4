"""Report: a replay's signals, entries and summary as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from common.errors import TickflagError
from common.messages import Signal
from services.replay.study import MS, Study

SIGNAL_ROWS = 65_536  # kept in memory until they are written


class Report:
    """Writes into `folder`, which is made where needed; files of an earlier report are replaced.

    Use it in a `with` block around the replay: `add` each signal, at the end `finish`. Raises TickflagError where the
    folder cannot be written to or pyarrow is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise TickflagError(
                "`--report` writes Parquet, which needs pyarrow: pip install 'tickflag[data]'"
            ) from None
        self._arrow, self._folder = pyarrow, folder
        kinds = {"seq": "int64", "trader": "string", "symbol": "string", "event": "string", "score": "float64"}
        kinds |= {"time_ms": "int64", "cycle": "int64", "note": "string"}
        self._schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._signals = pyarrow.parquet.ParquetWriter(folder / "signals.parquet", self._schema)
        except OSError as error:
            raise TickflagError(f"cannot write the report to {folder}: {error.strerror or error}") from None
        self._waiting: list[Signal] = []

    def add(self, signal: Signal) -> None:
        self._waiting.append(signal)
        if len(self._waiting) >= SIGNAL_ROWS:
            self._flush()

    def finish(self, summary: Mapping[str, Any], traders: Sequence[str], study: Study) -> None:
        """`summary` as plain data; `traders` are the names of the study's subjects."""
        self._arrow.parquet.write_table(self._entries(traders, study), self._folder / "entries.parquet")
        (self._folder / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._signals.close()

    def _flush(self) -> None:
        if self._waiting:
            columns = {name: [getattr(signal, name) for signal in self._waiting] for name in self._schema.names}
            self._signals.write_table(self._arrow.table(columns, schema=self._schema))
            self._waiting.clear()

    def _entries(self, traders: Sequence[str], study: Study) -> Any:
        arrow, rows = self._arrow, study.entries.rows
        left = rows["left_ns"] > 0

        def named(names: Sequence[str], column: str) -> Any:
            return arrow.array(list(names), arrow.string()).take(arrow.array(rows[column]))

        def number(values: Any) -> Any:
            return arrow.array(values, mask=np.isnan(values))

        columns = {
            "trader": named(traders, "subject"),
            "symbol": named(study.prices.directory.names, "slot"),
            "entered_ms": arrow.array(rows["entered_ns"] // MS),
            "left_ms": arrow.array(rows["left_ns"] // MS, mask=~left),
            "standing": arrow.array(rows["standing"] == 1),
            "price": number(rows["price"]),
            "left_price": number(rows["left_price"]),
        }
        for horizon, values in zip(study.horizons, study.entries.returns.T, strict=True):
            columns[f"return_{horizon.name}"] = number(values)
        return arrow.table(columns)
