"""`tickflag segment`: the segment files of the instance, and what an operator may do to them."""

import contextlib
from pathlib import Path
from typing import Any

import click

from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import HEADER
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.wire.requests import Client, not_running
from tickflag.services.cli.connection import local_settings
from tickflag.services.cli.engine.stale_files import remove_stale
from tickflag.services.cli.output import byte_size, date_and_time, json_option, show_json, show_table


@click.group()
def segment() -> None:
    """Look at the segment, swap, clean up after a crash."""


@segment.command()
@json_option
def ls(as_json: bool) -> None:
    """List the segment files: one is current, others are remains."""
    runtime = local_settings().runtime_folder()
    files = []
    for path in runtime.segments():
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            files.append(describe(runtime, path))
    if as_json:
        show_json(files)
    elif files:
        show_table(
            ("file", "state", "current", ">size", ">capacity", ">owner", "made"),
            [
                (
                    file["file"],
                    file["state"],
                    "yes" if file["current"] else "no",
                    byte_size(file["bytes"]),
                    f"{file['capacity']:,}",
                    file["owner_pid"],
                    date_and_time(file["created_ms"]),
                )
                for file in files
            ],
        )
    else:
        click.echo(f"no segment in {runtime.folder}")


@segment.command()
@click.argument("symbols", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every symbol, not the first few.")
@click.option("--debug", is_flag=True, help="The debug ring too: the last 100 updates.")
@json_option
def dump(symbols: tuple[str, ...], everything: bool, debug: bool, as_json: bool) -> None:
    """Show the current segment: header, counters, channels and the rows of SYMBOLS."""
    from tickflag.services.cli.engine.segment_dump import segment_document, show_segment

    runtime = local_settings().runtime_folder()
    if runtime.read_pointer() is None:
        raise not_running(runtime, "feed")
    document = segment_document(runtime, symbols, everything, debug)
    if as_json:
        show_json(document)
    else:
        show_segment(document)


@segment.command()
@json_option
def clean(as_json: bool) -> None:
    """Remove what a crash left: segments, pointer and sockets. Exit code 75 while a feed runs."""
    runtime = local_settings().runtime_folder()
    removed = remove_stale(runtime)
    if as_json:
        show_json(removed)
        return
    for name in removed:
        click.echo(f"removed {runtime.folder / name}")
    if not removed:
        click.echo(f"nothing to remove in {runtime.folder}")


@segment.command()
def swap() -> None:
    """Announce what was updated now, without waiting for the swap interval."""
    with Client(local_settings().runtime_folder(), "feed") as feed:
        closed = feed.ask("swap")["channels"]
    click.echo(f"swapped: {closed} channel{'' if closed == 1 else 's'} had updates to announce")


@segment.command()
@click.argument("state", type=click.Choice(["on", "off"]))
def debug(state: str) -> None:
    """Switch the debug ring on or off: the last 100 updates, for `segment dump --debug`."""
    with Client(local_settings().runtime_folder(), "feed") as feed:
        feed.ask("debug", on=state == "on")
    click.echo(f"debug ring {state}")


def describe(runtime: Runtime, path: Path) -> dict[str, Any]:
    """What the header of a segment file says, and whether the file can be attached. Raises FileNotFoundError."""
    import numpy as np

    with path.open("rb") as file:
        header = np.frombuffer(file.read(HEADER.itemsize).ljust(HEADER.itemsize, b"\0"), HEADER)[0]
    try:
        with Segment.attach(path):
            state = "ready"
    except AttachError as error:
        state = error.state.value
    return {
        "file": path.name,
        "generation": f"{int(header['generation']):016x}",
        "state": state,
        "current": runtime.read_pointer() == path.name,
        "bytes": path.stat().st_size,
        "capacity": int(header["capacity"]),
        "owner_pid": int(header["owner_pid"]),
        "created_ms": int(header["created_ms"]),
    }
