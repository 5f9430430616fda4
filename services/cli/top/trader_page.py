"""A trader's page: its figures, circuits, errors, matches and latest signals."""

from collections.abc import Mapping, Sequence
from typing import Any

from tickflag.common.quantities import byte_size
from tickflag.common.units import MS_PER_S, NS_PER_MS
from tickflag.services.cli.output import number
from tickflag.services.cli.top.overview_page import BROAD, add_recent
from tickflag.services.cli.top.reading import EngineReading, TraderDetail, TraderLine
from tickflag.services.cli.top.sheet import LABEL, STYLES, Sheet, SheetColumn

MOST_MATCHES = 1_000
_ERRORS, _SIGNALS = 5, 20


def add_trader(sheet: Sheet, reading: EngineReading, line: TraderLine) -> None:
    """The whole page, as long as it is."""
    letters = sheet.letters
    if line.why:
        sheet.add((letters.text(line.why), STYLES.get(line.state, "") if line.state != "running" else STYLES["warn"]))
    _add_facts(sheet, line)
    detail = reading.detail if reading.detail is not None and reading.detail.name == line.name else None
    if detail is None:
        detail = TraderDetail(line.name)
    if detail.trouble:
        sheet.add((letters.text(detail.trouble), STYLES["warn"]))
    _add_circuits(sheet, detail.circuits)
    _add_errors(sheet, detail.errors)
    _add_matches(sheet, detail.matches)
    signals = [one for one in reading.recent or () if one["trader"] == line.name]
    sheet.blank()
    sheet.heading("Just entered or left")
    if not signals:
        sheet.add((reading.no_signals or "nothing of late", LABEL))
    add_recent(sheet, signals, _SIGNALS, with_trader=False)


def _add_facts(sheet: Sheet, line: TraderLine) -> None:
    letters, told = sheet.letters, line.told
    whole, short = letters.whole, letters.short
    per_symbol_ms = None if line.ns_per_symbol is None else line.ns_per_symbol / NS_PER_MS
    figures = [
        ("Matches", whole(line.matches), f"{whole(line.stale)} stale" if line.stale else ""),
        ("Cycle", letters.lasting(line.cycle_ms), ""),
        ("Per symbol", letters.lasting(per_symbol_ms), ""),
        ("Efficiency", letters.share(line.efficiency), ""),
        ("Processed", short(line.processed), ""),
        ("Skipped", short(line.skipped), ""),
        ("Failed cycles", whole(told.get("failures")), ""),
        ("Restarts", whole(line.restarts), ""),
        ("Cycles", short(told.get("cycles")), ""),
        ("Bytes sent", byte_size(told.get("bytes_sent", 0)), f"of {byte_size(told.get('bytes_full', 0))}"),
        ("Batch mode", "on" if line.batch_mode else "off", ""),
        ("Process", str(told.get("pid") or letters.none), ""),
    ]
    sheet.pairs(figures, 1 if sheet.width < 50 else 3 if sheet.width >= BROAD else 2)
    for name, key in (("Owner", "owner"), ("Version", "trader_version"), ("Source", "source")):
        if told.get(key):
            sheet.add((f"{name:<14}", LABEL), (letters.text(told[key]), ""))


def _add_circuits(sheet: Sheet, circuits: Sequence[Mapping[str, Any]] | None) -> None:
    if not circuits:  # never a failure, or not known yet
        return
    letters = sheet.letters
    sheet.blank()

    def lasting(seconds: float | None) -> str:
        return letters.lasting(None if seconds is None else seconds * MS_PER_S)

    def errors(one: Mapping[str, Any]) -> str:
        of = f" of {letters.whole(one['of'])}" if one.get("of") else ""
        return f"{letters.whole(one['errors'])}{of}"

    sheet.table(
        [
            SheetColumn("Circuit", [(one["circuit"], "") for one in circuits]),
            SheetColumn(
                "State", [(one["state"], "" if one["state"] == "closed" else STYLES["fail"]) for one in circuits]
            ),
            SheetColumn("For", [(lasting(one["for_s"]), "") for one in circuits], right=True),
            SheetColumn("Errors", [(errors(one), "") for one in circuits], right=True),
            SheetColumn("Opened", [(letters.whole(one["opened"]), "") for one in circuits], right=True),
            SheetColumn("Next change", [(_due(one, lasting), "") for one in circuits], right=True),
        ]
    )


def _due(one: Mapping[str, Any], lasting: Any) -> str:
    return f"in {lasting(one['due_in_s'])}" if one.get("due_in_s") is not None else lasting(None)


def _add_errors(sheet: Sheet, errors: Sequence[Mapping[str, Any]] | None) -> None:
    if not errors:
        return
    letters = sheet.letters
    sheet.blank()
    sheet.heading("Errors")
    shown = errors[:_ERRORS]
    columns = [
        SheetColumn("", [(letters.clock(one["last_ms"]), LABEL) for one in shown]),
        SheetColumn("", [(f"{one['count']:,} x", "") for one in shown], right=True),
        SheetColumn("", [(letters.text(one["text"]), STYLES["fail"]) for one in shown]),
    ]
    sheet.table(columns, 2, head=False)


def _add_matches(sheet: Sheet, found: Mapping[str, Any] | None) -> None:
    letters = sheet.letters
    sheet.blank()
    if found is None:
        sheet.add(("Matches ", "bold"), ("no answer yet", LABEL))
        return
    ranked = sorted(found["matches"].items(), key=lambda match: (-match[1], match[0]))
    shown, notes = ranked[:MOST_MATCHES], found["notes"]
    more = f", the first {MOST_MATCHES:,}" if len(ranked) > len(shown) else ""
    sheet.add(("Matches ", "bold"), (f"{len(ranked):,}, the highest score first{more}", LABEL))
    stale = set(found["matches"]) if found["stale"] else set(found["stale_symbols"])
    if not shown:
        return
    columns = [
        SheetColumn("", [(letters.text(symbol), "") for symbol, _score in shown]),
        SheetColumn("", [(number(score), "") for _symbol, score in shown], right=True),
        SheetColumn("", [("stale" if symbol in stale else "", STYLES["stale"]) for symbol, _score in shown]),
        SheetColumn("", [(letters.text(notes.get(symbol, "")), LABEL) for symbol, _score in shown]),
    ]
    sheet.table(columns, 3, head=False)
