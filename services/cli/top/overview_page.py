"""The overview: is the engine well, which traders are there, what just entered or left."""

from collections.abc import Mapping, Sequence
from typing import Any

from tickflag.common.quantities import byte_size
from tickflag.common.units import NS_PER_MS, US_PER_MS
from tickflag.services.cli.output import counted, number
from tickflag.services.cli.top.lettering import Lettering
from tickflag.services.cli.top.reading import EngineReading, TraderLine
from tickflag.services.cli.top.sheet import STYLES, Sheet, SheetColumn
from tickflag.services.cli.top.view_state import ViewState, place

BROAD = 116
"""From so many columns on, more figures stand side by side."""
_NAME_CELLS = 12
_SORTABLE = {
    "name": "Trader", "state": "State", "matches": "Matches", "entered": "Entered", "left": "Left",
    "efficiency": "Efficiency", "cycle_ms": "Cycle", "ns_per_symbol": "Per symbol", "processed": "Processed",
    "skipped": "Skipped", "restarts": "Restarts",
}  # fmt: skip


def add_figures(sheet: Sheet, reading: EngineReading) -> None:
    """The figures that tell whether the engine is well, by the names that they have on the dashboard."""
    broad = sheet.width >= BROAD
    found = _figures(sheet.letters, reading)
    sheet.pairs(found if broad else found[:8], 1 if sheet.width < 60 else 3 if broad else 2)


def _figures(letters: Lettering, reading: EngineReading) -> list[tuple[str, str, str]]:
    whole, short, share, lasting = letters.whole, letters.short, letters.share, letters.lasting
    feed, rates, sums = reading.feed or {}, reading.rates, reading.sums
    heard = bool(reading.contact.answered_ms)
    matches = sum(one.matches for one in reading.traders) if heard else None
    saving, latency = reading.saving or {}, reading.latency_ms or {}
    low, high = saving.get("low"), saving.get("high")
    swap_us = rates.get("swap_time_us")
    saved, full = sums.get("bytes_saved"), sums.get("bytes_full")
    return [
        ("Matches now", whole(matches), f"of {counted(len(reading.traders), 'trader')}" if heard else ""),
        ("Symbols", whole(feed.get("symbols")), f"of {whole(feed['capacity'])}" if "capacity" in feed else ""),
        ("Ticks a second", short(rates.get("ticks_per_s")), _ago(letters, feed.get("heartbeat_age_ms"))),
        ("Flagged per cycle", short(rates.get("flagged_per_cycle")), _each(letters, rates.get("swap_interval_ms"))),
        ("Efficiency", share(sums.get("efficiency")), "skipped" if sums.get("efficiency") is not None else ""),
        (
            "Processor time saved",
            share(saving.get("value")),
            "" if low is None or high is None else f"{100 * low:.1f}{letters.none}{100 * high:.1f} %",
        ),
        ("Tick to signal", lasting(latency.get("p50")), f"99 %: {lasting(latency.get('p99'))}" if latency else ""),
        (
            "Swap time",
            lasting(None if swap_us is None else swap_us / US_PER_MS),
            f"{short(feed['swaps'])} swaps" if "swaps" in feed else "",
        ),
        ("Processed a second", short(rates.get("processed_per_s")), ""),
        ("Updates", short(feed.get("updates")), f"{short(feed['flagged'])} flagged" if "flagged" in feed else ""),
        ("Bytes saved", letters.none if saved is None else byte_size(saved), f"of {byte_size(full)}" if full else ""),
        ("Batch mode", ", ".join(map(letters.text, reading.batch_mode)) or ("none" if heard else letters.none), ""),
    ]


def _ago(letters: Lettering, ms: float | None) -> str:
    return "" if ms is None else f"heard {letters.lasting(ms)} ago"


def _each(letters: Lettering, ms: float | None) -> str:
    return "" if ms is None else f"each {letters.lasting(ms)}"


def add_problems(sheet: Sheet, reading: EngineReading, most: int) -> None:
    """What is wrong, in at most so many lines, each with its remedy where that has room."""
    say = sheet.letters.text
    told: list[tuple[str, str, str]] = [(one.level, say(one.found), say(one.do)) for one in reading.problems]
    if reading.contact.error and reading.feed is None:  # else the problems say it
        told.insert(0, ("warn", say(reading.contact.error), ""))
    if reading.contact.error and reading.contact.answered_ms:
        told.insert(0, ("warn", f"trying again; figures are of {sheet.letters.clock(reading.contact.answered_ms)}", ""))
    shown = told if len(told) <= most else told[: max(0, most - 1)]
    for level, found, do in shown:
        style, space = STYLES[level], sheet.width - 4 - len(do)
        if do and space >= min(len(found), 24):
            sheet.add(("! ", style), (found if len(found) <= space else sheet.letters.fitted(found, space), style))
            sheet.lines[-1].append(f": {do}")
        else:
            sheet.add(("! ", style), (found, style))
    if len(shown) < len(told) and most > 0:
        sheet.add((f"! and {len(told) - len(shown)} more: `tickflag doctor`", STYLES["warn"]))


def add_traders(sheet: Sheet, traders: Sequence[TraderLine], state: ViewState, rows: int) -> None:
    """The table of the arranged traders: those rows in which the chosen one is."""
    at = place(traders, state)
    first = max(0, min(at - rows // 2, len(traders) - rows))
    shown = traders[first : first + rows]
    sheet.table(_columns(sheet.letters, shown, state), 0, at - first if traders else -1)


def _columns(letters: Lettering, traders: Sequence[TraderLine], state: ViewState) -> list[SheetColumn]:
    """In the order in which they go where there is no room: the last one first."""
    whole, share, short, lasting = letters.whole, letters.share, letters.short, letters.lasting

    def titled(key: str) -> str:
        sign = (letters.down if state.descending else letters.up) if key == state.sort else ""
        return f"{_SORTABLE[key]}{sign}"

    def column(key: str, cells: list[tuple[str, str]], least: int = 0) -> SheetColumn:
        return SheetColumn(titled(key), cells, key not in ("name", "state"), max(least, len(_SORTABLE[key]) + 1))

    def moved(count: int | None, sign: str, style: str) -> tuple[str, str]:
        return (f"{sign} {whole(count)}", style) if count else (letters.none, "")

    per_symbol = [None if one.ns_per_symbol is None else one.ns_per_symbol / NS_PER_MS for one in traders]
    return [
        column("name", [(letters.text(one.name), "") for one in traders], _NAME_CELLS),
        column("state", [(one.state, STYLES.get(one.state, "")) for one in traders], len("quarantined")),
        column("matches", [(whole(one.matches), "") for one in traders]),
        column("entered", [moved(one.entered, letters.entered, STYLES["entered"]) for one in traders], 8),
        column("left", [moved(one.left, letters.left, STYLES["left"]) for one in traders], 8),
        column("efficiency", [(share(one.efficiency), "") for one in traders]),
        column("cycle_ms", [(lasting(one.cycle_ms), "") for one in traders], 8),
        column("ns_per_symbol", [(lasting(ms), "") for ms in per_symbol]),
        column("processed", [(short(one.processed), "") for one in traders]),
        column("skipped", [(short(one.skipped), "") for one in traders]),
        column("restarts", [(whole(one.restarts), "") for one in traders]),
        SheetColumn(
            "Circuits", [(one.circuits, "" if one.circuits == "closed" else STYLES["fail"]) for one in traders]
        ),
    ]


def circuit_style(state: str) -> str:
    """How the state of a circuit is written."""
    return "" if state == "closed" else STYLES["fail"]


def add_recent(sheet: Sheet, signals: Sequence[Mapping[str, Any]], rows: int, with_trader: bool = True) -> None:
    """The newest signals."""
    letters, shown = sheet.letters, signals[: max(0, rows)]
    if not shown:
        return
    signs = {"entered": letters.entered, "left": letters.left}
    columns = [
        SheetColumn("", [(letters.clock(one["time_ms"]), "dim") for one in shown]),
        SheetColumn("", [(signs.get(one["event"], "="), STYLES.get(one["event"], "")) for one in shown]),
        SheetColumn("", [(letters.text(one["symbol"]), "") for one in shown]),
        SheetColumn("", [(letters.text(one["trader"]), "") for one in shown]) if with_trader else None,
        SheetColumn("", [(number(one["score"]), "") for one in shown], right=True),
        SheetColumn("", [(letters.text(one.get("note", "")), "dim") for one in shown]),
    ]
    there = [one for one in columns if one is not None]
    sheet.table(there, len(there) - 1, head=False)
