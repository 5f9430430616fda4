"""CollectorView: whoever begins to look gets the newest signals soon, and what is older afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tickflag.common.client.follower.events import MatchSets, Place
from tickflag.common.runtime import Runtime
from tickflag.services.dashboard.hub.engine import collector_view
from tickflag.services.dashboard.hub.engine.collector_view import MINUTE_PAGES, PAST_PAGES, CollectorView

LAST = 1_000_000


class JournalStandIn:
    """Holds the questions, and answers them on request: every signal is a score of `X`, a thousand a second."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, Any], Callable[[Any, Any], None]]] = []

    def ask(self, _service: str, what: str, arguments: dict[str, Any], take: Callable[[Any, Any], None]) -> None:
        if what == "signals.find":
            self.asked.append((arguments, take))

    def answer(self, event: str = "score") -> int:
        """Answer the open question; gives how many signals were asked for."""
        ((arguments, take),) = self.asked
        self.asked.clear()
        found = range(arguments["before"] - 1, arguments["before"] - 1 - arguments["limit"], -1)
        signals = [
            {"seq": seq, "trader": "a", "symbol": "X", "event": event, "score": 1.0, "time_ms": seq, "cycle": 1}
            for seq in found
        ]
        take({"signals": signals, "reached": found[-1], "whole": False}, None)
        return len(signals)


def _following(journal: JournalStandIn, tmp_path: Path) -> CollectorView:
    typed: Any = journal
    view = CollectorView(Runtime(tmp_path, "test"), typed)
    place = Place("id", LAST, 0)
    view._apply(MatchSets(place, {"a": {"X": 1.0}}, "start", 1, None))
    return view


def test_the_newest_signals_come_first(tmp_path: Path) -> None:
    """The first answer of the journal is short, and with it the views are whole."""
    journal = JournalStandIn()
    view = _following(journal, tmp_path)
    before, count, after = view.settled, journal.answer(), view.settled
    assert (before, after) == (False, True)
    assert count <= 1_000
    assert view.signals.newest(1)[0]["seq"] == LAST


def test_the_past_is_read_until_it_explains_the_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And until the last minute is known. At most so many pages for each."""
    monkeypatch.setattr(collector_view, "wall_ms", lambda: LAST + 55_000)
    journal = JournalStandIn()
    view = _following(journal, tmp_path)
    journal.answer("entered")
    assert view.signals.last_minute(LAST + 55_000) is None
    counted = journal.answer("entered")
    assert journal.asked == []
    assert counted == 5_000
    assert view.signals.last_minute(LAST + 55_000) == {("a", "entered"): 4_001}


@pytest.mark.parametrize(("now_ms", "most"), [(LAST + 60_000, PAST_PAGES), (LAST - 300_000, MINUTE_PAGES)])
def test_the_past_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now_ms: int, most: int) -> None:
    """Where nothing explains a match, or the minute has very many signals."""
    monkeypatch.setattr(collector_view, "wall_ms", lambda: now_ms)
    journal = JournalStandIn()
    _following(journal, tmp_path)
    pages = 0
    while journal.asked:
        journal.answer()
        pages += 1
    assert pages == most
