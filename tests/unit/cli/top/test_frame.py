"""Frames: they fit the screen whatever is in them, and say what is known."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.stand_ins.engine_reading import NOON_MS, line, reading, signal, trouble
from tickflag.services.cli.top.frame import Frame, frame, paper
from tickflag.services.cli.top.lettering import Lettering, lettering
from tickflag.services.cli.top.reading import CollectorContact, EngineReading, TraderDetail
from tickflag.services.cli.top.view_state import ViewState

SIZES = [(80, 24), (120, 40), (200, 60), (60, 16), (40, 12), (20, 5), (1, 1)]
DETAIL = TraderDetail(
    "trader-1",
    [{"circuit": "plugin", "state": "open", "for_s": 12.0, "errors": 3, "of": 5, "opened": 1, "due_in_s": 8.0},
     {"circuit": "tracking", "state": "closed", "for_s": None, "errors": 0, "opened": 0, "due_in_s": None}],
    [{"last_ms": NOON_MS, "count": 4_000, "text": "ValueError: \x1b[2J" + "long " * 40}],
    {"matches": {f"币安人生{at}/USDT:USDT": float(at) for at in range(50)},
     "notes": {"币安人生7/USDT:USDT": "it said so"}, "stale": False, "stale_symbols": ["币安人生8/USDT:USDT"]},
)  # fmt: skip
READINGS = {
    "well": reading(),
    "many traders": reading(60, problems=trouble(9)),
    "nothing": EngineReading("main", NOON_MS, feed={"state": "stopped"}),
    "away": reading(contact=CollectorContact("no collector is running " * 9, NOON_MS - 9_000), problems=trouble(1)),
    "remote": reading(
        where="main at tcp://engine.example.org:5555", feed=None, rates={}, recent=None, no_signals="none"
    ),
    "detail": reading(detail=DETAIL),
}  # fmt: skip
LONG = line("币安人生" * 20, reason="because " * 30, state="quarantined")
READINGS["long names"] = replace(reading(), traders=[LONG])
STATES = {
    "overview": ViewState(chosen="trader-1"),
    "sorted": ViewState(sort="matches", descending=True, filter="trader"),
    "typing": ViewState(typing=True, filter="x" * 60),
    "trader": ViewState(page="trader", chosen="trader-1", scroll=3),
    "gone": ViewState(page="trader", chosen="no such trader"),
    "keys": ViewState(page="keys"),
    "buffers": ViewState(page="buffers"),
}


def text(found: Frame) -> str:
    return "\n".join(one.plain for one in found.lines)


def shown(known: EngineReading, state: ViewState = STATES["overview"], width: int = 80, height: int = 24) -> str:
    return text(frame(known, state, width, height, Lettering()))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("known", READINGS.values(), ids=READINGS)
def test_every_frame_fits(known: EngineReading, state: ViewState, encoding: str) -> None:
    """No line is longer than the screen, there are as many as it has rows, and nothing of others' texts gets out."""
    for width, height in SIZES:
        found = frame(known, state, width, height, lettering(encoding))
        assert len(found.lines) == height
        assert [one.plain for one in found.lines if one.cell_len > width] == []
        assert text(found).replace("\n", "").isprintable()
        text(found).encode(encoding)


@pytest.mark.parametrize("known", READINGS.values(), ids=READINGS)
def test_every_paper_fits(known: EngineReading) -> None:
    """In the same way, as long as it is."""
    for width in (1, 20, 80, 120):
        assert [one.plain for one in paper(known, width, Lettering()) if one.cell_len > width] == []


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_the_heading_is_whole(width: int) -> None:
    """Its words are never broken: what has no room is left out."""
    (head,) = [one for one in shown(reading(), width=width, height=40).splitlines() if one.startswith("Trader")]
    words = [word.strip("↑↓") for word in re.split(r"  +", head.strip())]
    known = ["Trader", "State", "Matches", "Entered", "Left", "Efficiency", "Cycle", "Per symbol", "Processed",
             "Skipped", "Restarts", "Circuits"]  # fmt: skip
    assert words == known[: len(words)]
    assert len(words) >= {40: 3, 80: 7}.get(width, 0)


def test_the_overview_at_80_columns() -> None:
    """It has the dashboard's words and figures."""
    found = shown(reading())
    for words in (
        "tickflag main live, up 2 h 1 min, 123,456 signals", "Matches now       3,000 of 3 traders",
        "Symbols           5,000 of 8,192", "Ticks a second    48.2 k", "Flagged per cycle 412 each 100 ms",
        "Efficiency           97.1 % skipped", "Processor time saved 93.1 % 92.8\N{EN DASH}93.4 %",
        "Tick to signal       119 ms 99 %: 400 ms", "Swap time            24.1 µs 1.23 M swaps", "Just entered or left",
    ):  # fmt: skip
        assert words in found
    assert re.search(r"^trader-2 +running +2,000 +▲ 2 +▽ 2 +90\.0 % +1\.20 ms$", found, re.MULTILINE)
    assert "q end" in found.splitlines()[-1]


def test_the_buffers_at_80_columns() -> None:
    """A line of the overview sums up all channels; their page has each, with both stamps and the swaps."""
    found = shown(reading())
    assert "Buffers           B written, oldest 118 ms, lapped 6, catch-ups 33, retries 9\n" in found
    assert "b buffers" in found.splitlines()[-1]
    page = shown(reading(), STATES["buffers"]).splitlines()
    assert page[2].split() == [
        "Channel",
        "Writing",
        "Stamp",
        "A",
        "Stamp",
        "B",
        "Oldest",
        "Lapped",
        "Catch-ups",
        "Retries",
    ]
    for channel, row in zip(("ticker", "1m", "15m"), page[3:6], strict=True):
        assert row.split() == [channel, "B", "1,234,566", "\N{EN DASH}", "118", "ms", "2", "11", "3"]
    assert page[6] == "A swap each 100 ms, which takes 24.1 µs."
    assert all(row in [one.plain for one in paper(reading(), 80, Lettering())] for row in page[2:7])


def test_no_buffers() -> None:
    """Of an engine on another machine, and without a segment."""
    there = shown(READINGS["remote"].__class__("there", NOON_MS), STATES["buffers"])
    assert "the buffers are known on the engine's own machine only" in there
    nothing = reading(buffers=(), rates={})
    assert "no segment yet" in shown(nothing, STATES["buffers"])
    assert "written" not in shown(nothing)
    unknown = reading(buffers=[{**reading().buffers[0], "stamp_age_ms": None}], rates={})
    assert "A swap each \N{EN DASH}, which takes \N{EN DASH}." in shown(unknown, STATES["buffers"])


def test_more_columns_show_more() -> None:
    """The figures of the dashboard's engine part stand beside the others."""
    found = shown(reading(batch_mode=["rsi"]), width=120, height=40)
    for words in ("Processed a second", "Updates", "48.2 MB", "Batch mode         rsi", "Per symbol", "Skipped"):
        assert words in found


def test_the_chosen_trader_is_on_the_screen() -> None:
    """However many there are, and wherever it stands."""
    for at in (0, 30, 59):
        found = frame(reading(60), ViewState(chosen=f"trader-{at}"), 80, 24, Lettering())
        assert [one.plain.split()[0] for one in found.lines if one.style == "reverse"] == [f"trader-{at}"]
        assert 1 < found.page_rows < 24


def test_what_is_wrong_comes_with_its_remedy() -> None:
    """The worst of a long list, and how many more there are."""
    found = shown(reading(problems=trouble(9)))
    assert re.search(r"^! trader-0 is failing \(Val.*…: `tickflag logs trader-0`$", found, re.MULTILINE)
    assert "! and 6 more: `tickflag doctor`" in found


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "live"),
        ({"contact": CollectorContact()}, "connecting"),
        ({"contact": CollectorContact("no answer", NOON_MS - 5_000)}, "reconnecting"),
        ({"feed": {"state": "stale"}}, "feed stale"),
        ({"feed": {"state": "stopped"}}, "feed stopped"),
        ({"feed": {"state": "stopped"}, "contact": CollectorContact("no collector")}, "no engine"),
        ({"feed": None}, "live"),
        ({"contact": CollectorContact().heard(1.0).missed("gone").heard(NOON_MS - 2_000)}, "live, back since"),
        ({"contact": CollectorContact().heard(1.0).missed("gone").heard(NOON_MS - 90_000)}, "live, up 2 h"),
    ],
)
def test_the_title_says_how_it_stands(fields: dict[str, Any], word: str) -> None:
    """In the words of the dashboard's header."""
    assert shown(reading(**fields)).splitlines()[0].startswith(f"tickflag main {word}")


def test_a_collector_that_is_away() -> None:
    """What was known stays, with its time; another machine's collector has its error here."""
    known = reading(contact=CollectorContact("nobody answers at tcp://there", NOON_MS - 5_000), feed=None)
    found = shown(known)
    assert f"trying again; figures are of {Lettering().clock(NOON_MS - 5_000)}" in found
    assert "! nobody answers at tcp://there" in found
    assert "trader-2" in found


def test_what_is_not_known_is_a_dash() -> None:
    """Nothing is said of a feed on another machine, and of signals that are not published."""
    found = shown(READINGS["remote"])
    assert "Symbols           \N{EN DASH} " in found
    assert "Just entered or left\nnone" in found


def test_a_filter_that_leaves_nothing() -> None:
    """It says so, and the last line shows the filter."""
    found = shown(reading(), ViewState(filter="zzz"))
    assert "no trader has 'zzz' in its name or state" in found
    assert found.splitlines()[-1].endswith("filter: zzz")
    assert "no traders yet" in shown(reading(0))


def test_a_traders_page() -> None:
    """Its figures, circuits, errors, matches by score and its own signals; it scrolls to its end and no further."""
    recent = [signal(1, trader="trader-1", symbol="MINE"), signal(2, trader="trader-2", symbol="OTHER")]
    known = reading(detail=DETAIL, recent=recent)
    found = frame(known, replace(STATES["trader"], scroll=0), 80, 100, Lettering())
    whole = text(found)
    assert found.most_scroll == 0
    for words in ("tickflag main live  trader-1 running", "Per symbol", "plugins/trader-1.py", "in 8.0 s", "3 of 5"):
        assert words in whole
    assert "Matches 50, the highest score first\n币安人生49/USDT:USDT" in whole
    assert re.search(r"币安人生8/USDT:USDT +8 +stale", whole)
    assert "it said so" in whole
    assert "MINE" in whole
    assert "OTHER" not in whole
    low = frame(known, replace(STATES["trader"], scroll=10_000), 80, 24, Lettering())
    assert low.most_scroll > 0
    assert "MINE" in low.lines[-2].plain
    assert "no answer yet" in shown(reading(), STATES["trader"])
    assert "it is busy" in shown(reading(detail=TraderDetail("trader-1", trouble="it is busy")), STATES["trader"])
    assert "there is no trader no such trader any more" in shown(reading(), STATES["gone"])


def test_why_a_trader_is_not_well() -> None:
    """The first line of its page says it."""
    known = replace(
        reading(), traders=[line("trader-1", state="failing", error="it raised", circuits={"plugin": "open"})]
    )
    assert shown(known, STATES["trader"]).splitlines()[1] == "it raised; plugin circuit open"


def test_paper() -> None:
    """All traders and no keys; nothing is marked as chosen, and no line ends with blanks."""
    lines = [one.plain for one in paper(reading(60, problems=trouble(9)), 120, Lettering())]
    assert len([one for one in lines if one.startswith("trader-")]) == 60
    assert len([one for one in lines if one.startswith("! ")]) == 9
    assert not any("q end" in one for one in lines)
