"""Indicators against pandas, compiled and as plain Python."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.traderapi import ema, indicators, rsi, sma
from tests.support.kernels import plain_kernels

Floats = npt.NDArray[np.float64]
NAN = float("nan")

# Rows of equal length, the younger symbols with NaN on the left; prices as they are, some runs of the same one.
_prices = st.one_of(st.floats(0.01, 1e6), st.sampled_from([1.0, 1.0, 2.0]))
_LENGTH = 40


@st.composite
def _histories(draw: st.DrawFn) -> Floats:
    rows = draw(st.lists(st.lists(_prices, max_size=_LENGTH), max_size=4))
    return np.array([[NAN] * (_LENGTH - len(row)) + row for row in rows], np.float64).reshape(len(rows), _LENGTH)


_periods = st.integers(1, _LENGTH + 2)


@pytest.fixture(params=["compiled", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test runs with compiled kernels and with their plain twins."""
    if request.param == "compiled":
        yield
    else:
        with plain_kernels(indicators):
            yield


def _of_pandas(values: Floats, period: int, kind: str) -> list[float]:
    """The last value of each row's indicator as pandas computes it, on what the row holds."""
    found = []
    for row in values:
        prices = pd.Series(row[~np.isnan(row)])
        if kind == "rsi":
            step = prices.diff().dropna()
            gain, loss = (
                _smoothed(part, period, alpha=1 / period) for part in (step.clip(lower=0), -step.clip(upper=0))
            )
            found.append(NAN if math.isnan(gain) else 50.0 if gain + loss == 0 else 100 - 100 * loss / (gain + loss))
        elif kind == "ema":
            found.append(_smoothed(prices, period, alpha=2 / (period + 1)))
        else:
            found.append(float(prices.rolling(period).mean().iloc[-1]) if len(prices) else NAN)
    return found


def _smoothed(values: "pd.Series[float]", period: int, alpha: float) -> float:
    """Exponentially, beginning with the mean of the first `period` values."""
    if len(values) < period:
        return NAN
    seeded = pd.concat([pd.Series([values.iloc[:period].mean()]), values.iloc[period:]], ignore_index=True)
    return float(seeded.ewm(alpha=alpha, adjust=False).mean().iloc[-1])


@pytest.mark.parametrize("plain", [False, True])
@settings(deadline=None, max_examples=60)
@given(values=_histories(), period=_periods)
def test_indicators_are_those_of_pandas(plain: bool, values: Floats, period: int) -> None:
    """For any prices, periods and ages of symbols; a symbol with too little data has none."""
    for kind, indicator in (("sma", sma), ("ema", ema), ("rsi", rsi)):
        expected = _of_pandas(values, period, kind)
        if plain:
            with plain_kernels(indicators):
                found = indicator(values, period)
        else:
            found = indicator(values, period)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7, err_msg=kind)


@pytest.mark.usefixtures("kernels")
def test_rsi_of_a_textbook_row() -> None:
    """14 periods of the usual example: 70.46 with the first 15 closes, 66.25 with one more."""
    closes = [
        44.34,
        44.09,
        44.15,
        43.61,
        44.33,
        44.83,
        45.10,
        45.42,
        45.84,
        46.08,
        45.89,
        46.03,
        45.61,
        46.28,
        46.28,
        46.00,
    ]
    assert rsi(np.array([closes[:15]]))[0] == pytest.approx(70.46, abs=0.01)
    assert rsi(np.array([closes]))[0] == pytest.approx(66.25, abs=0.01)


@pytest.mark.usefixtures("kernels")
def test_rsi_at_its_ends() -> None:
    """Only gains give 100, only losses 0, no movement 50."""
    up = np.arange(1.0, 17.0)
    assert rsi(np.array([up, up[::-1], np.ones(16)])).tolist() == [100.0, 0.0, 50.0]


@pytest.mark.usefixtures("kernels")
def test_the_least_data() -> None:
    """`period` values make an average, one more a strength; with fewer, and without any, there is none."""
    rows = np.array([[NAN, NAN, NAN], [NAN, NAN, 1.0], [NAN, 1.0, 2.0], [1.0, 2.0, 3.0]])
    assert [value == value for value in sma(rows, 2)] == [False, False, True, True]
    assert [value == value for value in ema(rows, 2)] == [False, False, True, True]
    assert [value == value for value in rsi(rows, 2)] == [False, False, False, True]
    assert np.isnan(sma(rows, 4)).all()


@pytest.mark.usefixtures("kernels")
def test_slices_and_read_only_rows() -> None:
    """A trader may pass what it is shown, or any part of it, as it is."""
    rows = np.arange(1.0, 31.0).reshape(2, 15)
    rows.flags.writeable = False
    for values in (rows, rows[:, 3:], rows[::-1], np.asfortranarray(rows)):
        for indicator in (sma, ema, rsi):
            assert indicator(values, 5).tolist() == indicator(values.copy(), 5).tolist()
    assert ema(np.empty((0, 9)), 3).tolist() == []
