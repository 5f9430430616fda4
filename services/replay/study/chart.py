"""Chart: prices and matches as one HTML page that needs nothing else."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import TickflagError
from services.replay.study import MS, Study

SYMBOLS = 200  # on a page
ENTRIES = 50_000  # on a page
TEMPLATE = Path(__file__).with_name("chart.html")


def check_chart(path: Path) -> None:
    """Raises TickflagError where a page could not be written, before the work is done."""
    if path.is_dir() or not path.parent.is_dir():
        raise TickflagError(f"cannot write the chart to {path}: {'a folder' if path.is_dir() else 'no such folder'}")


def write_chart(path: Path, title: str, traders: Sequence[str], study: Study) -> None:
    """The symbols with the most entries, up to `SYMBOLS` and `ENTRIES`; the page says how many it leaves out.

    `traders` are the names of the study's subjects; it has a track. Raises TickflagError where the file cannot be
    written.
    """
    data = json.dumps(_data(traders, study), separators=(",", ":")).replace("<", "\\u003c")
    parts = {"title": html.escape(title), "data": data}
    page = re.sub(r"\{\{(title|data)\}\}", lambda place: parts[place[1]], TEMPLATE.read_text(encoding="utf-8"))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise TickflagError(f"cannot write the chart to {path}: {error.strerror or error}") from None


def _data(traders: Sequence[str], study: Study) -> dict[str, Any]:
    assert study.track is not None
    rows = study.entries.rows
    slots, counts = np.unique(rows["slot"], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    fits = np.cumsum(counts[order]) <= ENTRIES
    fits[:1] = True
    chosen = slots[order][fits][:SYMBOLS]
    names = study.prices.directory.names
    symbols = []
    for slot in chosen.tolist():
        times, prices = study.track.line(slot)
        own = rows[rows["slot"] == slot]
        marks = {
            str(subject): [_mark(row) for row in own[own["subject"] == subject]]
            for subject in np.unique(own["subject"]).tolist()
        }
        symbols.append({"name": names[slot], "t": times, "p": prices, "marks": marks})
    return {
        "traders": list(traders),
        "symbols": symbols,
        "end": study.now_ns // MS,
        "left_out": len(slots) - len(chosen),
    }


def _mark(row: Any) -> list[float | None]:
    """Entered (ms), its price, left (ms), its price, 1 where it matched from before; None where there is none."""
    left = int(row["left_ns"])
    return [
        int(row["entered_ns"]) // MS,
        _price(row["price"]),
        left // MS if left else None,
        _price(row["left_price"]),
        int(row["standing"]),
    ]


def _price(value: Any) -> float | None:
    return None if np.isnan(value) else float(f"{value:.7g}")
