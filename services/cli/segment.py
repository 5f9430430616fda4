"""`tickflag segment`: the segment files of the instance, and what an operator may do to them."""

import datetime
from typing import Any

import click

from common import settings as configuration
from common import sockets
from common.layout import HEADER
from common.runtime import POINTER, Role, Runtime
from common.segment import AttachError, Segment
from services.cli.client import Client
from services.cli.output import amount, json_option, show_json, show_table


@click.group()
def segment() -> None:
    """Look at the segment, swap, clean up after a crash."""


@segment.command()
@json_option
def ls(as_json: bool) -> None:
    """List the segment files: one is current, others are remains."""
    runtime = configuration.load().runtime_folder()
    files = [describe(runtime, path.name) for path in runtime.segments()]
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
                    amount(file["bytes"]),
                    f"{file['capacity']:,}",
                    file["owner_pid"],
                    datetime.datetime.fromtimestamp(file["created_ms"] / 1000).strftime("%Y-%m-%d %H:%M:%S"),
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
    from services.cli.dump import dumped, show

    document = dumped(configuration.load().runtime_folder(), symbols, everything, debug)
    if as_json:
        show_json(document)
    else:
        show(document)


@segment.command()
@json_option
def clean(as_json: bool) -> None:
    """Remove what a crash left: segments, pointer and sockets. Exit code 75 while a feed runs."""
    runtime = configuration.load().runtime_folder()
    removed = remove_remains(runtime)
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
    with Client(configuration.load().runtime_folder(), "feed") as feed:
        closed = feed.ask("swap")["channels"]
    click.echo(f"swapped: {closed} channel{'' if closed == 1 else 's'} had updates to announce")


@segment.command()
@click.argument("state", type=click.Choice(["on", "off"]))
def debug(state: str) -> None:
    """Switch the debug ring on or off: the last 100 updates, for `segment dump --debug`."""
    with Client(configuration.load().runtime_folder(), "feed") as feed:
        feed.ask("debug", on=state == "on")
    click.echo(f"debug ring {state}")


def describe(runtime: Runtime, name: str) -> dict[str, Any]:
    """What the header of a segment file says, and whether it can be attached."""
    import numpy as np

    path = runtime.folder / name
    raw = path.read_bytes()[: HEADER.itemsize] if path.stat().st_size < HEADER.itemsize else _head(runtime, name)
    header = np.frombuffer(raw.ljust(HEADER.itemsize, b"\0"), HEADER)[0]
    try:
        with Segment.attach(path):
            state = "ready"
    except AttachError as error:
        state = error.state.value
    return {
        "file": name,
        "generation": f"{int(header['generation']):016x}",
        "state": state,
        "current": runtime.read_pointer() == name,
        "bytes": path.stat().st_size,
        "capacity": int(header["capacity"]),
        "owner_pid": int(header["owner_pid"]),
        "created_ms": int(header["created_ms"]),
    }


def remains(runtime: Runtime, service: str) -> list[str]:
    """File names that `service` leaves when it does not end in order. Those of a live one count too."""
    endpoints = {role.endpoint for role in vars(sockets).values() if isinstance(role, sockets.Role) and role.binds}
    names = sorted(endpoint for endpoint in endpoints if endpoint.startswith(f"{service}-"))
    if service == "feed":
        names = [*(path.name for path in runtime.segments()), POINTER, *names]
    return [name for name in names if (runtime.folder / name).exists()]


def remove_remains(runtime: Runtime) -> list[str]:
    """Remove them, holding the role that owns them; gives their names. Raises AlreadyRunning while a feed runs."""
    removed: list[str] = []
    if not runtime.folder.is_dir():
        return removed
    with Role(runtime, "feed"):
        removed += _removed(runtime, "feed")
    if Role.holder(runtime, "collector") is None:
        with Role(runtime, "collector"):
            removed += _removed(runtime, "collector")
    return removed


def _removed(runtime: Runtime, service: str) -> list[str]:
    names = remains(runtime, service)
    for name in names:
        (runtime.folder / name).unlink(missing_ok=True)
    return names


def _head(runtime: Runtime, name: str) -> bytes:
    with (runtime.folder / name).open("rb") as file:
        return file.read(HEADER.itemsize)
