"""One rule for candles, whichever way they come in; each row beside a rule written in exact fractions."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tickflag.common.recordings.checks import KLINE_NUMBERS, RowChecks, check_kline
from tickflag.common.recordings.errors import RowFault, RowFaultLog
from tickflag.common.units import NS_PER_S, S_PER_DAY

NOON = 1_700_049_600 * NS_PER_S
MONDAY = 1_709_510_400 * NS_PER_S  # 2024-03-04

# On both sides of a share of 1e-6, never so near to it that a float cannot tell.
_near = st.sampled_from([0, 1, 9e-7, -9e-7, 1.1e-6, -1.1e-6, 1e-3, -1e-3, 1e-16, -1e-16])
_price = st.tuples(st.sampled_from([1.0, 88.85, 3e-7, 64_000.0]), _near).map(lambda pair: pair[0] * (1 + pair[1]))


def _rule(open_: float, high: float, low: float, close: float) -> tuple[float, float] | None:
    """High and low of a candle as it is taken, or None where it is refused."""
    prices = [Fraction(price) for price in (open_, high, low, close)]
    if min(prices) <= 0:
        return None
    share = Fraction(1, 10**6)
    if prices[1] < prices[2] * (1 - share):
        return None
    for body in (prices[0], prices[3]):
        if body > prices[1] * (1 + share) or body < prices[2] * (1 - share):
            return None
    return max(open_, high, close), min(open_, low, close)


def _checked(rows: Sequence[tuple[float, ...]]) -> tuple[RowChecks, dict[str, np.ndarray]]:
    values = {
        name: np.array(column, float) for name, column in zip(KLINE_NUMBERS, zip(*rows, strict=True), strict=True)
    }
    checks = RowChecks(len(rows))
    check_kline(checks, values, np.full(len(rows), NOON), np.full(len(rows), 60))
    return checks, values


@given(st.lists(st.tuples(_price, _price, _price, _price), min_size=1, max_size=20))
@example([(88.84, 88.85, 88.82, 88.855), (88.81, 88.85, 88.82, 88.84), (88.84, 88.85, 88.82, 88.850_01)])
def test_rounded_candles_are_widened_and_others_refused(rows: list[tuple[float, float, float, float]]) -> None:
    """Open and close within a share of 1e-6 of low to high move these; what lies further out refuses the candle."""
    checks, values = _checked([(*row, 1.0) for row in rows])
    expected = [_rule(*row) for row in rows]
    assert checks.refused.tolist() == [found is None for found in expected]
    taken = [(high, low) for high, low in zip(values["high"].tolist(), values["low"].tolist(), strict=True)]
    assert [pair for pair, found in zip(taken, expected, strict=True) if found] == [pair for pair in expected if pair]

    log = RowFaultLog("file", "row", None)
    checks.report(log, 0)
    moved = [found and found != (row[1], row[2]) for row, found in zip(rows, expected, strict=True)]
    assert log.widened == sum(map(bool, moved))
    assert log.count == expected.count(None)
    if log.widened:
        assert log.first_widened is not None
        assert log.first_widened.row == [bool(one) for one in moved].index(True)


def test_what_is_said_of_a_file() -> None:
    """A line for what was refused and one for what was widened, with count, first row, column and reason."""
    rows = [(1.0, 2.0, 1.0, 1.0, 5.0)] * 7
    rows[2] = (1.0, 2.0, 1.0, 2.1, 5.0)
    rows[4] = (1.0, 2.0, 1.0, 2.000001, 5.0)
    rows[5] = (0.9999999, 2.0, 1.0, 1.0, 5.0)
    rows[6] = (0.0, 2.0, 1.0, 1.0, 5.0)
    checks, _ = _checked(rows)
    log = RowFaultLog("a.csv", "line", None)
    assert log.summary() == []
    checks.report(log, np.arange(2, 9), {"close": "Close", "high": "High"})
    assert log.summary() == [
        "a.csv: 2 lines refused, the first: line 4, field Close: 2.1 is above the high",
        "a.csv: 2 candles widened, the first: line 6, field High: 2.0 becomes 2.000001, as open or close lie beyond it "
        "by rounding",
    ]
    log.clear()
    assert log.summary() == []


def test_the_first_refused_row_is_the_first_of_the_file() -> None:
    """Rows are reported as they are found, which may be out of order; each is told while there is room."""
    found: list[RowFault] = []
    log = RowFaultLog("a", "row", found.append)
    for row in range(29, 4, -1):
        log.add(row, "price", f"fault {row}")
    log.add_silent(3)
    assert len(found) == 20
    assert log.summary() == ["a: 28 rows refused, the first: row 5, column price: fault 5"]


def test_weeks_open_on_monday() -> None:
    """So do spans of several weeks; others are counted from 1970 on."""
    for days, opens in ((1, MONDAY + 3 * S_PER_DAY * NS_PER_S), (7, MONDAY), (14, MONDAY)):
        values = {name: np.ones(2) for name in KLINE_NUMBERS}
        checks = RowChecks(2)
        open_ns = np.array([opens, opens + (3 * S_PER_DAY if days > 1 else 1) * NS_PER_S])
        check_kline(checks, values, open_ns, np.full(2, days * S_PER_DAY))
        assert checks.refused.tolist() == [False, True]
        log = RowFaultLog("a", "row", None)
        checks.report(log, 0)
        assert ("counted from a Monday" in str(log.first)) == (days > 1)
        assert ("2024-03-07T00:00:0" in str(log.first)) or days == 1


def test_infinite_prices_are_refused() -> None:
    """They are not compared with one another."""
    checks, _ = _checked([(np.inf, np.inf, np.inf, np.inf, 1.0), (1.0, np.nan, 1.0, 1.0, 1.0)])
    assert checks.refused.tolist() == [True, True]
