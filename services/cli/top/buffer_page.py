"""The buffers: which one the feed writes now, and what happened to their readers; in a line, or as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from tickflag.common.units import US_PER_MS
from tickflag.services.cli.top.reading import EngineReading
from tickflag.services.cli.top.sheet import LABEL, Sheet, SheetColumn

ELSEWHERE = "the buffers are known on the engine's own machine only"
_NAMES = ("A", "B")
_COUNTS = ("lapped", "catch_ups", "retries")
_TELLS = (
    "Writing: the buffer that the feed fills now; a stamp is the cycle that the other one holds.",
    "Oldest: age of the oldest update of the last cycle. Lapped: copies that the feed overtook.",
    "Catch-ups: passes that compared versions, as an event was missing.",
    "Retries: rows that were locked and tried again.",
)


def add_buffer_line(sheet: Sheet, buffers: Sequence[Mapping[str, Any]]) -> None:
    """The channel `ticker` in a line, with what happened to the readers of all channels."""
    if not buffers:
        return
    letters, first = sheet.letters, buffers[0]
    lapped, catch_ups, retries = (letters.short(sum(one[name] for one in buffers)) for name in _COUNTS)
    sheet.add(
        ("Buffers           ", LABEL),
        (_NAMES[first["writing"]], "bold"),
        (f" written, oldest {letters.lasting(first['stamp_age_ms'])}, ", LABEL),
        (f"lapped {lapped}, catch-ups {catch_ups}, retries {retries}", ""),
    )


def add_buffers(sheet: Sheet, reading: EngineReading) -> None:
    """The table of all channels, and the feed's swaps."""
    letters, shown = sheet.letters, reading.buffers
    whole, lasting = letters.whole, letters.lasting
    sheet.heading("Buffers")
    if not shown:
        sheet.add((ELSEWHERE if reading.feed is None else "no segment yet", LABEL))
        return

    def stamp(one: Mapping[str, Any], at: int) -> str:
        return letters.none if one["writing"] == at else whole(one[("stamp_a", "stamp_b")[at]])

    def column(title: str, cells: list[str], right: bool = True) -> SheetColumn:
        return SheetColumn(title, [(cell, "") for cell in cells], right)

    sheet.table(
        [
            column("Channel", [letters.text(one["channel"]) for one in shown], False),
            column("Writing", [_NAMES[one["writing"]] for one in shown], False),
            column("Stamp A", [stamp(one, 0) for one in shown]),
            column("Stamp B", [stamp(one, 1) for one in shown]),
            column("Oldest", [lasting(one["stamp_age_ms"]) for one in shown]),
            column("Lapped", [letters.short(one["lapped"]) for one in shown]),
            column("Catch-ups", [letters.short(one["catch_ups"]) for one in shown]),
            column("Retries", [letters.short(one["retries"]) for one in shown]),
        ]
    )
    rates = reading.rates
    interval_ms, swap_us = rates.get("swap_interval_ms"), rates.get("swap_time_us")
    swap = lasting(None if swap_us is None else swap_us / US_PER_MS)
    sheet.add((f"A swap each {lasting(interval_ms)}, which takes {swap}.", LABEL))


def add_buffer_page(sheet: Sheet, reading: EngineReading) -> None:
    """The table, and what its columns mean."""
    add_buffers(sheet, reading)
    sheet.blank()
    for tells in _TELLS:
        sheet.add((tells, LABEL))
