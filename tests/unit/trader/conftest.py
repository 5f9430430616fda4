"""Fixtures of the trader's tests: a market of 70 symbols and its segment as a trader has it."""

from collections.abc import Iterator

import pytest

from common.runtime import Runtime
from common.segment import Segment
from services.feed.market import Market
from tests.support.folders import runtime_folder
from tests.support.markets import open_market


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder of the test's own."""
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture
def market(runtime: Runtime) -> Iterator[Market]:
    """Symbols S0 to S69 without data; room for 130; 1m and 5m candles, of which 5 are kept."""
    with open_market(runtime, capacity=130, symbols=70) as market:
        yield market


@pytest.fixture
def segment(runtime: Runtime, market: Market) -> Iterator[Segment]:
    """The market's segment, read-only."""
    with Segment.attach_current(runtime) as segment:
        yield segment
