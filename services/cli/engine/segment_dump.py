"""The contents of the current segment, as a document and on the screen."""

from typing import Any

import click
import numpy as np

from tickflag.common.diagnosis.segment_facts import debug_ring, segment_summary
from tickflag.common.protocol.rows import RowReader
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import STATUS_TRADING, TICKER
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.units import NS_PER_MS
from tickflag.services.cli.output import byte_size, duration, number, show_table, time_of_day

FIRST = 20  # symbols shown where none are named


def segment_document(runtime: Runtime, symbols: tuple[str, ...], everything: bool, debug: bool) -> dict[str, Any]:
    """Header, counters, channels and rows. Raises AttachError, and TickflagError for an unknown symbol."""
    with Segment.attach_current(runtime) as segment:
        directory = SymbolDirectory(segment)
        directory.refresh()
        slots = _slots(directory, symbols, everything)
        document = {**segment_summary(segment), "symbols": _rows(segment, directory, slots)}
        if debug:
            document["debug"] = debug_ring(segment, directory.names)
    return document


def _slots(directory: SymbolDirectory, symbols: tuple[str, ...], everything: bool) -> list[int]:
    if not symbols:
        return list(range(len(directory) if everything else min(FIRST, len(directory))))
    return [directory.find(name) for name in symbols]


def _rows(segment: Segment, directory: SymbolDirectory, slots: list[int]) -> list[dict[str, Any]]:
    """A consistent copy of each row. `version` is the version of the copy, 0 for a symbol without data."""
    found = []
    reader = RowReader(segment, 0, None, 1)
    heads = segment.arrays.heads
    for slot in slots:
        rows = reader.read(np.array([slot], np.int32))
        row: dict[str, Any] = {"symbol": directory.names[slot], "slot": slot, "locked": bool(rows.failed)}
        if not rows.failed:
            ticker = rows.tickers[0]
            row["version"] = int(rows.versions[0])
            row |= {name: ticker[name].item() for name in TICKER.names or () if name not in ("status", "last_ns")}
            row["status"] = "trading" if ticker["status"] == STATUS_TRADING else "delisted"
        row["candles"] = {name: int(heads[k, slot]) for k, name in enumerate(segment.channel_names[1:])}
        found.append(row)
    return found


def show_segment(document: dict[str, Any]) -> None:
    """Print the document for people."""
    header = document["header"]
    click.echo(
        f"{header['file']}: layout {header['layout_version']}, {byte_size(header['bytes'])}, "
        f"{document['symbol_count']:,} of {header['capacity']:,} symbols, {header['depth']} candles of each of "
        f"{', '.join(header['intervals'])}"
    )
    click.echo(f"heartbeat {duration(header['heartbeat_age_ms'])} ago; debug ring {'on' if header['debug'] else 'off'}")
    click.echo()
    show_table(("counter", ">value"), [(name, f"{value:,}") for name, value in document["counters"].items()])
    click.echo()
    show_table(
        ("channel", ">open", ">closed", ">stamp A", ">stamp B"),
        [tuple(channel.values()) for channel in document["channels"]],
    )
    click.echo()
    show_table(
        (">slot", "symbol", ">version", ">last", ">bid", ">ask", ">volume", ">24 h", "time", "status", "candles"),
        [_shown(row) for row in document["symbols"]],
    )
    hidden = document["symbol_count"] - len(document["symbols"])
    if len(document["symbols"]) == FIRST and hidden:
        click.echo(f"and {hidden:,} more: name those you want, or --all")
    if "debug" in document:
        click.echo()
        if not document["debug"]:
            why = (
                "on, and nothing was written since" if header["debug"] else "off: `tickflag segment debug on` fills it"
            )
            click.echo(f"no updates in the debug ring: it is {why}")
            return
        show_table(
            (">age", "kind", "symbol"),
            [(duration(entry["age_ms"]), entry["kind"], entry["symbol"]) for entry in document["debug"]],
        )


def _shown(row: dict[str, Any]) -> tuple[Any, ...]:
    candles = " ".join(f"{name}:{count:,}" for name, count in row["candles"].items())
    if row["locked"]:
        return (row["slot"], row["symbol"], "locked", *("-" * 7), candles)
    return (
        row["slot"],
        row["symbol"],
        row["version"],
        number(row["last"]),
        number(row["bid"]),
        number(row["ask"]),
        number(row["volume"]),
        f"{row['change_24h']:+.2%}" if row["change_24h"] == row["change_24h"] else "-",
        time_of_day(row["event_ns"] // NS_PER_MS) if row["event_ns"] else "-",
        row["status"],
        candles,
    )
