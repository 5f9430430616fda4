"""Report: measurements beside their targets, and tables of numbers; as text and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, with its target where it has one."""

    name: str
    value: float | None
    """None where it could not be measured; `note` says why."""
    unit: str
    goal: Literal["at most", "at least", ""] = ""
    limit: float = 0.0
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None where there is no target or no value."""
        if self.value is None or not self.goal:
            return None
        return self.value <= self.limit if self.goal == "at most" else self.value >= self.limit

    @property
    def target(self) -> str:
        if not self.goal:
            return ""
        return f"{'<=' if self.goal == 'at most' else '>='} {shown(self.limit)} {self.unit}"

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "skipped"
        return {None: "", True: "pass", False: "FAIL"}[self.passed]

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name, "value": self.value, "unit": self.unit, "target": self.target,
            "passed": self.passed, "note": self.note,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Numbers without a target, or too many for one line."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """Cells are texts, numbers or None."""

    def plain(self) -> dict[str, Any]:
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(slots=True)
class SectionReport:
    """The findings of one section."""

    section: str
    measures: list[Measure] = field(default_factory=list)
    tables: list[ReportTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def at_most(self, name: str, value: float | None, limit: float, unit: str, note: str = "") -> None:
        self.measures.append(Measure(name, value, unit, "at most", limit, note))

    def at_least(self, name: str, value: float | None, limit: float, unit: str, note: str = "") -> None:
        self.measures.append(Measure(name, value, unit, "at least", limit, note))

    def plainly(self, name: str, value: float | None, unit: str, note: str = "") -> None:
        """Add a measurement without a target."""
        self.measures.append(Measure(name, value, unit, note=note))

    def value(self, name: str) -> float | None:
        """The measurement of that name, None where there is none."""
        return next((measure.value for measure in self.measures if measure.name == name), None)

    def plain(self) -> dict[str, Any]:
        return {
            "measures": [measure.plain() for measure in self.measures],
            "tables": [table.plain() for table in self.tables],
            "notes": self.notes,
            "seconds": round(self.seconds, 1),
        }

    def text(self) -> str:
        blocks = [f"== {self.section} ({self.seconds:.0f} s)"]
        if self.measures:
            rows = [[m.name, shown(m.value), m.unit, m.target, m.verdict, m.note] for m in self.measures]
            blocks.append(aligned(["", "measured", "", "target", "", ""], rows))
        blocks += [f"-- {table.title}\n{aligned(table.columns, table.rows)}" for table in self.tables]
        blocks += [f"   {note}" for note in self.notes]
        return "\n".join(blocks) + "\n"


def shown(value: Cell) -> str:
    """Three significant digits, with thousands grouped; a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def aligned(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Lines with aligned columns; numbers stand to the right."""
    body = [list(row) for row in rows]
    texts = [list(columns), *([shown(cell) for cell in row] for row in body)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(columns))]
    right = [
        any(isinstance(row[i], int | float) for row in body) or columns[i] == "measured" for i in range(len(columns))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        for line in texts
    ]
    return "\n".join("   " + line.rstrip() for line in lines if line.strip())
