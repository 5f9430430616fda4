"""A trader's own numbers as it reads and sets them."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tickflag import Market, State, Trader
from tickflag.common.segment import layout
from tickflag.common.traderapi.state import record

DECLARED = {"armed": False, "count": 0, "mean": 1.5}


@pytest.fixture
def numbers() -> Any:
    """The numbers of three symbols, with their first values."""
    return np.repeat(record(DECLARED), 3)


def test_numbers_are_of_the_declared_kinds(numbers: Any) -> None:
    """Each number has its first value."""
    state = State(numbers)
    assert (state.armed.dtype, state.count.dtype, state.mean.dtype) == (np.bool_, np.int64, np.float64)
    assert (state.armed.tolist(), state.count.tolist(), state.mean.tolist()) == ([False] * 3, [0] * 3, [1.5] * 3)


def test_arrays_are_read_and_set(numbers: Any) -> None:
    """An array is set as a whole, in part, and in place."""
    state = State(numbers)
    state.count = [1, 2, 3]
    state.count += 10
    state.mean[state.count > 11] = 7.0
    state.armed = True
    assert numbers.tolist() == [(True, 11, 1.5), (True, 12, 7.0), (True, 13, 7.0)]


def test_one_symbols_numbers_are_read_and_set(numbers: Any) -> None:
    """The symbol chooses the numbers; those of other symbols stay."""
    trader = Trader(name="test", state=DECLARED)
    market = Market(trader, np.zeros(3, layout.TICKER), None, None, lambda: ["A", "B", "C"], 5, numbers)
    symbol = market.symbol(1)
    symbol.state.count += 2
    symbol.state.mean = 4  # a whole number is a fraction too
    assert (symbol.state.count, symbol.state.mean, symbol.state.armed) == (2, 4.0, False)
    assert (market.state.count.tolist(), market.state.mean.tolist()) == ([0, 2, 0], [1.5, 4.0, 1.5])


@pytest.mark.parametrize("name", ["sum", "_values", "of"])
def test_a_number_that_was_not_declared(numbers: Any, name: str) -> None:
    """It can be neither read nor set; the error lists the numbers there are."""
    state = State(numbers)
    with pytest.raises(AttributeError, match=rf"'{name}' is not declared: add it to `state` \(now armed, count, mean"):
        setattr(state, name, 1)
    if name != "_values":
        with pytest.raises(AttributeError, match=f"'{name}' is not declared"):
            getattr(state, name)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("count", 1.5, "a whole number as declared, and was set to float64"),
        ("count", np.array([1.5, 1.0, 1.0]), "a whole number as declared, and was set to float64"),
        ("armed", 1, "true or false as declared, and was set to int64"),
        ("mean", None, "a number with a fraction as declared, and was set to object"),
        ("mean", "1.0", "a number with a fraction as declared, and was set to <U3"),
    ],
)
def test_nothing_is_cut_off(numbers: Any, name: str, value: Any, words: str) -> None:
    """A value that the declared kind cannot hold is refused; a whole number may become a fraction, a truth value a
    number."""
    for state in (State(numbers), State(numbers[1])):
        with pytest.raises(TypeError, match=f"state '{name}' is {words}"):
            setattr(state, name, value)
    assert numbers.tolist() == [(False, 0, 1.5)] * 3


def test_a_number_is_not_set_by_position(numbers: Any) -> None:
    """A data frame's column has an order of its own, and a masked array a mask: neither is taken for a plain array."""
    state = State(numbers)
    for value, name in (
        (pd.Series([1.0, 2.0, 3.0], index=["C", "A", "B"]), "Series"),
        (pl.Series([1.0, 2.0, 3.0]), "Series"),
        (np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]), "MaskedArray"),
    ):
        with pytest.raises(TypeError, match=f"'mean' was set to a {name}, .* give a plain array in the order"):
            state.mean = value
    assert state.mean.tolist() == [1.5] * 3
    state.mean = np.float32(2.5)
    assert state.mean.tolist() == [2.5] * 3
