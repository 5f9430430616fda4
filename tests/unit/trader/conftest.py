"""Fixtures of the trader's tests: a market of 70 symbols, and its segment as a trader maps it."""

from collections.abc import Iterator

import pytest

from tests.support.markets.markets import open_market
from tests.support.processes.folders import runtime_folder
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder of the test's own."""
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    """Symbols S0 to S69 without data; room for 130; 1m and 5m candles, with rings of 5."""
    with open_market(runtime, capacity=130, symbols=70) as market:
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: MarketWriter) -> Iterator[Segment]:
    """The market's segment, read-only."""
    with Segment.attach_current(runtime) as segment:
        yield segment
