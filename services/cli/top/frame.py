"""frame: what is on the screen, from what is known and what is to be shown. Pure."""

from typing import NamedTuple

from rich.text import Text

from tickflag.services.cli.top.buffer_page import add_buffer_line, add_buffer_page, add_buffers
from tickflag.services.cli.top.lettering import Lettering
from tickflag.services.cli.top.overview_page import add_figures, add_problems, add_recent, add_traders
from tickflag.services.cli.top.reading import BACK_MS, EngineReading
from tickflag.services.cli.top.sheet import LABEL, STYLES, Part, Sheet
from tickflag.services.cli.top.trader_page import add_trader
from tickflag.services.cli.top.view_state import ViewState, arranged

RECENT_ON_PAPER = 20
_LEAST_OF_TABLE = 8
"""Lines that the figures leave to the rest, however low the screen is."""
_RECENT_ROWS = 5
"""The newest signals get so many rows, and what the traders leave."""
KEYS = (
    ("up, down, j, k", "choose a trader; in its page: scroll"),
    ("PgUp, PgDn, Home, End", "the same, further"),
    ("Enter", "look into the chosen trader; Esc goes back"),
    ("n, p", "in a trader's page: the next, the previous trader"),
    ("s, S", "sort by the next, the previous column"),
    ("r", "sort the other way round"),
    ("/", "filter by name and state: Enter keeps it, Esc clears it"),
    ("b", "the buffers of all channels"),
    ("?", "these keys"),
    ("q, Ctrl-C", "end"),
)
_TELLS = "Entered and left are those of the last minute."
_FOOTERS = {
    "overview": (
        ("q", "end"),
        ("?", "keys"),
        ("Enter", "look into"),
        ("s", "sort"),
        ("r", "turn"),
        ("/", "filter"),
        ("b", "buffers"),
    ),
    "trader": (("q", "end"), ("Esc", "back"), ("n p", "next, previous"), ("up down", "scroll")),
    "buffers": (("q", "end"), ("Esc", "back")),
    "keys": (("q", "end"), ("Esc", "back")),
}


class Frame(NamedTuple):
    """The lines of a screen, and what keys need to know of it."""

    lines: list[Text]
    page_rows: int
    """Rows of the traders, or of a trader's page, that are on the screen."""
    most_scroll: int = 0
    """How far a trader's page can be scrolled."""


def frame(reading: EngineReading, state: ViewState, width: int, height: int, letters: Lettering) -> Frame:
    """A screen of so many columns and rows; no line is longer, and there are no more lines."""
    sheet = Sheet(width, letters)
    _add_title(sheet, reading, state)
    body = max(0, height - 2)
    most, page_rows = 0, body
    if state.page == "keys":
        for keys, does in KEYS:
            sheet.add((f"{keys:<23}", "bold"), (does, ""))
        sheet.blank()
        sheet.add((_TELLS, LABEL))
    elif state.page == "buffers":
        add_buffer_page(sheet, reading)
    elif state.page == "trader":
        most = _add_trader_page(sheet, reading, state, body)
    else:
        page_rows = _add_overview(sheet, reading, state, height)
    del sheet.lines[max(1, height - 1) :]
    while len(sheet.lines) < height - 1:
        sheet.blank()
    if height > 1:
        _add_footer(sheet, state)
    return Frame(sheet.lines[:height], page_rows, most)


def paper(reading: EngineReading, width: int, letters: Lettering) -> list[Text]:
    """All of the overview, without keys, as long as it is."""
    sheet = Sheet(width, letters)
    _add_title(sheet, reading, ViewState())
    add_figures(sheet, reading)
    if reading.problems or reading.contact.error:
        sheet.blank()
        add_problems(sheet, reading, len(reading.problems) + 2)
    traders = arranged(reading.traders, ViewState())
    if traders:
        sheet.blank()
        add_traders(sheet, traders, ViewState(), len(traders))
    if reading.buffers:
        sheet.blank()
        add_buffers(sheet, reading)
    _add_recent_part(sheet, reading, RECENT_ON_PAPER)
    for line in sheet.lines:
        line.style = ""  # nobody chooses on paper
        line.rstrip()
    return sheet.lines


def _add_title(sheet: Sheet, reading: EngineReading, state: ViewState) -> None:
    letters = sheet.letters
    back_ms = reading.contact.back_ms
    told = f", back since {letters.clock(back_ms)}" if reading.time_ms - back_ms < BACK_MS and back_ms else ""
    word = reading.word
    left: list[Part] = [(f"tickflag {letters.text(reading.where)} ", "bold"), (word, STYLES[word])]
    if told and not reading.contact.error:
        left.append((told, STYLES["live"]))
    if state.page == "trader":
        left.append((f"  {letters.text(state.chosen)}", "bold"))
        found = next((one for one in reading.traders if one.name == state.chosen), None)
        if found is not None:
            left.append((f" {found.state}", STYLES.get(found.state, "")))
    elif "uptime_s" in reading.collector and not told and not reading.contact.error:
        up = letters.lasting(reading.collector["uptime_s"] * 1_000)
        left.append((f", up {up}, {reading.collector['last_seq']:,} signals", LABEL))
    sheet.ends(left, [(letters.clock(reading.time_ms), LABEL)])


def _add_overview(sheet: Sheet, reading: EngineReading, state: ViewState, height: int) -> int:
    """Gives how many rows the traders have."""
    add_figures(sheet, reading)
    add_buffer_line(sheet, reading.buffers)
    del sheet.lines[max(1, height - _LEAST_OF_TABLE) :]
    problems = Sheet(sheet.width, sheet.letters)
    add_problems(problems, reading, max(2, height // 6))
    if problems.lines:
        sheet.blank()
        sheet.lines += problems.lines
    sheet.blank()
    traders = arranged(reading.traders, state)
    left = height - len(sheet.lines) - 2  # the table's heading, and the last line
    recent = _RECENT_ROWS + 2 if left >= 2 * (_RECENT_ROWS + 2) else 0
    rows = max(1, min(len(traders), left - recent) if traders else 1)
    if traders:
        add_traders(sheet, traders, state, rows)
    elif reading.traders:
        sheet.add((f"no trader has {sheet.letters.text(state.filter)!r} in its name or state", STYLES["warn"]))
    elif reading.contact.answered_ms and not reading.contact.error:
        sheet.add(("no traders yet", LABEL))
    _add_recent_part(sheet, reading, height - 1 - len(sheet.lines) - 2)
    return rows


def _add_recent_part(sheet: Sheet, reading: EngineReading, rows: int) -> None:
    if rows < 1 or not (reading.recent or reading.no_signals):
        return
    sheet.blank()
    sheet.heading("Just entered or left")
    if reading.recent:
        add_recent(sheet, reading.recent, rows)
    else:
        sheet.add((sheet.letters.text(reading.no_signals), LABEL))


def _add_trader_page(sheet: Sheet, reading: EngineReading, state: ViewState, body: int) -> int:
    """Gives how far it can be scrolled."""
    line = next((one for one in reading.traders if one.name == state.chosen), None)
    if line is None:
        sheet.add((f"there is no trader {sheet.letters.text(state.chosen)} any more", STYLES["warn"]))
        return 0
    page = Sheet(sheet.width, sheet.letters)
    add_trader(page, reading, line)
    most = max(0, len(page.lines) - body)
    first = min(state.scroll, most)
    sheet.lines += page.lines[first : first + body]
    return most


def _add_footer(sheet: Sheet, state: ViewState) -> None:
    letters = sheet.letters
    if state.typing:
        left: list[Part] = [("filter: ", "bold"), (f"{letters.text(state.filter)}{letters.cursor}", "")]
        sheet.ends(left, [("Enter keeps, Esc clears", LABEL)])
        return
    filtered = state.filter and state.page == "overview"
    parts: list[Part] = []
    for key, does in _FOOTERS[state.page][: -1 if filtered else None]:
        parts += [(key, "bold"), (f" {does}   ", LABEL)]
    sheet.ends(parts, [(f"filter: {letters.text(state.filter)}", STYLES["warn"])] if filtered else [])
