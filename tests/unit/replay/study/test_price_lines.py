"""Price lines: as coarse as they must be, and never longer."""

import numpy as np

from tickflag.services.replay.study.price_lines import POINTS, SAMPLES, PriceLines


def test_the_last_price_of_each_part_is_kept() -> None:
    """A line has the first price, each changed one, and the last."""
    lines = PriceLines(0, POINTS * 1_000_000 - 1, 2)
    for ms, price in ((0, 1.0), (0, 2.0), (5, 2.0), (7, 3.0), (8, 3.0), (9, 3.0)):
        lines.record(ms * 1_000_000, np.array([price, np.nan]))
    assert lines.line(0) == ([0, 7, 9], [2.0, 3.0, 3.0])
    assert lines.line(1) == ([], [])


def test_times_outside_count_into_the_first_and_last_part() -> None:
    """The span that a recording states may be wrong."""
    lines = PriceLines(100, 200, 1)
    for ns in (0, 150, 10**9):
        lines.record(ns, np.array([float(ns + 1)]))
    assert lines.line(0) == ([0, 0, 1_000], [1.0, 151.0, 1e9])


def test_many_symbols_have_fewer_points() -> None:
    """Memory is the same for any span, and bounded for any number of symbols."""
    for capacity in (1, SAMPLES // POINTS, 50_000):
        prices = PriceLines(0, 10**18, capacity)._prices
        assert prices.size <= max(SAMPLES, 100 * capacity)
        assert 100 <= len(prices) <= POINTS
