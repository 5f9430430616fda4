"""What can be wrong with a recording: the whole file (an exception) or a single row (a counted fault)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

REPORTED_FAULTS = 20
"""How many faults of one reading are reported one by one; later ones are only counted."""

Unit = Literal["row", "line"]


def _place(path: str, row: int | None, column: str | None, unit: Unit) -> str:
    parts = [path]
    if row is not None:
        parts.append(f"{unit} {row}")
    if column:
        parts.append(f"column {column}" if unit == "row" else f"field {column}")
    return ", ".join(parts)


class RecordingError(Exception):
    """A file that cannot be read, or not any further. `str()` names the file, the place in it and the reason.

    `row` is 0-based for Parquet files and a line number from 1 for captures, as `unit` says.
    """

    def __init__(
        self, path: str, reason: str, column: str | None = None, row: int | None = None, unit: Unit = "row"
    ) -> None:
        super().__init__(path, reason, column, row, unit)
        self.path = path
        self.reason = reason
        self.column = column
        self.row = row
        self.unit = unit

    def __str__(self) -> str:
        return f"{_place(self.path, self.row, self.column, self.unit)}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RowFault:
    """One refused row. `row` is 0-based for Parquet files and a line number from 1 for captures, as `unit` says."""

    path: str
    row: int
    column: str
    reason: str
    unit: Unit = "row"

    def __str__(self) -> str:
        return f"{_place(self.path, self.row, self.column, self.unit)}: {self.reason}"


class RowFaultLog:
    """Counts the refused rows of one reading and reports the first `REPORTED_FAULTS` of them; counts widened ones."""

    def __init__(self, path: str, unit: Unit, on_fault: Callable[[RowFault], None] | None) -> None:
        self._path = path
        self._unit: Unit = unit
        self._on_fault = on_fault
        self.count = self.widened = 0
        self.first: RowFault | None = None
        """The first refused row."""
        self.first_widened: RowFault | None = None

    @property
    def wants_more(self) -> bool:
        """Whether a further fault would still be reported, so that its text is worth making."""
        return self.first is None or (self._on_fault is not None and self.count < REPORTED_FAULTS)

    def add(self, row: int, column: str, reason: str) -> None:
        """Count one refused row, and report it unless enough were reported."""
        fault = RowFault(self._path, row, column, reason, self._unit)
        if self.first is None or row < self.first.row:
            self.first = fault
        if self._on_fault is not None and self.count < REPORTED_FAULTS:
            self._on_fault(fault)
        self.count += 1

    def add_silent(self, rows: int) -> None:
        """Count refused rows that come too late to be reported."""
        self.count += rows

    def clear(self) -> None:
        """Forget the counts: a new reading starts."""
        self.count = self.widened = 0
        self.first = self.first_widened = None

    def widen(self, rows: int, row: int, column: str, reason: str) -> None:
        """Count candles whose high or low was widened; `row`, `column` and `reason` are those of the first."""
        self.first_widened = self.first_widened or RowFault(self._path, row, column, reason, self._unit)
        self.widened += rows

    def summary(self) -> list[str]:
        """A line each for what was refused and what was widened: how many rows, the first and its reason."""
        lines = []
        for count, what, first in ((self.count, "refused", self.first), (self.widened, "widened", self.first_widened)):
            if count:
                rows = f"{count:,} {'candle' if what == 'widened' else self._unit}{'' if count == 1 else 's'}"
                shown = "" if first is None else f", the first: {str(first).removeprefix(f'{self._path}, ')}"
                lines.append(f"{self._path}: {rows} {what}{shown}")
        return lines
