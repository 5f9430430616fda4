"""The topic `matches`: windows of the table with the tickers of their symbols."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tickflag.common.client.questions import Known
from tickflag.common.protocol.rows import UNKNOWN
from tickflag.common.wire.messages import Signal
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.engine.symbol_slots import SymbolSlots
from tickflag.services.dashboard.hub.matches.match_table import MatchTable
from tickflag.services.dashboard.hub.refusals import NotFound
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.matches import TOPICS
from tickflag.services.dashboard.hub.topics.topic import Sight, Waiting


class Market:
    """A segment with symbols S0, S1, ...; the price of S7 is 7, and its age seven seconds."""

    generation = 1

    def __init__(self, symbols: int) -> None:
        self.names = [f"S{number}" for number in range(symbols)]
        self.tickers = np.full(symbols, UNKNOWN)
        self.tickers["last"] = np.arange(symbols)
        self.tickers["event_ns"] = (1_000_000 - np.arange(symbols)) * 1_000_000_000

    def slots(self, symbols: list[str]) -> list[int]:
        return [int(symbol[1:]) if symbol in self.names else -1 for symbol in symbols]

    def copy_rows(self) -> None: ...


def sight_of(matches: dict[str, dict[str, float]], symbols: int = 10, **stale: Any) -> Sight:
    """A sight of these match sets."""
    table = MatchTable()
    table.replace(matches)
    lines = [{"name": name, "matches": len(scores), "stale": stale.get(name, 0)} for name, scores in matches.items()]
    answers: dict[str, Any] = {"status": {"traders": lines}, "matches": {"stale_symbols": ["S1"]}}
    questions = SimpleNamespace(latest=lambda _service, what, _s=1.0, **_: Known(answers[what], answered=True))
    collector = SimpleNamespace(table=table, ready=True, settled=True, away="", seq=9)
    anything: Any = None
    return Sight(
        anything, anything, questions, Market(symbols), collector, anything, SymbolSlots(), anything, {},  # type: ignore[arg-type] # stand-ins
        now_ms=1_000_000_000.0,
    )  # fmt: skip


def shown(sight: Sight, **arguments: Any) -> Answer:
    return TOPICS[0].prepare(TopicArguments("matches", arguments))(sight, False)


def symbols(answer: Answer) -> list[str]:
    return answer.texts["symbol"]


def test_a_window() -> None:
    """Sorted, with tickers and ages; the place is moved back where it lies behind the end."""
    sight = sight_of({"rsi": {"S3": 1.0, "S1": 2.0, "X": 3.0}, "spread": {"S1": 1.0}})
    answer = shown(sight, sort=[["last", "desc"], ["trader", "desc"]])
    assert symbols(answer) == ["S3", "S1", "S1", "X"]
    assert answer.texts["trader"] == ["rsi", "spread", "rsi", "rsi"]
    assert answer.numbers["last"].tolist()[:3] == [3.0, 1.0, 1.0]
    assert answer.numbers["age_ms"].tolist()[:3] == [3_000.0, 1_000.0, 1_000.0]
    assert math.isnan(answer.numbers["last"][3])
    assert answer.data == {
        "total": 4, "first": 0, "matching": 4, "traders": ["rsi", "spread"], "seq": 9, "away": "",
    }  # fmt: skip
    behind = shown(sight, sort=[["score", "asc"]], first=99, count=2)
    assert (behind.data["first"], symbols(behind)) == (2, ["S1", "X"])
    assert symbols(shown(sight, count=0)) == []
    assert symbols(shown(sight)) == ["S1", "S3", "X", "S1"]


def test_filters() -> None:
    """By trader, by text, and by the range of any column."""
    sight = sight_of({"rsi": {"S3": 1.0, "S1": 2.0, "X": 3.0}, "spread": {"S1": 1.0}})
    assert symbols(shown(sight, traders=["spread"])) == ["S1"]
    assert symbols(shown(sight, traders=[])) == []
    assert symbols(shown(sight, text="x")) == ["X"]
    assert symbols(shown(sight, text="SPREAD")) == ["S1"]
    assert symbols(shown(sight, ranges={"last": [2, None]})) == ["S3"]
    assert symbols(shown(sight, ranges={"last": [None, 1], "score": [2, 2]})) == ["S1"]
    assert symbols(shown(sight, ranges={"entered_ms": [0, None]})) == []
    with pytest.raises(NotFound, match="no trader 'other': known are rsi, spread"):
        shown(sight, traders=["other"])


def test_only_what_matches_now() -> None:
    """For programs: without those that have just left, and from exactly where they ask, also behind the end."""
    sight = sight_of({"rsi": {"S3": 3.0, "S1": 2.0, "S2": 1.0}})
    left = Signal(seq=10, trader="rsi", symbol="S1", event="left", score=0.0, time_ms=1_000_000_000, cycle=1)
    sight.collector.table.apply(left)
    assert symbols(shown(sight)) == ["S1", "S2", "S3"]
    exact = {"rows": "matching", "sort": [["score", "desc"]]}
    whole = shown(sight, **exact)
    assert (symbols(whole), whole.data["total"], whole.data["matching"]) == (["S3", "S2"], 2, 2)
    assert symbols(shown(sight, **exact, first=1, count=9)) == ["S2"]
    assert symbols(shown(sight, **exact, first=5)) == []


def test_matches_that_may_be_out_of_date() -> None:
    """All of a trader that is silent; of another those that the collector names."""
    sight = sight_of({"rsi": {"S3": 1.0, "S1": 2.0}, "spread": {"S1": 1.0}}, rsi=1, spread=1)
    assert shown(sight).numbers["mark"].tolist() == [2.0, 0.0, 2.0]
    sight.collector.away = "no collector is running"
    assert shown(sight).numbers["mark"].tolist() == [2.0, 2.0, 2.0]


def test_before_the_first_snapshot() -> None:
    """The topic waits, rather than show an empty table; not for a collector that does not run."""
    sight = sight_of({})
    sight.collector.ready = False
    with pytest.raises(Waiting):
        shown(sight)
    sight.collector.away = "no collector is running"
    assert shown(sight).data["away"] == "no collector is running"


def test_bytes_follow_the_window() -> None:
    """A table of a hundred times as many rows has a frame of the same size."""
    sizes = []
    for traders in (1, 100):
        scores = {f"S{number}": 0.5 for number in range(500)}
        sight = sight_of({f"trader{number:03}": scores for number in range(traders)}, symbols=500)
        answer = shown(sight, sort=[["last", "desc"], ["score", "asc"]], first=100, count=60)
        assert (answer.data["total"], answer.rows) == (500 * traders, 60)
        sizes.append(len(answer.frame(1)) - len(str(answer.data["traders"])))
    assert abs(sizes[0] - sizes[1]) < 100
