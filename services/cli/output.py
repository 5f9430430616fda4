"""Output: how every command shows things: tables and numbers for people, JSON for programs."""

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from tickflag.common.quantities import byte_size as byte_size
from tickflag.common.quantities import duration as duration
from tickflag.common.streams import says_all, visible
from tickflag.common.units import MS_PER_S

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

PIPE_WIDTH = 200  # columns, where the output is not a terminal
_GLUE = "\ue000"  # stands for a blank at which no line ends
TEXT_ROOM = 24  # columns that a text has at least
_CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # that JSON leaves as they are
_STYLES = {
    "running": "green",
    "ready": "green",
    "failing": "red",
    "restarting": "red",
    "stale": "yellow",
    "waiting": "yellow",
    "skipped": "yellow",
    "stopped": "yellow",
    "disabled": "yellow",
    "quarantined": "red",
}


def show_json(document: Any) -> None:
    """Show one document, indented. What JSON cannot say (NaN, infinity) becomes null."""
    click.echo(_written(document, indent=2))


def show_json_line(document: Any) -> None:
    """Show one object on one line."""
    click.echo(_written(document))


def _written(document: Any, indent: int | None = None) -> str:
    text = json.dumps(finite(document), indent=indent, ensure_ascii=not says_all(sys.stdout))
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def finite(value: Any) -> Any:
    """The value with None for every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Show a table. A column whose name begins with `>` is right-aligned; known states have a colour. On a terminal
    that is too narrow for it, each row is a block of its own: nothing is cut off, and no number broken."""
    from rich.console import Console

    cells = [[visible(str(cell)) for cell in row] for row in rows]
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    narrow = sys.stdout.isatty() and _least_width(columns, cells) > console.width
    with console.capture() as captured:
        for part in _blocks(columns, cells) if narrow else [_table(columns, cells)]:
            console.print(part)
    for line in captured.get().replace(_GLUE, " ").splitlines():
        click.echo(line.rstrip())


def _least_width(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Of a table in which no word is broken, texts have some room, and what is right-aligned stands on one line."""
    widths = []
    for column, values in zip(columns, zip(*cells, strict=True), strict=False):
        title = max(map(len, column.lstrip(">").split()), default=0)
        room = PIPE_WIDTH if column.startswith(">") else TEXT_ROOM
        longest = (max(min(len(value), room), *map(len, value.split() or [""])) for value in values)
        widths.append(max(title, *longest))
    return sum(widths) + 2 * (len(widths) - 1)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        title = column.lstrip(">")
        longest = max(map(len, title.split()), default=0)  # a title is never broken within a word
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(title, justify=justify, overflow="fold", min_width=longest)
    for row in cells:
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
    return table


def _blocks(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator["RenderableType"]:
    """Of each row its first cell, and below it the others behind their titles; a long one begins a line."""
    from rich.padding import Padding
    from rich.text import Text

    for first, *others in cells:
        yield Text(first, "bold")
        lines = [Text()]
        for column, cell in zip(columns[1:], others, strict=True):
            title, style = column.lstrip(">"), _STYLES.get(cell, "")
            if len(cell) > TEXT_ROOM:
                lines += [Text.assemble((title, "dim"), " ", (cell, style)), Text()]
            elif cell:
                glued = (f"{title} {cell}".strip().replace(" ", _GLUE), style)
                lines[-1].append_text(Text.assemble("   " if lines[-1] else "", glued))
        for line in filter(None, lines):
            yield Padding(line, (0, 0, 0, 2))


def share(part: float, whole: float) -> str:
    """`part` of `whole` in percent; a dash where `whole` is 0."""
    return f"{100.0 * part / whole:.1f} %" if whole else "-"


def saved_by_tracking(saving: dict[str, Any]) -> str:
    """How much processor time tracking saves, with its 95 % interval: `93.1 % (92.8 to 93.4, 214 audited cycles)`."""
    audits = f"{saving['audits']:,} audited cycle{'s' if saving['audits'] != 1 else ''}"
    if saving["low"] is not None:
        audits = f"{100 * saving['low']:.1f} to {100 * saving['high']:.1f}, {audits}"
    return f"{100 * saving['saving']:.1f} % ({audits})"


def time_of_day(ms: int) -> str:
    """A UTC time in ms as this machine's local time of day."""
    return datetime.fromtimestamp(ms / MS_PER_S).strftime("%H:%M:%S.%f")[:-3]


def date_and_time(ms: int) -> str:
    """A UTC time in ms as this machine's local date and time."""
    return datetime.fromtimestamp(ms / MS_PER_S).strftime("%Y-%m-%d %H:%M:%S")


def counted(count: int, noun: str) -> str:
    """A count and what is counted, as `1 symbol` and `2,000 symbols`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def one_line(text: str) -> str:
    """A trader's text, with blanks for characters that would end the line or control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def number(value: float) -> str:
    """A price or score; a dash where there is none."""
    return f"{value:.6g}" if math.isfinite(value) else "-"
