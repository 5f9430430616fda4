"""LiveSearch: what the journal has and what comes, each signal once and newest first."""

from types import SimpleNamespace
from typing import Any

import pytest

from tickflag.common.client.questions import Known
from tickflag.common.client.recent_signals import RecentSignals
from tickflag.services.dashboard.hub.topics import live_search
from tickflag.services.dashboard.hub.topics.live_search import LiveSearch
from tickflag.services.dashboard.hub.topics.topic import Waiting


class World:
    """A journal of signals, of which a look through ten numbers is one answer; and a sight of it."""

    def __init__(self, kept: int = 1_000) -> None:
        self.journal: list[dict[str, Any]] = []
        self.collector: Any = SimpleNamespace(
            ready=True, away="", seq=0, journal_id="j", signals=RecentSignals(kept), settled=True
        )
        self.asked = 0
        self.slow = False
        self.owed = False
        self.questions = SimpleNamespace(latest=self._latest)
        self._answers: dict[int, dict[str, Any]] = {}

    def add(self, *symbols: str, heard: bool = True) -> None:
        """Signals come; of those that are not `heard` only the journal knows."""
        for symbol in symbols:
            seq = len(self.journal) + 1
            signal = {"seq": seq, "symbol": symbol, "trader": "rsi", "event": "entered", "note": "", "time_ms": 0}
            self.journal.append(signal)
            self.collector.seq = seq
            if heard:
                self.collector.signals.add([signal])

    def _latest(self, _service: str, _what: str, _every_s: float, before: int, limit: int, **filters: Any) -> Known:
        if self.slow:
            return Known(waiting=True)
        if before not in self._answers:
            self.asked += 1
            low = max(1, before - 10)
            wanted = [one for one in self.journal[low - 1 : before - 1] if one["symbol"] == filters["symbol"]]
            found = wanted[::-1][:limit]
            self._answers[before] = {"signals": found, "reached": low, "whole": low == 1}
        return Known(self._answers[before], answered=True)

    def numbers(self, search: LiveSearch) -> list[int]:
        sight: Any = self
        return [signal["seq"] for signal in search.signals(sight)]


def test_the_journal_then_what_comes() -> None:
    """The journal is looked through once, however often the search is looked at."""
    world, search = World(), LiveSearch({"symbol": "A"}, 200)
    world.add(*"AB" * 15)
    odd = list(range(29, 0, -2))
    assert world.numbers(search) == odd
    assert search.whole
    assert world.numbers(search) == odd
    world.add("A", "B", "A")
    assert world.numbers(search) == [33, 31, *odd]
    assert world.asked == 3


def test_no_more_than_wanted() -> None:
    """The search ends with enough signals; new ones push out the oldest."""
    world, search = World(), LiveSearch({"symbol": "A"}, 3)
    world.add(*"A" * 40)
    assert world.numbers(search) == [40, 39, 38]
    assert (world.asked, search.whole) == (1, False)
    world.add("A")
    assert world.numbers(search) == [41, 40, 39]


def test_a_hole_or_another_journal_begins_anew() -> None:
    """Nothing is missing and nothing is double where signals were not heard."""
    world, search = World(kept=5), LiveSearch({"symbol": "A"}, 200)
    world.add(*"A" * 8)
    assert world.numbers(search) == list(range(8, 0, -1))
    world.add(*"A" * 9)  # five of them are kept
    assert world.numbers(search) == list(range(17, 0, -1))
    world.collector.journal_id = "k"
    world.collector.signals.clear()
    world.journal = []
    world._answers.clear()
    world.add("A", "A")
    assert world.numbers(search) == [2, 1]


def test_what_was_found_is_shown_meanwhile() -> None:
    """The look is owing until the search is over; what comes is shown at once."""
    world, search = World(), LiveSearch({"symbol": "A"}, 200)
    world.add(*"A" * 30)
    world.slow = True
    assert world.numbers(search) == []
    assert world.owed
    world.add("A")
    assert world.numbers(search) == [31]
    world.slow = world.owed = False
    assert world.numbers(search) == list(range(31, 0, -1))
    assert not world.owed


def test_a_long_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many steps, with what was found."""
    monkeypatch.setattr(live_search, "MOST_STEPS", 2)
    world, search = World(), LiveSearch({"symbol": "A"}, 200)
    world.add("A", *"B" * 40)
    assert world.numbers(search) == []
    assert (world.asked, search.whole) == (2, False)


def test_without_a_collector() -> None:
    """The search waits for the first snapshot, but not for a collector that is away; later it shows what it has."""
    world, search = World(), LiveSearch({"symbol": "A"}, 200)
    world.collector.ready = False
    with pytest.raises(Waiting):
        world.numbers(search)
    world.collector.away = "no collector is running"
    assert world.numbers(search) == []
    world.collector.ready = True
    world.add("A")
    assert world.numbers(search) == [1]
    world.collector.ready = False
    assert world.numbers(search) == [1]


@pytest.mark.parametrize(("text", "fits"), [("a", True), ("RS", True), ("x", False)])
def test_texts(text: str, fits: bool) -> None:
    """Part of symbol, trader or note, in capitals or not."""
    signal = {"symbol": "A", "trader": "rsi", "note": ""}
    assert LiveSearch({"text": text}, 1)._fits(signal) is fits
