"""Dump: the contents of the current segment, as a document and on the screen."""

import time
from typing import Any

import click
import numpy as np

from common import layout
from common.layout import CLOSED, CONTROL_WORDS, OPEN, STAMP, STATUS_TRADING, TICKER
from common.rows import RowReader
from common.runtime import Runtime
from common.segment import Segment
from common.symbols import SymbolDirectory
from services.cli.output import amount, clock, duration, number, show_table

FIRST = 20  # symbols shown where none are named
_KINDS = {layout.DEBUG_TICK: "tick", layout.DEBUG_KLINE: "kline", layout.DEBUG_CLOSE: "close"}


def dumped(runtime: Runtime, symbols: tuple[str, ...], everything: bool, debug: bool) -> dict[str, Any]:
    """The document. Raises AttachError, and TickflagError for a symbol the segment does not hold."""
    with Segment.attach_current(runtime) as segment:
        directory = SymbolDirectory(segment)
        directory.refresh()
        slots = _slots(directory, symbols, everything)
        document = {**figures(segment), "symbols": _rows(segment, directory, slots)}
        if debug:
            document["debug"] = _debug(segment, directory)
    return document


def figures(segment: Segment) -> dict[str, Any]:
    """What the segment tells of itself: header, number of symbols, counters and channels, and no data."""
    return {
        "header": _header(segment),
        "symbol_count": int(segment.arrays.living[layout.SYMBOL_COUNT]),
        "counters": segment.counters(),
        "channels": _channels(segment),
    }


def _slots(directory: SymbolDirectory, symbols: tuple[str, ...], everything: bool) -> list[int]:
    if not symbols:
        return list(range(len(directory) if everything else min(FIRST, len(directory))))
    return [directory.find(name) for name in symbols]


def _header(segment: Segment) -> dict[str, Any]:
    plan = segment.layout
    return {
        "file": segment.path.name,
        "generation": f"{segment.generation:016x}",
        "layout_version": layout.LAYOUT_VERSION,
        "bytes": segment.nbytes,
        "capacity": plan.capacity,
        "depth": plan.depth,
        "intervals": list(segment.channel_names[1:]),
        "heartbeat_age_ms": round((time.monotonic_ns() - int(segment.arrays.living[layout.HEARTBEAT])) / 1e6, 1),
        "debug": bool(segment.arrays.living[layout.DEBUG_ON]),
    }


def _channels(segment: Segment) -> list[dict[str, Any]]:
    control = segment.arrays.control
    return [
        {
            "channel": name,
            "open": int(control[at + OPEN]),
            "closed": int(control[at + CLOSED]),
            "stamp_a": int(control[at + STAMP]),
            "stamp_b": int(control[at + STAMP + 1]),
        }
        for name, at in zip(segment.channel_names, range(0, len(control), CONTROL_WORDS), strict=True)
    ]


def _rows(segment: Segment, directory: SymbolDirectory, slots: list[int]) -> list[dict[str, Any]]:
    """Each row as one consistent copy; `version` is that of the copy, 0 for a symbol without data."""
    found = []
    reader = RowReader(segment, 0, None, 1)
    heads = segment.arrays.heads
    for slot in slots:
        rows = reader.read(np.array([slot], np.int32))
        row: dict[str, Any] = {"symbol": directory.names[slot], "slot": slot, "locked": bool(rows.failed)}
        if not rows.failed:
            ticker = rows.tickers[0]
            row["version"] = int(rows.versions[0])
            row |= {name: ticker[name].item() for name in TICKER.names or () if name not in ("status", "spare")}
            row["status"] = "trading" if ticker["status"] == STATUS_TRADING else "delisted"
        row["candles"] = {name: int(heads[k, slot]) for k, name in enumerate(segment.channel_names[1:])}
        found.append(row)
    return found


def _debug(segment: Segment, directory: SymbolDirectory) -> list[dict[str, Any]]:
    """The ring, oldest first. The newest entries may be half written: it is for people."""
    ring = segment.arrays.debug.copy()
    head = int(segment.arrays.living[layout.DEBUG_HEAD])
    now_ns = time.monotonic_ns()
    entries = []
    for at in range(max(0, head - len(ring)), head):
        entry = ring[at % len(ring)]
        slot = int(entry["slot"])
        entries.append(
            {
                "age_ms": round((now_ns - int(entry["time_ns"])) / 1e6, 3),
                "symbol": directory.names[slot] if slot < len(directory) else f"slot {slot}",
                "kind": _KINDS.get(int(entry["kind"]), "?"),
            }
        )
    return entries


def show(document: dict[str, Any]) -> None:
    """The document for people."""
    header = document["header"]
    click.echo(
        f"{header['file']}: layout {header['layout_version']}, {amount(header['bytes'])}, "
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
        clock(row["event_ns"] // 1_000_000) if row["event_ns"] else "-",
        row["status"],
        candles,
    )
