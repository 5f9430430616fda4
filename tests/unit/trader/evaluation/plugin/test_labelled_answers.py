"""Answers as data frames and masked arrays: taken by their labels, never by position; refused where nobody can tell."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harnesses.runner_harness import vectorised
from tickflag.common.errors import PluginError
from tickflag.common.protocol.rows import Rows
from tickflag.common.segment import layout

NAN = float("nan")
NAMES = ["A", "B", "C"]


def _asked(answer: Any, names: list[str]) -> tuple[dict[str, float], dict[int, str]]:
    """The matches with their scores by symbol, and the notes by place, of a rule that gives this answer."""
    tickers = np.zeros(len(names), layout.TICKER)
    tickers["status"] = layout.STATUS_TRADING
    rows = Rows(np.arange(len(names), dtype=np.int32), np.ones(len(names), np.int64), tickers, None, None, 0)
    out = np.full(len(names), -1.0)
    notes = vectorised(lambda _market: answer, name="mine").evaluate(rows, lambda: names, 5, out)
    return {name: float(score) for name, score in zip(names, out, strict=True) if score == score}, notes


def _matches(answer: Any, names: list[str] = NAMES) -> dict[str, float]:
    return _asked(answer, names)[0]


def _fault(answer: Any) -> str:
    with pytest.raises(PluginError) as raised:
        _matches(answer)
    message = str(raised.value)
    assert message.startswith("trader 'mine': hook `evaluate` gave ")
    return message


def _by_symbol(symbols: list[str], column: Any) -> Any:
    return pd.Series(column, index=pd.Index(symbols, name="symbol"))


PANDAS_SCORES: dict[str, Callable[[list[float]], Any]] = {
    "numpy": lambda values: np.array(values, float),
    "objects": lambda values: np.array([None if value != value else value for value in values], object),
    "nullable": lambda values: pd.array(values, "Float64"),
    "arrow": lambda values: pd.array(values, "double[pyarrow]"),
}
PANDAS_MASKS: dict[str, Callable[[list[bool | None]], Any]] = {
    "numpy": lambda values: np.array([value is True for value in values], bool),
    "objects": lambda values: np.array([None if value is None else value for value in values], object),
    "nullable": lambda values: pd.array(values, "boolean"),
    "arrow": lambda values: pd.array(values, "bool[pyarrow]"),
}


@st.composite
def _rows(draw: st.DrawFn, entries: st.SearchStrategy[Any]) -> tuple[list[str], dict[str, Any]]:
    """Names of a market, and entries of some of its symbols in any order."""
    names = [f"S{number}" for number in range(draw(st.integers(1, 12)))]
    some = draw(st.lists(st.sampled_from(names), unique=True))
    return names, {name: draw(entries) for name in some}


_scores = st.one_of(st.just(NAN), st.floats(-1e9, 1e9))
_truths = st.sampled_from([True, False, None])


@pytest.mark.parametrize("kind", PANDAS_SCORES)
@pytest.mark.parametrize("frame", [False, True], ids=["series", "frame"])
def test_scores_of_pandas_go_to_their_symbols(kind: str, frame: bool) -> None:
    """In any order and of any number of symbols; a missing one does not match."""

    @settings(deadline=None)
    @given(_rows(_scores))
    def check(rows: tuple[list[str], dict[str, float]]) -> None:
        names, scores = rows
        given = _by_symbol(list(scores), PANDAS_SCORES[kind](list(scores.values())))
        expected = {name: score for name, score in scores.items() if not math.isnan(score)}
        assert _matches(given.to_frame("score") if frame else given, names) == expected

    check()


@pytest.mark.parametrize("kind", PANDAS_MASKS)
def test_masks_of_pandas_go_to_their_symbols(kind: str) -> None:
    """Alone, in a pair with scores of another order, and with notes by symbol."""

    @settings(deadline=None)
    @given(_rows(_truths), st.randoms())
    def check(rows: tuple[list[str], dict[str, bool | None]], random: Any) -> None:
        names, truths = rows
        mask = _by_symbol(list(truths), PANDAS_MASKS[kind](list(truths.values())))
        matching = {name for name, truth in truths.items() if truth}
        assert _matches(mask, names) == dict.fromkeys(matching, 1.0)
        others = list(truths)
        random.shuffle(others)
        scores = _by_symbol(others, [float(name[1:]) for name in others])
        found, notes = _asked((mask, scores, {name: f"of {name}" for name in names}), names)
        assert found == {name: float(name[1:]) for name in matching}
        assert notes == {place: f"of {name}" for place, name in enumerate(names)}

    check()


@settings(deadline=None)
@given(_rows(st.one_of(st.none(), st.floats(-1e9, 1e9))), st.booleans())
def test_frames_of_polars_go_by_their_column(rows: tuple[list[str], dict[str, float | None]], truths: bool) -> None:
    """The column `symbol` says whose an entry is, whatever the order; null is no match."""
    names, given = rows
    values = {name: None if score is None else score > 0.0 if truths else score for name, score in given.items()}
    frame = pl.DataFrame(
        {"symbol": list(values), "found": list(values.values())},
        {"symbol": pl.String, "found": pl.Boolean if truths else pl.Float64},
    )
    expected = {name: float(value) for name, value in values.items() if value is not None and value is not False}
    assert _matches(frame, names) == expected


def test_a_frame_with_a_column_of_symbols() -> None:
    """As `reset_index` leaves it: the column counts, whatever the index is."""
    frame = pd.DataFrame({"symbol": ["C", "A"], "score": [3.0, 1.0]})
    assert _matches(frame) == {"A": 1.0, "C": 3.0}
    assert _matches(frame.set_index(pd.Index([7, 8]))) == {"A": 1.0, "C": 3.0}


def test_the_default_index_is_by_position() -> None:
    """Entries that are numbered in order, and arrays of pandas, which have no index, stand in the market's order."""
    assert _matches(pd.Series([1.0, NAN, 3.0])) == {"A": 1.0, "C": 3.0}
    assert _matches(pd.Series([1.0, NAN, 3.0], index=[0, 1, 2])) == {"A": 1.0, "C": 3.0}
    assert _matches(pd.array([True, None, False], "boolean")) == {"A": 1.0}
    assert _matches((pd.Series([True, False, True]), pd.array([1, None, 3], "Int64"))) == {"A": 1.0, "C": 3.0}
    assert _matches((_by_symbol(["C", "A"], [True, True]), np.array([1.0, 2.0, 3.0]))) == {"A": 1.0, "C": 3.0}


def test_other_columns_of_labels_and_values() -> None:
    """Categories as an index, whole numbers as scores of a pair, no rows at all, and a mask that lost rows."""
    assert _matches(pd.Series([1.5, 2.5], index=pd.CategoricalIndex(["B", "A"]))) == {"B": 1.5, "A": 2.5}
    mask = _by_symbol(["B", "A", "C"], [True, True, False])
    assert _matches((mask, _by_symbol(["A", "B"], pd.array([1, 2], "int64[pyarrow]")))) == {"A": 1.0, "B": 2.0}
    assert _matches(_by_symbol([], np.zeros(0, bool))) == {}
    assert _matches(_by_symbol([], np.zeros(0, object))) == {}
    assert _matches((mask.reindex(["A", "D"])[:1], np.ones(3))) == {"A": 1.0}
    unknown = pl.DataFrame({"symbol": ["B"], "found": [None]})
    assert _matches(unknown) == _matches((unknown, np.ones(3))) == {}
    pair = pl.DataFrame({"symbol": ["C", "B"], "m": [True, True]}), pl.DataFrame({"s": [4, 5], "symbol": ["B", "C"]})
    assert _matches(pair) == {"B": 4.0, "C": 5.0}


def test_masked_elements_do_not_match() -> None:
    """A masked element is no match and no score, whatever lies under the mask."""
    masked = [False, True, False]
    assert _matches(np.ma.array([True, True, False], mask=masked)) == {"A": 1.0}
    assert _matches(np.ma.array([1.0, 9.0, 3.0], mask=masked)) == {"A": 1.0, "C": 3.0}
    assert _matches(np.ma.array([1.0, 9.0, 3.0])) == {"A": 1.0, "B": 9.0, "C": 3.0}
    scores = np.ma.array([1, 9, 3], mask=masked)
    assert _matches((np.array([True, False, True]), scores)) == {"A": 1.0, "C": 3.0}
    assert _matches((np.ma.array([True, True, True], mask=masked), np.ones(3))) == {"A": 1.0, "C": 1.0}
    assert "gave NaN as the score of a match" in _fault((np.ones(3, bool), scores))
    assert "gave an array of <U1" in _fault(np.ma.array(["a", "b", "c"], mask=masked))


class Labelled:
    """An array of another library, as xarray's: numpy would take it by position."""

    def __array__(self, *_arguments: Any, **_options: Any) -> Any:
        return np.ones(3)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "an unknown symbol": (lambda: _by_symbol(["A", "X"], [1.0, 2.0]), "with the label 'X', not one of `market.symb"),
    "a symbol twice": (lambda: _by_symbol(["A", "B", "A"], [1.0, 2.0, 3.0]), "with several entries for 'A'"),
    "numbers in another order": (
        lambda: pd.Series([1.0, 2.0, 3.0]).sort_values(ascending=False),
        "gave a Series of float64 whose index is neither symbols nor 0 to 2 in order: keep the symbols as its index",
    ),
    "fewer numbers": (lambda: pd.Series([1.0, 2.0]), "neither symbols nor 0 to 2"),
    "two levels": (
        lambda: pd.Series([1.0], index=pd.MultiIndex.from_tuples([("A", 1)])),
        "with the label ('A', 1), not one",
    ),
    "an index": (lambda: pd.Index([1.0, 2.0, 3.0]), "gave an Index of float64; wanted"),
    "several columns": (
        lambda: pd.DataFrame({"a": [True], "b": [1.0]}, index=["A"]),
        "gave a DataFrame with the columns a, b; wanted one column beside the symbols",
    ),
    "no column": (lambda: pd.DataFrame(index=["A"]), "with the columns none; wanted one"),
    "whole numbers": (lambda: _by_symbol(["A"], [1]), "gave a Series of int64; wanted a bool or float array"),
    "whole numbers with a gap": (lambda: _by_symbol(["A", "B"], pd.array([1, None], "Int64")), "a Series of Int64; "),
    "whole numbers as objects": (lambda: _by_symbol(["A"], np.array([1], object)), "gave a Series of object; wanted"),
    "texts": (lambda: _by_symbol(["A"], pd.array(["x"], "category")), "gave a Series of category; wanted"),
    "a frame of texts": (lambda: pd.DataFrame({"x": pd.array(["x"], "category")}, ["A"]), "a DataFrame with category;"),
    "truths and numbers": (
        lambda: _by_symbol(["A", "B"], np.array([True, 2.0], object)),
        "gave a Series of object with entries of other types than bool or float",
    ),
    "too large": (lambda: _by_symbol(["A", "B"], np.array([10**400, 1.5], object)), "gave a Series of object; wanted"),
    "a pair with numbers first": (
        lambda: (_by_symbol(["A"], [1.0]), np.ones(3)),
        "gave a pair with a Series of float64; wanted a bool or float array, (mask, scores)",
    ),
    "a series of polars": (lambda: pl.Series([True, False, True]), "gave a polars Series, which does not say whose"),
    "a frame of polars without symbols": (
        lambda: pl.DataFrame({"x": [1.0, 2.0, 3.0]}),
        "gave a polars DataFrame without the column `symbol`",
    ),
    "two columns of polars": (
        lambda: pl.DataFrame({"symbol": ["A"], "a": [1.0], "b": [1.0]}),
        "gave a DataFrame with the columns symbol, a, b; wanted one",
    ),
    "texts of polars": (lambda: pl.DataFrame({"symbol": ["A"], "a": ["x"]}), "gave a polars DataFrame with String; "),
    "no symbol of polars": (
        lambda: pl.DataFrame({"symbol": ["A", None], "a": [True, True]}),
        "gave a DataFrame with the label None",
    ),
    "a lazy frame": (lambda: pl.LazyFrame({"x": [1.0]}), "gave a LazyFrame; wanted"),
    "another library": (lambda: Labelled(), "gave a Labelled; wanted"),
    "another library, in a pair": (lambda: (np.ones(3, bool), Labelled()), "gave a pair with a Labelled; wanted"),
    "a dict": (lambda: {"A": 1.0}, "gave a dict; wanted"),
    "a set": (lambda: {"A", "B", "C"}, "gave a set; wanted"),
    "values of a dict": (lambda: {"C": 1.0, "A": 2.0, "B": 3.0}.values(), "gave a dict_values; wanted"),
    "a tuple": (lambda: (True, False, True, False), "gave a tuple; wanted"),
    "a list of truths and numbers": (lambda: [True, False, 2.0], "gave a list; wanted"),
    "a list with a masked element": (lambda: [1.0, np.ma.masked, 2.0], "gave a list; wanted"),
    "a list with a number beyond all": (lambda: [1.0, 10**400, 2.0], "gave a list; wanted"),
    "notes by place beside a frame in its own order": (
        lambda: (_by_symbol(["C", "A", "B"], [True] * 3), np.ones(3), {0: "C"}),
        "gave notes by place beside a frame in an order of its own; wanted a dict of symbol and text",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_told_is_refused(what: str) -> None:
    """The error names what came, and what is wrong with it."""
    make, words = REFUSED[what]
    assert words in _fault(make())


def test_notes_by_place_beside_a_frame_in_order() -> None:
    """Where the frame stands in the market's order a place can be only one; no notes are none in any order."""
    mask = _by_symbol(NAMES, [True, True, True])
    assert _asked((mask, np.ones(3), {2: "last"}), NAMES)[1] == {2: "last"}
    assert _asked((mask[::-1], np.ones(3), {}), NAMES)[1] == {}


def test_the_libraries_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list and a faulty answer are told without pandas and polars."""
    for name in ("pandas", "polars"):
        monkeypatch.delitem(__import__("sys").modules, name)
    assert _matches([1.0, 2.0, 3.0]) == {"A": 1.0, "B": 2.0, "C": 3.0}
    assert "gave a set; wanted" in _fault({"A"})
