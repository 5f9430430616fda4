"""Indicators compared with pandas and TA-Lib, compiled and as plain Python."""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.arrays import Floats
from tickflag.common.traderapi import (
    indicator_kernels,
    indicators,
    rsi,
    series,
    sma,
    smoothing_kernels,
    std,
    vwap,
    window_kernels,
    zscore,
)
from tickflag.common.traderapi.warmup import warm_up

NAN = float("nan")
KERNELS = (indicator_kernels, smoothing_kernels, window_kernels)

NEEDS_ONE_MORE = {"rsi", "atr", "returns", "log_returns"}
"""Indicators that need one candle more than the period."""
NAMES = [
    name
    for name, value in vars(indicators).items()
    if inspect.isfunction(value) and value.__module__ == indicators.__name__
]

# Rows of equal length, with NaN on the left of younger symbols; prices in cents, with some runs of the same one.
_prices = st.one_of(st.integers(1, 10**8).map(lambda cents: cents / 100), st.sampled_from([1.0, 1.0, 2.0]))
_LENGTH = 40


@st.composite
def _histories(draw: st.DrawFn) -> Floats:
    rows = draw(st.lists(st.lists(_prices, max_size=_LENGTH), max_size=4))
    return np.array([[NAN] * (_LENGTH - len(row)) + row for row in rows], np.float64).reshape(len(rows), _LENGTH)


_periods = st.integers(1, _LENGTH + 2)


@pytest.fixture(params=["compiled", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test with compiled kernels and with their plain twins."""
    if request.param == "compiled":
        yield
    else:
        with plain_kernels(*KERNELS), np.errstate(all="ignore"):  # compiled code does not warn of what it handles
            yield


def _columns(name: str, values: Floats) -> list[Floats]:
    """The arguments of an indicator, made of closing prices: highs and lows about them, or volumes."""
    if name == "atr":
        return [values * 1.01, values * 0.98, values]
    return [values, np.round(values) % 7] if name == "vwap" else [values]


def _of(module: Any, name: str, values: Floats, period: int) -> Floats:
    found: Floats = getattr(module, name)(*_columns(name, values), period)
    return found


def _smoothed(values: "pd.Series[float]", period: int, alpha: float) -> "pd.Series[float]":
    """The exponential average, beginning with the mean of the first `period` values."""
    out = pd.Series(NAN, index=values.index)
    if len(values) >= period:
        seeded = pd.concat([pd.Series([values.iloc[:period].mean()]), values.iloc[period:]], ignore_index=True)
        out.iloc[period - 1 :] = seeded.ewm(alpha=alpha, adjust=False).mean()
    return out


def _score(window: Floats) -> float:
    return float((window[-1] - window.mean()) / window.std()) if np.max(window) > np.min(window) else NAN


def _of_pandas(name: str, row: Floats, period: int) -> "pd.Series[float]":
    """The whole series as pandas computes it, for a row without gaps."""
    first, *more = (pd.Series(column, dtype=float) for column in _columns(name, row))
    window = first.rolling(period)
    match name:
        case "sma":
            return window.mean()
        case "ema":
            return _smoothed(first, period, 2 / (period + 1))
        case "rsi":
            step = first.diff().iloc[1:]
            gain, loss = (_smoothed(part, period, 1 / period) for part in (step.clip(lower=0), -step.clip(upper=0)))
            strength = (100 - 100 * loss / (gain + loss)).where(gain + loss != 0, 50.0).where(gain.notna())
            return strength.reindex(first.index)
        case "atr":
            low, close = more
            before = close.shift()
            ranges = pd.concat([first - low, (first - before).abs(), (low - before).abs()], axis=1).max(axis=1)
            return _smoothed(ranges.iloc[1:], period, 1 / period).reindex(first.index)
        case "highest":
            return window.max()
        case "lowest":
            return window.min()
        case "std":
            return window.apply(np.std, raw=True)  # pandas' own adds up as it goes along, and keeps rounding errors
        case "zscore":
            return window.apply(_score, raw=True)
        case "bollinger_width":
            middle, reach = window.mean(), 2 * window.apply(np.std, raw=True)
            return ((middle + reach) - (middle - reach)) / middle
        case "vwap":
            weight = more[0].rolling(period).sum()
            return ((first * more[0]).rolling(period).sum() / weight).where(weight > 0)
        case "returns":
            return first.pct_change(period)
        case "log_returns":
            return first.apply(math.log).diff(period)
    raise AssertionError(f"no pandas for {name}")


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", NAMES)
def test_indicators_are_those_of_pandas(name: str, plain: bool) -> None:
    """They agree for any prices, periods and ages of symbols; where there is too little data there is no value."""

    @settings(deadline=None, max_examples=25)
    @given(values=_histories(), period=_periods)
    def check(values: Floats, period: int) -> None:
        expected = np.full(values.shape, NAN)
        for s, row in enumerate(values):
            known = row[~np.isnan(row)]
            if len(known):
                expected[s, _LENGTH - len(known) :] = _of_pandas(name, known, period)
        with plain_kernels(*KERNELS) if plain else nullcontext():
            found = _of(series, name, values, period)
            latest = _of(indicators, name, values, period)
        # rolling sums keep a rounding error of the large prices that have left the window
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12 * np.nanmax(values, initial=1.0))
        np.testing.assert_array_equal(latest, found[:, -1])

    check()


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sma", lambda talib, columns, period: talib.SMA(*columns, period)),
        ("ema", lambda talib, columns, period: talib.EMA(*columns, period)),
        ("rsi", lambda talib, columns, period: talib.RSI(*columns, period)),
        ("atr", lambda talib, columns, period: talib.ATR(*columns, period)),
        ("highest", lambda talib, columns, period: talib.MAX(*columns, period)),
        ("lowest", lambda talib, columns, period: talib.MIN(*columns, period)),
        ("std", lambda talib, columns, period: talib.STDDEV(*columns, period)),
        ("returns", lambda talib, columns, period: talib.ROCP(*columns, period)),
        (
            "bollinger_width",
            lambda talib, columns, period: (
                lambda upper, middle, lower: (upper - lower) / middle
            )(*talib.BBANDS(*columns, period)),
        ),
    ],
)  # fmt: skip
def test_indicators_are_those_of_talib(name: str, theirs: Callable[[Any, list[Floats], int], Floats]) -> None:
    """The whole series, also of a young symbol, is what TA-Lib gives for the same candles."""
    talib = pytest.importorskip("talib", reason="TA-Lib is not installed")
    rng = np.random.default_rng(5)
    values = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (3, 120)), axis=1))
    values[1, :37] = NAN
    for period in (2, 9, 14, 20):
        expected = [theirs(talib, _columns(name, row), period) for row in values]
        np.testing.assert_allclose(_of(series, name, values, period), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name: str) -> None:
    """A young symbol's values are those of its candles alone, and begin where there are enough candles."""
    values = np.random.default_rng(2).uniform(1.0, 9.0, (1, 12))
    for young in range(13):
        padded = np.concatenate([np.full((1, young), NAN), values[:, young:]], axis=1)
        found = _of(series, name, padded, 4)
        np.testing.assert_array_equal(found[:, young:], _of(series, name, values[:, young:], 4))
        assert int(np.isfinite(found).sum()) == max(0, 12 - young - 3 - (name in NEEDS_ONE_MORE))
        np.testing.assert_array_equal(_of(indicators, name, padded, 4), found[:, -1])


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", NAMES)
def test_shapes(name: str) -> None:
    """The last axis is time, whatever axes come before; the candles of one symbol give a number."""
    block = np.random.default_rng(3).uniform(1.0, 9.0, (2, 3, 8))
    block.flags.writeable = False
    whole = _of(series, name, block, 2)
    assert whole.shape == block.shape
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(_of(indicators, name, block, 2), whole[..., -1])
    np.testing.assert_array_equal(_of(series, name, block[1], 2), whole[1])
    alone = _of(indicators, name, block[1, 2], 2)
    assert np.shape(alone) == ()
    assert alone == whole[1, 2, -1]
    assert _of(indicators, name, np.empty((0, 9)), 3).shape == (0,)
    assert _of(series, name, np.empty((4, 0)), 3).shape == (4, 0)
    for view in (block[0, :, 3:], block[0, ::-1], np.asfortranarray(block[0]), (8 * block[0]).astype(np.int64)):
        np.testing.assert_array_equal(_of(indicators, name, view, 2), _of(indicators, name, np.array(view, float), 2))


CONSTANT = {
    "sma": 0.1, "ema": 0.1, "rsi": 50.0, "atr": 0.1 * 0.03, "highest": 0.1, "lowest": 0.1, "std": 0.0, "zscore": NAN,
    "bollinger_width": 0.0, "vwap": NAN, "returns": 0.0, "log_returns": 0.0,
}  # fmt: skip


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", NAMES)
def test_a_price_that_does_not_move(name: str) -> None:
    """Deviations and returns are exactly 0, a z-score has no meaning, and a VWAP has no volume."""
    found = _of(indicators, name, np.full((1, 20), 0.1), 7)
    np.testing.assert_allclose(found, CONSTANT[name], rtol=1e-9, atol=0.0)


@pytest.mark.usefixtures("kernels")
def test_gaps_and_prices_that_cannot_be() -> None:
    """An unknown value makes all that depend on it unknown; a price of 0 has no return."""
    row = np.array([1.0, 2.0, NAN, 4.0, 5.0])
    for name in ("sma", "highest", "lowest", "std", "zscore", "vwap"):
        assert np.isfinite(_of(series, name, row, 2)).tolist() == [False, True, False, False, True]
    assert np.isnan(series.returns(np.array([1.0, 0.0, 1.0]))).all()
    assert np.isnan(series.log_returns(np.array([1.0, -1.0, 1.0]))).all()


@pytest.mark.usefixtures("kernels")
def test_numbers_worked_by_hand() -> None:
    """Two, four and nine: mean 5, deviation sqrt(26 / 3); weighted by one, one and two it is 6."""
    row = np.array([2.0, 4.0, 9.0])
    assert std(row, 3) == pytest.approx(math.sqrt(26 / 3))
    assert zscore(row, 3) == pytest.approx(4 / math.sqrt(26 / 3))
    assert vwap(row, np.array([1.0, 1.0, 2.0]), 3) == 6.0


@pytest.mark.parametrize("module", [indicators, series])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("period", [0, -3])
def test_a_period_has_a_candle(module: Any, name: str, period: int) -> None:
    """The error names the mistake."""
    with pytest.raises(ValueError, match=f"a period has at least 1 candle, not {period}"):
        _of(module, name, np.ones((2, 5)), period)


def test_columns_belong_together() -> None:
    """Prices and volumes of different shapes are refused, and so is a value without an axis."""
    with pytest.raises(ValueError, match=r"of one shape are wanted.*not \(2, 5\), \(2, 4\)"):
        vwap(np.ones((2, 5)), np.ones((2, 4)), 2)
    with pytest.raises(ValueError, match=r"not \(\)"):
        sma(np.array(1.0), 2)


def test_the_series_has_what_the_indicators_have() -> None:
    """It has the same functions with the same arguments."""
    for name in NAMES:
        assert inspect.signature(getattr(series, name)) == inspect.signature(getattr(indicators, name))


def test_the_warm_up_leaves_nothing_to_compile() -> None:
    """After the warm-up every kernel has machine code for the one type of array that the indicators pass."""
    warm_up()
    before = {name: len(value.signatures) for name, value in _dispatchers()}
    assert all(before.values())
    for name in NAMES:
        _of(indicators, name, np.ones((3, 30)), 5)
        _of(series, name, np.ones((3, 30))[:, 2:], 5)
    assert {name: len(value.signatures) for name, value in _dispatchers()} == before


def _dispatchers() -> list[tuple[str, Any]]:
    return [
        (name, value)
        for module in (indicator_kernels, smoothing_kernels)
        for name, value in vars(module).items()
        if hasattr(value, "signatures") and name[0] != "_" and value.py_func.__module__ == module.__name__
    ]


@pytest.mark.usefixtures("kernels")
def test_rsi_of_a_textbook_row() -> None:
    """14 periods of the usual example: 70.46 with the first 15 closes, 66.25 with one more."""
    closes = [
        44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.00,
    ]  # fmt: skip
    assert rsi(np.array([closes[:15]]))[0] == pytest.approx(70.46, abs=0.01)
    assert rsi(np.array([closes]))[0] == pytest.approx(66.25, abs=0.01)


@pytest.mark.usefixtures("kernels")
def test_rsi_at_its_ends() -> None:
    """Only gains give 100, only losses 0, no movement 50."""
    up = np.arange(1.0, 17.0)
    assert rsi(np.array([up, up[::-1], np.ones(16)])).tolist() == [100.0, 0.0, 50.0]
