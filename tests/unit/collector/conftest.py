"""Fixtures of the collector's unit tests."""

import pytest

from tests.support.desk import Desk
from tests.support.fake_trader import FakeTrader


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def breakout(desk: Desk) -> FakeTrader:
    """A trader with matches A and B, whose view is synced."""
    trader = FakeTrader()
    trader.matches = {"A": 1.0, "B": 2.0}
    desk.take(trader.snapshot())
    return trader
