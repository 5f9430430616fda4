"""`tickflag logs`: what a trader wrote: its own output and its faults."""

import contextlib
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

import click

from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import Client
from tickflag.services.cli.connection import local_settings

CHECK_S = 0.2


@click.command()
@click.argument("trader")
@click.option("--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@click.option("--lines", type=click.IntRange(min=0), default=50, show_default=True, help="How many of the last lines.")
def logs(trader: str, follow: bool, lines: int) -> None:
    """Show what TRADER wrote: a trader's name, or its file's without `.py`."""
    path = find_log(local_settings().runtime_folder(), trader)
    with contextlib.suppress(KeyboardInterrupt), path.open("rb") as file:
        for line in deque(file, maxlen=lines):
            _show(line)
        while follow:
            time.sleep(CHECK_S)
            for line in fresh_lines(file):
                _show(line)


def find_log(runtime: Runtime, trader: str) -> Path:
    """The trader's log file. Raises TickflagError with the traders that have one, where this trader has none."""
    files = {path.stem: path for path in sorted(runtime.logs.glob("*.log"))}
    stems = _stems(runtime)
    stem = stems.get(trader, trader)
    if stem in files:
        return files[stem]
    if stem in stems.values():
        raise TickflagError(f"trader {trader!r} has written nothing yet")
    known = ", ".join(sorted(stems.keys() | (files.keys() - set(stems.values())))) or "none so far"
    raise TickflagError(f"no trader {trader!r}: known are {known}")


def fresh_lines(file: BinaryIO) -> list[bytes]:
    """The lines written since the last read. After the file was cut, reading starts at its beginning."""
    if Path(file.name).stat().st_size < file.tell():
        file.seek(0)
    return file.readlines()


def _stems(runtime: Runtime) -> dict[str, str]:
    """Trader -> stem of its log file, as the collector tells it; empty where no collector answers."""
    try:
        with Client(runtime, "collector", timeout_s=2.0) as collector:
            return {one["name"]: one["log"] for one in collector.ask("traders") if one["log"]}
    except TickflagError:
        return {}


def _show(line: bytes) -> None:
    click.echo(line.decode(errors="replace"), nl=False)
