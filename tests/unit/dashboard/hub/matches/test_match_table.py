"""MatchTable: it holds what a plain model of the match sets holds."""

import math
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tickflag.services.dashboard.hub.matches.match_table import ENTERED, LEFT, SHOWN_MS, STALE, MatchTable

TRADERS, SYMBOLS = ("rsi", "spread"), ("A", "B", "C", "D")


class PlainSignal(NamedTuple):
    trader: str
    symbol: str
    event: str
    score: float
    time_ms: int
    note: str = ""


def _rows(table: MatchTable) -> dict[tuple[str, str], tuple[float, float, float, str]]:
    return {
        (table.traders.names[table.trader[row]], table.symbols.names[table.symbol[row]]): (
            float(table.score[row]), float(table.entered_ms[row]), float(table.left_ms[row]), table.notes[row],
        )
        for row in range(table.count)
    }  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(TRADERS), st.sampled_from(SYMBOLS), st.integers(0, 9)),
        st.integers(0, 2 * SHOWN_MS),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_table_is_what_the_signals_add_up_to(steps: list[tuple[str, str, int] | int]) -> None:
    """Symbols enter, get scores, leave and come back while time passes; those that left stay for a while."""
    table, now_ms = MatchTable(), 1_000_000
    model: dict[tuple[str, str], tuple[float, float, float, str]] = {}
    for step in steps:
        if isinstance(step, int):
            now_ms += step
            table.expire(now_ms)
            model = {key: row for key, row in model.items() if not now_ms - row[2] > SHOWN_MS}
        else:
            trader, symbol, number = step
            row = model.get((trader, symbol))
            matches = row is not None and math.isnan(row[2])
            event = "entered" if not matches else "left" if number < 4 else "score"
            note = "" if event == "left" else f"note {number}"
            table.apply(PlainSignal(trader, symbol, event, number, now_ms, note))
            if event == "left":
                assert row is not None
                model[trader, symbol] = (float(number), row[1], float(now_ms), row[3])
            else:
                entered = float(now_ms) if event == "entered" or row is None else row[1]
                model[trader, symbol] = (float(number), entered, math.nan, note)
        assert str(_rows(table)) == str({key: model[key] for key in _rows(table)})
        assert _rows(table).keys() == model.keys()
        counts = {name: sum(key[0] == name and math.isnan(row[2]) for key, row in model.items()) for name in TRADERS}
        assert {name: count for name, count in table.counts().items() if count} == {
            name: count for name, count in counts.items() if count
        }


def test_a_snapshot_takes_the_place_of_everything() -> None:
    """Its times are not known until earlier signals tell; a signal of before the match entered again tells nothing."""
    table = MatchTable()
    table.apply(PlainSignal("rsi", "A", "entered", 1.0, 5))
    table.replace({"rsi": {"B": 2.0, "C": 3.0}, "spread": {}})
    assert table.counts() == {"rsi": 2, "spread": 0}
    assert table.unexplained
    for signal in (
        PlainSignal("rsi", "B", "score", 2.0, 90, "newest"),
        PlainSignal("rsi", "B", "entered", 1.0, 80, "first"),
        PlainSignal("rsi", "B", "entered", 1.0, 10, "an earlier match"),
        PlainSignal("rsi", "Z", "entered", 1.0, 10),
        PlainSignal("other", "B", "entered", 1.0, 10),
    ):
        table.explain(signal)
    assert _rows(table)["rsi", "B"] == (2.0, 80.0, _Nan(), "newest")
    assert table.unexplained
    table.explain(PlainSignal("rsi", "C", "entered", 1.0, 70))
    assert not table.unexplained


class _Nan(float):
    """Equals a number that is not known."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and math.isnan(other)

    __hash__ = float.__hash__


def test_marks() -> None:
    """A match that just entered, one that may be out of date, and one that has left."""
    table = MatchTable()
    for symbol in SYMBOLS:
        table.apply(PlainSignal("rsi", symbol, "entered", 1.0, 10_000))
    table.apply(PlainSignal("spread", "A", "entered", 1.0, 10_000))
    table.apply(PlainSignal("rsi", "C", "left", 1.0, 12_000))
    rows = np.arange(table.count)
    assert table.marks(rows, 12_000).tolist() == [ENTERED, ENTERED, LEFT, ENTERED, ENTERED]
    table.set_stale({"rsi": ["B", "C"], "spread": None})
    assert table.marks(rows, 20_000).tolist() == [0, STALE, LEFT, 0, STALE]
    table.set_stale({})
    assert table.marks(rows, 20_000).tolist() == [0, 0, LEFT, 0, 0]


def test_the_traders_of_a_symbol() -> None:
    """Those for which it matches now, by name."""
    table = MatchTable()
    table.apply(PlainSignal("spread", "A", "entered", 2.0, 7, "wide"))
    table.apply(PlainSignal("rsi", "A", "entered", 1.0, 5))
    table.apply(PlainSignal("third", "A", "entered", 1.0, 5))
    table.apply(PlainSignal("third", "A", "left", 1.0, 6))
    table.set_stale({"spread": None})
    first = {"trader": "rsi", "score": 1.0, "note": "", "since_ms": 5.0, "stale": False}
    second = {"trader": "spread", "score": 2.0, "note": "wide", "since_ms": 7.0, "stale": True}
    assert table.of_symbol("A") == [first, second]
    assert table.of_symbol("no such") == []


def test_the_table_grows() -> None:
    """Thousands of matches come and go."""
    table = MatchTable()
    table.replace({"rsi": {f"S{number}": float(number) for number in range(3_000)}})
    for number in range(0, 3_000, 2):
        table.apply(PlainSignal("rsi", f"S{number}", "left", 0.0, 1))
    table.expire(1 + SHOWN_MS)
    assert table.count == 3_000
    table.expire(2 + SHOWN_MS)
    assert table.count == 1_500
    assert {key[1] for key in _rows(table)} == {f"S{number}" for number in range(1, 3_000, 2)}
