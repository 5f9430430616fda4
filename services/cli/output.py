"""Output: the same look for every command. Tables for people, JSON for programs."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

PIPE_WIDTH = 200  # columns where nobody's window limits us
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
    """One document, indented. What JSON cannot say (NaN, infinity) is null."""
    click.echo(json.dumps(finite(document), indent=2, ensure_ascii=False))


def show_json_line(document: Any) -> None:
    """One object on one line."""
    click.echo(json.dumps(finite(document), ensure_ascii=False))


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
    """A table. A column whose name begins with `>` is right-aligned; known states have a colour."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell), _STYLES.get(str(cell), "")) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def share(part: float, whole: float) -> str:
    """`part` of `whole` in percent; a dash where there is nothing to divide."""
    return f"{100.0 * part / whole:.1f} %" if whole else "-"


def saved_by_tracking(saving: dict[str, Any]) -> str:
    """The answer of the standing experiment: `93.1 % (92.8 to 93.4, 214 audited cycles)`."""
    audits = f"{saving['audits']:,} audited cycle{'s' if saving['audits'] != 1 else ''}"
    if saving["low"] is not None:
        audits = f"{100 * saving['low']:.1f} to {100 * saving['high']:.1f}, {audits}"
    return f"{100 * saving['saving']:.1f} % ({audits})"


def amount(count: float) -> str:
    """Bytes as people read them: `48.2 MB`, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(ms: float) -> str:
    """`250 ms`, `12.3 s`, `4 min`, `3.5 h`."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 120_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms / 60_000:.0f} min" if ms < 7_200_000 else f"{ms / 3_600_000:.1f} h"


def clock(ms: int) -> str:
    """A UTC time in ms as this machine's local time of day."""
    return datetime.fromtimestamp(ms / 1000).strftime("%H:%M:%S.%f")[:-3]


def one_line(text: str) -> str:
    """A trader's text, without what would end the line or steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def number(value: float) -> str:
    """A price or score; a dash where there is none."""
    return f"{value:.6g}" if math.isfinite(value) else "-"
