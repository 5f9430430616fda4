"""Prices: what the rows say, also of symbols that come later; and who is watched."""

import numpy as np
import pytest

from common.segment import Segment
from common.traderapi import Trader
from services.replay.prices import Prices, Watched
from tests.support.folders import runtime_folder
from tests.support.markets import open_market, tick_batch


def test_prices_follow_rows_and_symbols() -> None:
    """The last price, else the middle of both quotes, else none; a symbol counts from its first data."""
    with runtime_folder() as runtime, open_market(runtime) as market, Segment.attach_current(runtime) as segment:
        prices = Prices(segment)
        first = market.slot("A")
        market.apply(tick_batch([first], [5.0]), 1)
        prices.take(100)
        second, third = market.slot("B"), market.slot("C")
        prices.take(200)
        assert prices.now[:3] == pytest.approx([5.0, np.nan, np.nan], nan_ok=True)
        market.apply(tick_batch([second], [np.nan], qty=np.nan, bid=2.0), 2)
        prices.take(300)
        assert np.isnan(prices.now[second])
        market.apply(tick_batch([second, first], [np.nan, 6.0], ask=4.0), 3)
        prices.take(400)
        assert prices.now[:3] == pytest.approx([6.0, 3.0, np.nan], nan_ok=True)
        assert prices.since_ns[[first, second, third]].tolist() == [100, 300, 0]


def test_watched_slots_follow_the_names() -> None:
    """Patterns choose, others exclude; what is known is not looked at again."""
    watched = Watched(Trader(name="x", watch=["A*"], exclude=["*X"]), 8)
    watched.extend(["A1", "B1"])
    assert watched.slots.tolist() == [0]
    watched.extend(["A1", "B1", "AX", "A2"])
    assert watched.slots.tolist() == [0, 3]
