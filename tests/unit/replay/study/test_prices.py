"""Prices of rows, also of symbols that come later; and which symbols are watched."""

import numpy as np
import pytest

from tests.support.markets.markets import open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag import Trader
from tickflag.common.segment.segment import Segment
from tickflag.services.replay.study.prices import Prices, Watched


def test_prices_follow_rows_and_symbols() -> None:
    """The price is the last one, else the middle of both quotes, else none; a symbol counts from its first data on."""
    with runtime_folder() as runtime, open_market(runtime) as market, Segment.attach_current(runtime) as segment:
        prices = Prices(segment)
        first = market.slot("A")
        market.apply(tick_batch([first], [5.0]), 1)
        prices.refresh(100)
        second, third = market.slot("B"), market.slot("C")
        prices.refresh(200)
        assert prices.now[:3] == pytest.approx([5.0, np.nan, np.nan], nan_ok=True)
        market.apply(tick_batch([second], [np.nan], qty=np.nan, bid=2.0), 2)
        prices.refresh(300)
        assert np.isnan(prices.now[second])
        market.apply(tick_batch([second, first], [np.nan, 6.0], ask=4.0), 3)
        prices.refresh(400)
        assert prices.now[:3] == pytest.approx([6.0, 3.0, np.nan], nan_ok=True)
        assert prices.since_ns[[first, second, third]].tolist() == [100, 300, 0]


def test_watched_slots_follow_the_names() -> None:
    """Patterns choose and exclude symbols; a known symbol is not compared with them again."""
    watched = Watched(Trader(name="x", watch=["A*"], exclude=["*X"]), 8)
    watched.extend(["A1", "B1"])
    assert watched.slots.tolist() == [0]
    watched.extend(["A1", "B1", "AX", "A2"])
    assert watched.slots.tolist() == [0, 3]
