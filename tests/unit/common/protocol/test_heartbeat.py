import numpy as np
import pytest

from tests.support.markets.markets import open_market
from tickflag.common.protocol import heartbeat
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import HEARTBEAT, LIVING_WORDS
from tickflag.common.segment.segment import Segment

pytestmark = pytest.mark.usefixtures("kernels")


def test_the_last_beat_stands() -> None:
    """Each beat takes the place of the one before, and changes no other word."""
    living = np.zeros(LIVING_WORDS, np.int64)
    for now_ns in (5, 7):
        heartbeat.beat(living, now_ns)
        assert heartbeat.last_beat(living) == living[HEARTBEAT] == living.sum() == now_ns


def test_a_reader_sees_the_feed_beat(runtime: Runtime) -> None:
    """On memory that is mapped read-only."""
    with open_market(runtime, capacity=2, depth=1, symbols=2) as market:
        market.beat(9)
        with Segment.attach_current(runtime) as segment:
            assert heartbeat.last_beat(segment.arrays.living) == 9
