"""For which symbols the rate limit counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from common.codec import encode
from common.flags.buckets import bucket
from common.messages import Control
from common.runtime import Runtime
from common.sockets import CONTROL_IN, CONTROL_OUT, Context, Socket, open_socket
from services.feed.growth import grown
from services.feed.limits import FLAG, RateLimits
from services.feed.market import Market
from tests.support.folders import runtime_folder
from tests.support.markets import open_market, swap, tick_batch

NAMES = [f"S{number}" for number in range(200)]


class Channel:
    """The control state's socket, both ends."""

    def __init__(self, context: Context, runtime: Runtime) -> None:
        self._out = open_socket(context, runtime, CONTROL_OUT)
        self.socket: Socket = open_socket(context, runtime, CONTROL_IN)
        while not self.socket.poll(10):
            self._out.send(encode(Control(state_version=1, time_ms=1)))

    def tell(self, limits: RateLimits, features: dict[str, Any]) -> bool:
        """Publish a state and have it taken, whatever came before."""
        self._out.send(encode(Control(state_version=2, time_ms=2, features=features)))
        assert self.socket.poll(10_000)
        return limits.look()


@pytest.fixture
def channel() -> Iterator[Channel]:
    context: Context = zmq.Context()
    with runtime_folder() as runtime:
        yield Channel(context, runtime)
        context.destroy(0)


def test_it_counts_for_all_unless_somebody_says_otherwise(channel: Channel) -> None:
    """The same state again is no change; a percentage takes symbols by their bucket."""
    limits = RateLimits(channel.socket, {})
    limits.look()
    assert not limits.look()
    assert limits.counts("S1")
    assert limits.mask(NAMES).all()
    half = {FLAG: {"default": True, "percentage": 50, "force": {"S0": True, "S1": False}}}
    assert channel.tell(limits, half)
    expected = [bucket(FLAG, name) < 50_000 for name in NAMES]
    expected[:2] = [True, False]
    assert limits.mask(NAMES).tolist() == expected
    assert [limits.counts(name) for name in NAMES] == expected
    assert not channel.tell(limits, half)
    assert not channel.tell(limits, half | {"audit": {"default": False}})
    assert channel.tell(limits, {})
    assert limits.mask(NAMES).all()


def test_the_setting_counts_until_a_state_comes(channel: Channel) -> None:
    """For whoever starts before the collector."""
    limits = RateLimits(channel.socket, {FLAG: False, "audit": True})
    assert not limits.counts("S1")
    assert channel.tell(limits, {})
    assert limits.counts("S1")


def test_what_cannot_be_understood_changes_nothing(channel: Channel) -> None:
    """As if it had not come."""
    limits = RateLimits(channel.socket, {FLAG: False})
    limits.look()
    assert channel.tell(limits, {FLAG: {"default": False}})
    assert not channel.tell(limits, {FLAG: {"default": "?"}})
    assert not limits.counts("S1")


class TestMarket:
    @pytest.fixture
    def runtime(self) -> Iterator[Runtime]:
        with runtime_folder() as runtime:
            yield runtime

    @pytest.fixture
    def market(self, runtime: Runtime) -> Iterator[Market]:
        """Two symbols, of which each is announced at most once in 100 ns."""
        with open_market(runtime, capacity=2, rate_limit_ns=100, symbols=2) as market:
            yield market

    @staticmethod
    def _flagged(market: Market, now_ns: int) -> int:
        """Both symbols tick; gives how many are announced at once."""
        market.apply(tick_batch([0, 1], [1.0, 1.0]), now_ns)
        return sum(event.flagged for event in swap(market) if event.channel == "ticker")

    def test_only_where_it_counts_announcements_wait(self, market: Market) -> None:
        """Each symbol by itself."""
        assert self._flagged(market, 1_000) == 2
        assert self._flagged(market, 1_010) == 0
        market.limit(np.array([1, 0], np.uint8), 1_020)
        swap(market)
        assert self._flagged(market, 1_030) == 1
        market.limit(np.array([1, 1], np.uint8), 1_040)
        swap(market)
        assert self._flagged(market, 1_050) == 0

    def test_what_was_put_off_is_announced_when_it_changes(self, market: Market) -> None:
        """No limit is left that would be over; the same limits again announce nothing."""
        self._flagged(market, 1_000)
        self._flagged(market, 1_010)
        market.limit(np.array([1, 1], np.uint8), 1_020)
        assert (market.dirty, market.next_due_ns()) == (False, 1_100)
        market.limit(np.array([0, 1], np.uint8), 1_030)
        assert market.next_due_ns() == 0
        assert [event.flagged for event in swap(market)] == [2]

    def test_growth_keeps_it(self, runtime: Runtime, market: Market) -> None:
        market.limit(np.array([0, 1], np.uint8), 1_000)
        after = grown(market, runtime)
        assert after.state.limited.tolist() == [0, 1, 1, 1]
        after.segment.close()
