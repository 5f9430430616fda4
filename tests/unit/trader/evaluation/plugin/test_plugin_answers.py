"""What a trader may answer, and what becomes of every other answer: an error that names trader and hook."""

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.harnesses.runner_harness import per_symbol, vectorised
from tickflag import Symbol
from tickflag.common.errors import PluginError
from tickflag.common.protocol.rows import Rows
from tickflag.common.segment import layout
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

NAN, INF = float("nan"), float("inf")
NAMES = ["A", "B", "C"]


def _rows(*status: int) -> Rows:
    """Three symbols with the prices 1, 2 and 3."""
    tickers = np.zeros(3, layout.TICKER)
    tickers["last"] = [1.0, 2.0, 3.0]
    tickers["status"] = status or (layout.STATUS_TRADING,) * 3
    tickers.flags.writeable = False
    slots = np.arange(3, dtype=np.int32)
    return Rows(slots, np.ones(3, np.int64), tickers, None, None, 0)


def _scores(plugin: Plugin, rows: Rows | None = None) -> list[float]:
    out = np.full(3, -1.0)
    plugin.evaluate(rows or _rows(), lambda: NAMES, 5, out)
    return out.tolist()


def _answer(answer: Any, rows: Rows | None = None) -> list[float | None]:
    """The scores of a rule that always gives this answer; None for no match."""
    return [None if score != score else score for score in _scores(vectorised(lambda _market: answer), rows)]


def _fault(plugin: Plugin) -> str:
    with pytest.raises(PluginError) as raised:
        _scores(plugin)
    return str(raised.value)


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        (np.array([True, False, True]), [1.0, None, 1.0]),
        ([True, False, True], [1.0, None, 1.0]),
        (np.array([NAN, 0.0, -2.5]), [None, 0.0, -2.5]),
        (np.array([NAN, 0.5, 2.0], np.float32), [None, 0.5, 2.0]),
        (pd.Series([NAN, 0.5, 2.0]), [None, 0.5, 2.0]),
        ((np.array([True, False, True]), np.array([4.0, NAN, 6.0])), [4.0, None, 6.0]),
        (([True, False, True], [4, INF, 6]), [4.0, None, 6.0]),
        (([True, False, True], np.array([4, 5, 6])), [4.0, None, 6.0]),
        (np.array([9, 1.0, 2.0, 3.0])[::-1][:3], [3.0, 2.0, 1.0]),
        (np.broadcast_to(np.array(True), (3,)), [1.0, 1.0, 1.0]),
    ],
)
def test_answers(answer: Any, scores: list[float | None]) -> None:
    """A mask, scores with NaN for no match, or both. Lists, other widths, strides and read-only arrays are as good."""
    assert _answer(answer) == scores


def test_the_market_itself_may_be_the_answer() -> None:
    """A read-only column of the market is a score array like any other."""
    assert _scores(vectorised(lambda market: market.last)) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.array([True, False]), "gave the shape (2,); wanted (3,)"),
        (np.zeros((3, 1)), "gave the shape (3, 1); wanted (3,)"),
        (True, "gave the shape (); wanted (3,)"),
        (1.5, "gave the shape (); wanted (3,)"),
        (None, "gave a NoneType; wanted a bool or float array"),
        ("abc", "gave a str; wanted"),
        ({"A": True}, "gave a dict; wanted"),
        (np.array([1, 0, 1]), "gave an array of int64; wanted"),
        (np.array([1j, 2j, 3j]), "gave an array of complex128; wanted"),
        (np.array(["a", "b", "c"]), "gave an array of <U1; wanted"),
        (np.array([True, None, False]), "gave an array of object; wanted"),
        ([[1.0, 2.0], [3.0]], "gave a list; wanted"),
        (([True, False, True], [1.0, [2.0, 3.0], 4.0]), "gave a pair with a list; wanted"),
        (np.array([1.0, INF, 2.0]), "gave an infinite score"),
        (np.array([1.0, -INF, 2.0]), "gave an infinite score"),
        (([True, True, False], [1.0, INF, 2.0]), "gave an infinite score"),
        (([True, True, False], [1.0, NAN, 2.0]), "gave NaN as the score of a match"),
        (([True, True], [1.0, 2.0]), "gave shapes (2,) and (2,); wanted (3,) twice"),
        (([True, True, False], 1.0), "gave shapes (3,) and (); wanted (3,) twice"),
        (([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), "gave a pair of float64 and float64; wanted (bool, float)"),
        (([True, True, True], np.array(["a", "b", "c"])), "gave a pair of bool and <U1; wanted (bool, float)"),
        (([True, True, True], ["a", "b", "c"]), "gave a pair with a list; wanted"),
    ],
)
def test_wrong_answers(answer: Any, words: str) -> None:
    """Shape, type, pair and numbers are checked, and the error says what came and what was wanted."""
    message = _fault(vectorised(lambda _market: answer, name="mine"))
    assert message.startswith("trader 'mine': hook `evaluate` ")
    assert words in message


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), MemoryError(), GeneratorExit(), RecursionError("deep")]
)
def test_whatever_a_rule_raises_is_its_own_fault(error: BaseException) -> None:
    """SystemExit is a fault too: the error names trader, hook and what was raised, and has it as its cause.

    Where what was raised has no text, the message ends without a colon.
    """

    def rule(_argument: Any) -> Any:
        raise error

    for plugin, hook in ((vectorised(rule), "evaluate"), (per_symbol(rule), "evaluate_symbol")):
        with pytest.raises(PluginError) as raised:
            _scores(plugin)
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        assert str(raised.value) == f"trader 'test': hook `{hook}` raised {said}"
        assert raised.value.__cause__ is error


def test_ctrl_c_in_a_rule_is_no_fault() -> None:
    """The operator's interrupt passes through."""

    def rule(_market: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _scores(vectorised(rule))


@pytest.mark.parametrize(
    ("answers", "scores"),
    [
        ([True, False, None], [1.0, None, None]),
        ([0.0, -1, 2.5], [0.0, -1.0, 2.5]),
        ([np.True_, np.False_, np.float32(0.5)], [1.0, None, 0.5]),
        ([np.int64(3), 0, 7], [3.0, 0.0, 7.0]),
    ],
)
def test_answers_for_single_symbols(answers: list[Any], scores: list[float | None]) -> None:
    """False and None are no match, True is a match with score 1, a number is the score itself, 0 included."""
    left = list(answers)
    found = _scores(per_symbol(lambda _symbol: left.pop(0)))
    assert [None if score != score else score for score in found] == scores


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("yes", "gave a str; wanted a bool, a number, None or"),
        ([1.0], "gave a list; wanted"),
        (Fraction(1, 2), "gave a Fraction; wanted"),
        (1j, "gave a complex; wanted"),
        (np.complex128(1j), "gave a complex128; wanted"),
        (np.array([1.0]), "gave an array of float64; wanted"),
        (INF, "gave the score inf for B"),
        (NAN, "gave the score nan for B"),
        (np.float32(-INF), "gave the score -inf for B"),
        (10**400, "gave the score inf for B"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_wrong_answers_for_single_symbols(answer: Any, words: str) -> None:
    """The error says what came and, for a score that is no number, for which symbol."""
    message = _fault(per_symbol(lambda symbol: answer if symbol.name == "B" else None, name="mine"))
    assert message.startswith("trader 'mine': hook `evaluate_symbol` ")
    assert words in message


def test_what_does_not_trade_does_not_match() -> None:
    """A delisted symbol has no score, whatever the rule says of it, in any form of answer."""
    rows = _rows(layout.STATUS_TRADING, layout.STATUS_DELISTED, layout.STATUS_TRADING)
    assert _answer(np.ones(3, bool), rows) == [1.0, None, 1.0]
    assert _answer(np.ones(3), rows) == [1.0, None, 1.0]
    assert _answer((np.ones(3, bool), np.ones(3)), rows) == [1.0, None, 1.0]
    scores = _scores(per_symbol(lambda _symbol: True), rows)
    assert [score == score for score in scores] == [True, False, True]


def test_rows_are_read_only() -> None:
    """A rule that writes to its view gets an error of its own."""

    def rule(market: Any) -> Any:
        market.last[0] = 5.0

    assert "read-only" in _fault(vectorised(rule))


def test_single_symbols_are_asked_in_order() -> None:
    """Each symbol comes once, with its own row, its name and the time."""
    seen: list[tuple[str, float, int]] = []

    def rule(symbol: Symbol) -> None:
        seen.append((symbol.name, symbol.last, symbol.time_ns))

    _scores(per_symbol(rule))
    assert seen == [("A", 1.0, 5), ("B", 2.0, 5), ("C", 3.0, 5)]


def _notes(plugin: Plugin) -> dict[int, str]:
    return plugin.evaluate(_rows(), lambda: NAMES, 5, np.full(3, -1.0))


@pytest.mark.parametrize(("given", "note"), [("x" * 201, "x" * 200), ("a\ud800b", "a?b"), ("", None), ("up", "up")])
def test_a_note_can_be_sent(given: str, note: str | None) -> None:
    """A note is cut at 200 characters, half a character is replaced, an empty text is no note."""
    expected = {} if note is None else {1: note}
    everything = np.array([True, True, True]), np.array([1.0, 2.0, 3.0])
    assert _notes(vectorised(lambda _market: (*everything, {1: given}))) == expected
    assert _notes(per_symbol(lambda symbol: (1.0, given if symbol.name == "B" else ""))) == expected


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ("up", "gave a str as notes; wanted a dict of symbol or place and text"),
        ([(1, "up")], "gave a list as notes; wanted a dict"),
        ({3: "up"}, "gave the note 3: 'up'; wanted a symbol or a place below 3, and a text"),
        ({-1: "up"}, "gave the note -1: 'up'; wanted a symbol or a place below 3"),
        ({"D": "up"}, "gave the note 'D': 'up'; wanted a symbol or a place below 3"),
        ({1: None}, "gave the note 1: None; wanted a symbol or a place below 3, and a text"),
    ],
)
def test_wrong_notes(notes: Any, words: str) -> None:
    """The error says what came."""
    mask, scores = np.ones(3, bool), np.ones(3)
    assert words in _fault(vectorised(lambda _market: (mask, scores, notes)))


@pytest.mark.parametrize(("note", "what"), [(None, "a NoneType"), (5, "an int"), (b"up", "a bytes")])
def test_a_wrong_note_on_a_single_symbol(note: Any, what: str) -> None:
    """The error says what came, and for which symbol."""
    words = f"gave {what} as a note; wanted a text for A"
    assert words in _fault(per_symbol(lambda _symbol: (1.0, note)))


def test_notes_by_numpys_places() -> None:
    """The notes may stand in the order of `np.flatnonzero`."""
    everything = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    rule = vectorised(lambda _market: (*everything, {i: f"at {i}" for i in np.flatnonzero(everything[0])}))
    assert _notes(rule) == {0: "at 0", 2: "at 2"}


def test_no_match_has_no_note() -> None:
    """A symbol that does not match has no note, whatever the rule gives."""
    assert _notes(per_symbol(lambda symbol: (symbol.last > 2.0, "high"))) == {2: "high"}
    assert _notes(per_symbol(lambda _symbol: (None, "high"))) == {}
