"""Indicators beside an oracle in exact numbers: gaps at random places, infinities, the largest and smallest floats."""

import math
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.oracles.indicator_oracle import LARGEST, oracle
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.arrays import Floats
from tickflag.common.traderapi import (
    indicator_kernels,
    indicators,
    rsi,
    series,
    smoothing_kernels,
    window_kernels,
    zscore,
)

NAN, INF = float("nan"), float("inf")
COLUMNS = {"atr": 3, "vwap": 2}
NAMES = (
    "sma", "ema", "rsi", "atr", "highest", "lowest", "std", "zscore", "bollinger_width", "vwap", "returns",
    "log_returns",
)  # fmt: skip
SMALLEST = sys.float_info.min
"""Floats below this have fewer digits."""

_prices = st.integers(1, 10**7).map(lambda cents: cents / 100)
_extremes = st.sampled_from(
    [0.0, 1.0, 1e160, 3e160, 1e300, 2.5e300, 1e307, 1e308, LARGEST, 1e-160, 3e-160, 1e-300, SMALLEST, 5e-324]
)
_unknown = st.sampled_from([NAN, NAN, INF, -INF])
_KINDS = (
    _prices,
    st.one_of(_prices, _prices, _prices, _unknown),
    st.one_of(_prices, _extremes, _unknown),
    _extremes,
    st.floats(0.0, allow_infinity=False),
    st.sampled_from([2e160, 2e160, 1e160, 3e160]),
    st.sampled_from([0.0, 5e-324, 1e-320, 1e-323]),
    st.sampled_from([7.0, 7.0, 7.0, 8.0, NAN]),
)


@st.composite
def _candles(draw: st.DrawFn, columns: int) -> list[list[float]]:
    """Columns of one symbol; where there are three, no high is below its low."""
    kind, length = draw(st.sampled_from(_KINDS)), draw(st.integers(1, 24))
    found = [draw(st.lists(kind, min_size=length, max_size=length)) for _ in range(columns)]
    if columns == 3:
        pairs = [(low, high) if low > high else (high, low) for high, low in zip(*found[:2], strict=True)]
        found[:2] = [[high for high, _ in pairs], [low for _, low in pairs]]
    return found


def _may_lack(name: str, columns: list[list[float]], exact: Any) -> bool:
    """Where floats cannot hold a result or what it is computed from, NaN is right as well."""
    if name in ("returns", "log_returns"):
        change = exact + 1 if name == "returns" else exact.exp()
        return bool(change > LARGEST or change < SMALLEST * 2)
    sizes = [abs(value) for value in columns[0] if value and math.isfinite(value)]
    if name == "rsi":
        return bool(sizes) and min(sizes) / max(sizes) < 1e-198
    return bool(abs(exact) > LARGEST * (1.0 - 1e-9)) or max(sizes, default=0.0) > LARGEST * (1.0 - 1e-9)


def _tolerance(name: str, columns: list[list[float]], at: int, period: int, exact: float) -> float:
    """How far rounding may lead a result astray."""
    past = [abs(value) for column in columns for value in column[: at + 1] if math.isfinite(value)]
    if name in ("rsi", "zscore"):
        return 1e-7
    if name in ("ema", "atr") and period > 1:
        return 1e-12 * max(past) + 1e-321
    return 1e-9 * (abs(exact) + (name in ("returns", "log_returns"))) + 1e-321


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_right_or_missing(name: str, plain: bool) -> None:
    """A value that depends on a gap is NaN, every other one is right, whatever the size of the numbers. Where the exact
    result is out of reach of floats there is none, and never a wrong one."""

    @settings(deadline=None, max_examples=25 if plain else 100)
    @given(_candles(COLUMNS.get(name, 1)), st.integers(1, 9))
    def check(columns: list[list[float]], period: int) -> None:
        arrays = [np.array([column]) for column in columns]
        with plain_kernels(*MODULES) if plain else nullcontext(), np.errstate(all="ignore"):
            found = getattr(series, name)(*arrays, period)
            latest = getattr(indicators, name)(*arrays, period)
        np.testing.assert_array_equal(latest, found[:, -1])
        for at, (value, exact) in enumerate(zip(found[0].tolist(), oracle(name, columns, period), strict=True)):
            if exact is None:
                assert math.isnan(value), f"{value} at {at}, where there is nothing to know"
            elif math.isnan(value):
                assert _may_lack(name, columns, exact), f"nothing at {at}, wanted {exact}"
            elif math.isinf(value):
                assert value == float(exact)
            else:
                assert abs(value - float(exact)) <= _tolerance(name, columns, at, period, float(exact)), (
                    f"{exact} at {at}"
                )

    check()


MODULES = (indicator_kernels, smoothing_kernels, window_kernels)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(data=st.data(), period=st.integers(1, 6), gap=st.sampled_from([NAN, INF, -INF]))
def test_after_a_gap_a_series_begins_anew(name: str, data: st.DataObject, period: int, gap: float) -> None:
    """Where all columns lack a candle, those after it give what they give alone."""
    count = COLUMNS.get(name, 1)
    before, after = (
        [np.array(column) for column in data.draw(_candles(count).filter(lambda one: np.isfinite(one).all()))]
        for _ in range(2)
    )
    if name in ("highest", "lowest"):
        gap = NAN  # an infinity is a number there
    whole = getattr(series, name)(
        *(np.concatenate([one, [gap], other]) for one, other in zip(before, after, strict=True)), period
    )
    alone = getattr(series, name)(*after, period)
    if name in ("returns", "log_returns"):  # they look at two candles only
        whole, alone = whole[: len(before[0]) + 1], np.append(getattr(series, name)(*before, period), NAN)
        np.testing.assert_array_equal(whole, alone)
        return
    np.testing.assert_allclose(whole[len(before[0]) + 1 :], alone, rtol=1e-12)
    assert math.isnan(whole[len(before[0])]) or name == "atr"  # the range of a candle does not need its close


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-160, 1.0, 1e153, 1e154, 1e160, 1e300, 4e307])
def test_the_size_does_not_matter(size: float) -> None:
    """Indicators without a unit are the same for prices of any size."""
    row = size * np.array([1.0, 2.0, 4.0, 3.0, 4.0, 4.0, 2.0])
    for name, period in (("zscore", 4), ("bollinger_width", 4), ("rsi", 3), ("returns", 2), ("log_returns", 3)):
        expected = getattr(series, name)(np.array([1.0, 2.0, 4.0, 3.0, 4.0, 4.0, 2.0]), period)
        np.testing.assert_allclose(getattr(series, name)(row, period), expected, rtol=1e-3 if size < 1e-300 else 1e-9)


def test_the_faults_that_were_found() -> None:
    """A gap between closes leaves no index of 50, and large numbers no z-score of 0."""
    found, alone = (series.rsi(np.array(row), 3) for row in ([1, 2, NAN, 3, 4, 5, 6, 5, 7], [3.0, 4, 5, 6, 5, 7]))
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, *alone])
    assert found[-1] == rsi(np.array([3.0, 4, 5, 6, 5, 7]), 3) != 50.0
    row = np.array([1.0, 2.0, 4.0])
    assert zscore(1e160 * row, 3) == pytest.approx(zscore(row, 3))
    assert math.isnan(zscore(np.array([1.0, INF, 4.0]), 3))


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
def test_numbers_at_the_ends_of_floats(plain: bool) -> None:
    """Sums, differences, squares and products that no float can hold, in results that one can."""
    with plain_kernels(*MODULES) if plain else nullcontext(), np.errstate(all="ignore"):
        ends, large = np.array([-1.5e308, 1.5e308]), np.array([1e308, 1.5e308, 1.7e308, 1.6e308])
        assert indicators.sma(large, 4) == pytest.approx(1.45e308)
        assert math.isnan(indicators.sma(np.array([1.0, INF]), 2))
        assert indicators.std(ends, 2) == pytest.approx(1.5e308)
        assert zscore(ends, 2) == pytest.approx(1.0)
        assert math.isnan(indicators.bollinger_width(ends, 2))
        np.testing.assert_allclose(series.ema(np.array([*ends, 1.5e308]), 2)[1:], [0.0, 1e308])
        np.testing.assert_allclose(series.ema(np.append(-large, 1.7e308), 4)[3:], [-1.45e308, -0.19e308])
        np.testing.assert_allclose(series.atr(large, 0.0 * large, large, 2)[2:], [1.6e308, 1.65e308])
        assert rsi(np.array([1e307, 1.7e308, 0.0, 1e307]), 3) == pytest.approx(100 * 17 / 34)
        assert math.isnan(rsi(np.array([1e-200, 1e200, 1.0, 2.0]), 3))
        assert indicators.vwap(np.array([0.0, 1e300, 2e300]), np.array([1.0, 0.0, 1e100]), 3) == pytest.approx(2e300)
        assert indicators.vwap(np.array([1e-200, 3e-200]), np.array([1e-200, 1e-200]), 2) == pytest.approx(2e-200)
        assert math.isnan(indicators.vwap(np.array([INF, 1.0]), np.array([1.0, 1.0]), 2))
        assert indicators.vwap(np.array([0.0, 0.0]), np.array([1.0, 1.0]), 2) == 0.0


def test_a_price_that_stands_still_for_long_keeps_its_index() -> None:
    """Gains and losses fade alike: their relation stays, however many candles follow."""
    row = np.concatenate([[1.0, 3.0, 2.0, 4.0], np.full(9_000, 4.0)])
    found: Floats = series.rsi(row, 2)
    np.testing.assert_allclose(found[3:], found[3])
    assert rsi(np.append(row, 3.0), 2) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_element_is_unknown(name: str) -> None:
    """As a NaN is, whatever lies under the mask, also of whole numbers."""
    values, mask = np.arange(1, 13).reshape(2, 6), np.zeros((2, 6), bool)
    mask[0, 2] = mask[1, 0] = True
    masked = [np.ma.array(values, mask=mask)] * COLUMNS.get(name, 1)
    plain = [np.where(mask, NAN, values)] * len(masked)
    np.testing.assert_array_equal(getattr(series, name)(*masked, 2), getattr(series, name)(*plain, 2))


def test_an_incomplete_first_candle() -> None:
    """Where only the close is known, an average true range begins with the candle after it."""
    high, low, close = np.array([[NAN, 5.0, 6.0, 7.0], [NAN, 4.0, 4.0, 6.0], [4.5, 4.0, 6.0, 7.0]])
    np.testing.assert_array_equal(series.atr(high, low, close, 2), [NAN, NAN, 1.5, 1.25])
