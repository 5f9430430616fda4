"""Output: how every command shows things: tables and numbers for people, JSON for programs."""

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import click

from tickflag.common.quantities import byte_size as byte_size
from tickflag.common.quantities import duration as duration
from tickflag.common.streams import says_all, visible
from tickflag.common.units import MS_PER_S

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

PIPE_WIDTH = 200  # columns, where the output is not a terminal
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
    """Show a table. A column whose name begins with `>` is right-aligned; known states have a colour."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        title = column.lstrip(">")
        longest = max(map(len, title.split()), default=0)  # a title is never broken within a word
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(title, justify=justify, overflow="fold", min_width=longest)
    for row in rows:
        table.add_row(*(Text(visible(str(cell)), _STYLES.get(str(cell), "")) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


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
