from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.markets.markets import NOON, open_market, tick_batch
from tickflag.common.protocol import status
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import LIVING_WORDS, STATUS_DELISTED, STATUS_TRADING
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def market(runtime: Runtime) -> Iterator[MarketWriter]:
    with open_market(runtime, capacity=2, depth=1, symbols=2) as market:
        yield market


def test_each_change_counts_once() -> None:
    """A change counts in its own word only."""
    living = np.zeros(LIVING_WORDS, np.int64)
    for count in (1, 2):
        status.count_status_change(living)
        assert status.status_changes(living) == living.sum() == count


def test_a_reader_sees_the_feed_count(runtime: Runtime, market: MarketWriter) -> None:
    """The reader maps memory read-only; a tick that leaves the status as it was is no change."""
    with Segment.attach_current(runtime) as segment:
        living = segment.arrays.living
        for state, expected in ((STATUS_TRADING, 0), (STATUS_DELISTED, 1), (STATUS_DELISTED, 1), (STATUS_TRADING, 2)):
            market.apply(tick_batch([1], [1.0], NOON, status=state), 1)
            assert status.status_changes(living) == expected
        del living
