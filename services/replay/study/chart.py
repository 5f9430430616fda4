"""Chart: prices and matches as one HTML page that needs no other file."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tickflag.common.errors import TickflagError
from tickflag.common.units import NS_PER_MS
from tickflag.services.replay.study.study import Study

SYMBOLS = 200  # on a page
ENTRIES = 50_000  # on a page
TEMPLATE = Path(__file__).with_name("chart.html")
SCRIPTS = [Path(__file__).with_name(name) for name in ("chart_scale.js", "chart_page.js")]


def check_chart(path: Path) -> None:
    """Check before the replay that the page can be written. Raises TickflagError where it cannot."""
    if path.is_dir() or not path.parent.is_dir():
        raise TickflagError(f"cannot write the chart to {path}: {'a folder' if path.is_dir() else 'no such folder'}")


def write_chart(path: Path, title: str, traders: Sequence[str], study: Study) -> None:
    """Write a page with the symbols that have the most entries, up to `SYMBOLS` and `ENTRIES`. The page says how many
    symbols it leaves out.

    `traders` are the names of the study's subjects; the study has price lines. Raises TickflagError where the file
    cannot be written.
    """
    data = json.dumps(_data(traders, study), separators=(",", ":")).replace("<", "\\u003c")
    script = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    parts = {"title": html.escape(title), "data": data, "script": script}
    page = re.sub(r"\{\{(title|data|script)\}\}", lambda place: parts[place[1]], TEMPLATE.read_text(encoding="utf-8"))
    device = path.exists() and not path.is_file()
    part = path if device else path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        if not device:
            part.replace(path)  # whole or not at all
    except OSError as error:
        if not device:
            part.unlink(missing_ok=True)
        raise TickflagError(f"cannot write the chart to {path}: {error.strerror or error}") from None


def _data(traders: Sequence[str], study: Study) -> dict[str, Any]:
    assert study.price_lines is not None
    rows = study.match_log.rows
    slots, counts = np.unique(rows["slot"], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    fits = np.cumsum(counts[order]) <= ENTRIES
    fits[:1] = True
    chosen = slots[order][fits][:SYMBOLS]
    names = study.prices.directory.names
    symbols = []
    for slot in chosen.tolist():
        times, prices = study.price_lines.line(slot)
        own = rows[rows["slot"] == slot]
        marks = {
            str(subject): [_mark(row) for row in own[own["subject"] == subject]]
            for subject in np.unique(own["subject"]).tolist()
        }
        symbols.append({"name": names[slot], "t": times, "p": prices, "marks": marks})
    return {
        "traders": list(traders),
        "symbols": symbols,
        "end": study.now_ns // NS_PER_MS,
        "left_out": len(slots) - len(chosen),
    }


def _mark(row: Any) -> list[float | None]:
    """[time of entering (ms), price then, time of leaving (ms), price then, 1 where it matched before the period else
    0]; None for what is missing."""
    left = int(row["left_ns"])
    return [
        int(row["entered_ns"]) // NS_PER_MS,
        _price(row["price"]),
        left // NS_PER_MS if left else None,
        _price(row["left_price"]),
        int(row["standing"]),
    ]


def _price(value: Any) -> float | None:
    return None if np.isnan(value) else float(f"{value:.7g}")
