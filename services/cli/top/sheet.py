"""Sheet: lines of text, none of them longer than the screen is wide."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from tickflag.services.cli.top.lettering import Lettering

GAP = 2
"""Blanks between two columns."""
STYLES = {
    "running": "green", "waiting": "yellow", "stale": "yellow", "skipped": "yellow", "stopped": "yellow",
    "disabled": "yellow", "failing": "red", "restarting": "red", "quarantined": "red", "live": "green",
    "reconnecting": "yellow", "connecting": "yellow", "feed stale": "red", "feed stopped": "red",
    "feed starting": "yellow", "no engine": "red", "fail": "red", "warn": "yellow", "entered": "green", "left": "red",
}  # fmt: skip
"""State, level or event -> how it is written."""
LABEL, HEADING, CHOSEN = "dim", "bold", "reverse"

Part = tuple[str, str]
"""A text and its style."""


class SheetColumn(NamedTuple):
    """A column of a table: its heading, its cells, and whether these are numbers."""

    heading: str
    cells: Sequence[Part]
    right: bool = False
    least: int = 0
    """Cells of the screen that it needs, whatever it holds."""

    @property
    def wide(self) -> int:
        return max([self.least, cell_len(self.heading), *(cell_len(text) for text, _style in self.cells)])


class Sheet:
    """Collects lines for a screen of so many columns."""

    def __init__(self, width: int, letters: Lettering) -> None:
        self.width, self.letters = width, letters
        self.lines: list[Text] = []

    def add(self, *parts: Part, style: str = "") -> None:
        """A line; what has no room is cut off."""
        line, left = Text(style=style, no_wrap=True), self.width
        for text, part_style in parts:
            cells = cell_len(text)
            line.append(text if cells <= left else self.letters.fitted(text, left), part_style)
            left -= cells
            if left <= 0:
                break
        self.lines.append(line)

    def blank(self) -> None:
        self.lines.append(Text())

    def ends(self, left: Sequence[Part], right: Sequence[Part]) -> None:
        """A line whose right part stands at the right edge; where both have no room, the right part is left out."""
        space = self.width - sum(cell_len(text) for text, _ in (*left, *right))
        self.add(*left, *((("", ""),) if space < GAP else ((" " * space, ""), *right)))

    def heading(self, title: str) -> None:
        """The title of a part of the page."""
        self.add((title, HEADING))

    def pairs(self, figures: Sequence[tuple[str, str, str]], across: int) -> None:
        """Figures with their label and what is added, so many side by side, filled column by column."""
        if not figures:
            return
        rows = -(-len(figures) // across)
        blocks = [figures[at : at + rows] for at in range(0, len(figures), rows)]
        labels = [max(cell_len(name) for name, _, _ in block) + 1 for block in blocks]
        room, rest = divmod(max(0, self.width - GAP * (across - 1) - sum(labels)), across)
        for row in range(rows):
            parts: list[Part] = []
            for block, label in zip(blocks, labels, strict=True):
                if row < len(block):
                    name, value, more = block[row]
                    parts += [
                        (self.letters.fitted(name, label), LABEL),
                        *self._value(value, more, room + (rest if block is blocks[-1] else 0)),
                    ]
                    parts.append((" " * GAP, ""))
            self.add(*parts[:-1])

    def _value(self, value: str, more: str, room: int) -> Iterable[Part]:
        """In exactly so many cells; what is added goes where there is no room."""
        if not more or cell_len(value) + 1 + cell_len(more) > room:
            yield self.letters.fitted(value, room), HEADING
            return
        yield value, HEADING
        yield self.letters.fitted(f" {more}", room - cell_len(value)), LABEL

    def table(self, columns: Sequence[SheetColumn], rest: int = 0, chosen: int = -1, head: bool = True) -> None:
        """Columns side by side. Those that have no room are left out, from the last one on; column `rest` takes what
        the others leave."""
        fitting = list(columns)
        while len(fitting) > 1 and self._wide(fitting, rest) > self.width:
            del fitting[-1 if len(fitting) - 1 != rest else -2]
        spare = self.width - self._wide(fitting, rest)
        widths = [one.least or 1 if at == rest else one.wide for at, one in enumerate(fitting)]
        at_rest = min(rest, len(fitting) - 1)
        widths[at_rest] = min(fitting[at_rest].wide, widths[at_rest] + max(0, spare)) or 1
        if head:
            self.add(*self._row([(one.heading, HEADING) for one in fitting], fitting, widths))
        for row in range(len(fitting[0].cells)):
            cells = [one.cells[row] for one in fitting]
            style = CHOSEN if row == chosen else ""
            parts = list(self._row(cells, fitting, widths))
            if style:  # the bar goes over the whole line
                parts.append((" " * (self.width - sum(cell_len(text) for text, _ in parts)), ""))
            self.add(*parts, style=style)

    @staticmethod
    def _wide(columns: Sequence[SheetColumn], rest: int) -> int:
        widths = [one.least or 1 if at == rest else one.wide for at, one in enumerate(columns)]
        return sum(widths) + GAP * (len(columns) - 1)

    def _row(self, cells: Sequence[Part], columns: Sequence[SheetColumn], widths: Sequence[int]) -> Iterable[Part]:
        for at, ((text, style), column, width) in enumerate(zip(cells, columns, widths, strict=True)):
            if at:
                yield " " * GAP, ""
            fitted = self.letters.fitted(text, width) if cell_len(text) > width or not column.right else text
            yield " " * (width - cell_len(fitted)) + fitted, style
