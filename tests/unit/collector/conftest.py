"""Fixtures of the collector's unit tests."""

import pytest

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.harnesses.views_harness import ViewsHarness


@pytest.fixture
def harness() -> ViewsHarness:
    return ViewsHarness()


@pytest.fixture
def breakout(harness: ViewsHarness) -> FakeTrader:
    """A trader with matches A and B, whose view is synced."""
    trader = FakeTrader()
    trader.matches = {"A": 1.0, "B": 2.0}
    harness.take(trader.snapshot())
    return trader
