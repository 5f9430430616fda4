"""The indicators by definition, in decimal numbers that hold every float exactly: slow, and without overflow.

Each function takes columns of one symbol and gives a value for each candle, None where there is none. What is not
finite is unknown; to `highest` and `lowest` an infinity is a number.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal, localcontext
from itertools import pairwise

Values = Sequence[float]
Found = list[Decimal | None]
_CONTEXT = Context(prec=1_200, Emin=-999_999, Emax=999_999)


def oracle(name: str, columns: Sequence[Values], period: int) -> Found:
    """The whole series of the indicator `name`, with its other options at their defaults."""
    with localcontext(_CONTEXT):
        return _INDICATORS[name](columns, period)


def _windows(columns: Sequence[Values], length: int) -> Iterator[list[list[Decimal]] | None]:
    """The last `length` values of each column, for each candle; None where one of them is unknown or missing."""
    for end in range(1, len(columns[0]) + 1):
        window = [column[max(end - length, 0) : end] for column in columns]
        known = end >= length and all(math.isfinite(value) for column in window for value in column)
        yield [[Decimal(value) for value in column] for column in window] if known else None


def _of_window(rule: Callable[..., Decimal | None]) -> Callable[[Sequence[Values], int], Found]:
    def series(columns: Sequence[Values], period: int) -> Found:
        return [None if window is None else rule(*window) for window in _windows(columns, period)]

    return series


def _extreme(best: Callable[[Values], float]) -> Callable[[Sequence[Values], int], Found]:
    def series(columns: Sequence[Values], period: int) -> Found:
        (column,) = columns
        windows = [column[max(end - period, 0) : end] for end in range(1, len(column) + 1)]
        return [
            Decimal(best(window)) if len(window) == period and not any(map(math.isnan, window)) else None
            for window in windows
        ]

    return series


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _deviation(values: Sequence[Decimal]) -> Decimal:
    centre = _mean(values)
    return _mean([(value - centre) ** 2 for value in values]).sqrt()


def _score(values: Sequence[Decimal]) -> Decimal | None:
    return (values[-1] - _mean(values)) / _deviation(values) if max(values) > min(values) else None


def _width(values: Sequence[Decimal]) -> Decimal | None:
    return 4 * _deviation(values) / _mean(values) if _mean(values) else None


def _weighted(prices: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal | None:
    products = [price * weight for price, weight in zip(prices, weights, strict=True)]
    return sum(products, Decimal(0)) / sum(weights, Decimal(0)) if any(weights) else None


def _return(columns: Sequence[Values], period: int, rule: Callable[[Decimal], Decimal]) -> Found:
    """Depends on the first and the last value of a window only."""
    (column,) = columns
    ends: list[Decimal | None] = [Decimal(value) if math.isfinite(value) and value > 0 else None for value in column]
    return [
        rule(now / before) if now is not None and at >= period and (before := ends[at - period]) is not None else None
        for at, now in enumerate(ends)
    ]


def _smoothed(values: Sequence[Decimal | None], period: int, weight: Decimal) -> Found:
    """Exponential averages. After an unknown value they begin anew."""
    found: Found = []
    series: list[Decimal] = []
    average = Decimal(0)
    for value in values:
        series = [] if value is None else [*series, value]
        if value is not None and len(series) >= period:
            average = _mean(series) if len(series) == period else average + weight * (value - average)
        found.append(average if len(series) >= period else None)
    return found


def _known(value: float) -> Decimal | None:
    return Decimal(value) if math.isfinite(value) else None


def _ema(columns: Sequence[Values], period: int) -> Found:
    return _smoothed([_known(value) for value in columns[0]], period, Decimal(2) / (period + 1))


def _rsi(columns: Sequence[Values], period: int) -> Found:
    close = [_known(value) for value in columns[0]]
    steps: list[Decimal | None] = [None]
    for before, now in pairwise(close):
        steps.append(None if before is None or now is None else now - before)
    part = Decimal(1) / period
    gains = _smoothed([None if step is None else max(step, Decimal(0)) for step in steps], period, part)
    losses = _smoothed([None if step is None else max(-step, Decimal(0)) for step in steps], period, part)
    return [
        None if gain is None or loss is None else 100 * gain / (gain + loss) if gain + loss else Decimal(50)
        for gain, loss in zip(gains, losses, strict=True)
    ]


def _atr(columns: Sequence[Values], period: int) -> Found:
    high, low, close = ([_known(value) for value in column] for column in columns)
    ranges: list[Decimal | None] = [None]
    for top, bottom, before in zip(high[1:], low[1:], close, strict=False):
        reach = None
        if top is not None and bottom is not None and before is not None:
            reach = max(top - bottom, abs(top - before), abs(bottom - before))
        ranges.append(reach if reach is not None and reach <= Decimal(LARGEST) else None)
    return _smoothed(ranges, period, Decimal(1) / period)


LARGEST = math.nextafter(math.inf, 0.0)
_INDICATORS: dict[str, Callable[[Sequence[Values], int], Found]] = {
    "sma": _of_window(_mean),
    "ema": _ema,
    "rsi": _rsi,
    "atr": _atr,
    "highest": _extreme(max),
    "lowest": _extreme(min),
    "std": _of_window(_deviation),
    "zscore": _of_window(_score),
    "bollinger_width": _of_window(_width),
    "vwap": _of_window(_weighted),
    "returns": lambda columns, period: _return(columns, period, lambda change: change - 1),
    "log_returns": lambda columns, period: _return(columns, period, lambda change: change.ln()),
}
