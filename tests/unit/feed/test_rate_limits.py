"""The symbols for which the rate limit counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from tests.support.markets.markets import open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag.common.flags import SYMBOL_RATE_LIMIT
from tickflag.common.flags.buckets import bucket
from tickflag.common.runtime import Runtime
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Control
from tickflag.common.wire.sockets import CONTROL_IN, CONTROL_OUT, Context, Socket, open_socket
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import NEXT_DUE
from tickflag.services.feed.rate_limits import RateLimits

NAMES = [f"S{number}" for number in range(200)]


class Channel:
    """Both ends of the socket of the control state."""

    def __init__(self, context: Context, runtime: Runtime) -> None:
        self._out = open_socket(context, runtime, CONTROL_OUT)
        self.socket: Socket = open_socket(context, runtime, CONTROL_IN)
        while not self.socket.poll(10):
            self._out.send(encode(Control(state_version=1, time_ms=1)))

    def tell(self, limits: RateLimits, features: dict[str, Any]) -> bool:
        """Publish a state and let `limits` follow it; gives whether the rule changed."""
        self._out.send(encode(Control(state_version=2, time_ms=2, features=features)))
        assert self.socket.poll(10_000)
        return limits.refresh()


@pytest.fixture
def channel() -> Iterator[Channel]:
    context: Context = zmq.Context()
    with runtime_folder() as runtime:
        yield Channel(context, runtime)
        context.destroy(0)


def test_it_counts_for_all_unless_somebody_says_otherwise(channel: Channel) -> None:
    """The same state again is no change. A percentage chooses symbols by their buckets."""
    limits = RateLimits(channel.socket, {})
    limits.refresh()
    assert not limits.refresh()
    assert limits.counts("S1")
    assert limits.mask(NAMES).all()
    half = {SYMBOL_RATE_LIMIT: {"default": True, "percentage": 50, "force": {"S0": True, "S1": False}}}
    assert channel.tell(limits, half)
    expected = [bucket(SYMBOL_RATE_LIMIT, name) < 50_000 for name in NAMES]
    expected[:2] = [True, False]
    assert limits.mask(NAMES).tolist() == expected
    assert [limits.counts(name) for name in NAMES] == expected
    assert not channel.tell(limits, half)
    assert not channel.tell(limits, half | {"audit": {"default": False}})
    assert channel.tell(limits, {})
    assert limits.mask(NAMES).all()


def test_the_setting_counts_until_a_state_comes(channel: Channel) -> None:
    """A feed that starts before the collector uses the setting."""
    limits = RateLimits(channel.socket, {SYMBOL_RATE_LIMIT: False, "audit": True})
    assert not limits.counts("S1")
    assert channel.tell(limits, {})
    assert limits.counts("S1")


def test_what_cannot_be_understood_changes_nothing(channel: Channel) -> None:
    """A state with an invalid rule is dropped."""
    limits = RateLimits(channel.socket, {SYMBOL_RATE_LIMIT: False})
    limits.refresh()
    assert channel.tell(limits, {SYMBOL_RATE_LIMIT: {"default": False}})
    assert not channel.tell(limits, {SYMBOL_RATE_LIMIT: {"default": "?"}})
    assert not limits.counts("S1")


class TestMarket:
    @pytest.fixture
    def runtime(self) -> Iterator[Runtime]:
        with runtime_folder() as runtime:
            yield runtime

    @pytest.fixture
    def market(self, runtime: Runtime) -> Iterator[MarketWriter]:
        """Two symbols, each announced at most once in 100 ns."""
        with open_market(runtime, capacity=2, rate_limit_ns=100, symbols=2) as market:
            yield market

    @staticmethod
    def _flagged(market: MarketWriter, now_ns: int) -> int:
        """Let both symbols tick; gives how many are announced at once."""
        market.apply(tick_batch([0, 1], [1.0, 1.0]), now_ns)
        return sum(event.flagged for event in swap(market) if event.channel == "ticker")

    def test_only_where_it_counts_announcements_wait(self, market: MarketWriter) -> None:
        """The limit counts for each symbol separately."""
        assert self._flagged(market, 1_000) == 2
        assert self._flagged(market, 1_010) == 0
        market.limit(np.array([1, 0], np.uint8), 1_020)
        swap(market)
        assert self._flagged(market, 1_030) == 1
        market.limit(np.array([1, 1], np.uint8), 1_040)
        swap(market)
        assert self._flagged(market, 1_050) == 0

    def test_what_was_put_off_is_announced_when_it_changes(self, market: MarketWriter) -> None:
        """No limit will end for such an announcement, so a change of the limits makes it. The same limits announce
        nothing."""
        self._flagged(market, 1_000)
        self._flagged(market, 1_010)
        market.limit(np.array([1, 1], np.uint8), 1_020)
        assert (market.dirty, market.pending[NEXT_DUE]) == (False, 1_100)
        market.limit(np.array([0, 1], np.uint8), 1_030)
        assert market.pending[NEXT_DUE] == 0
        assert [event.flagged for event in swap(market)] == [2]

    def test_growth_keeps_it(self, runtime: Runtime, market: MarketWriter) -> None:
        market.limit(np.array([0, 1], np.uint8), 1_000)
        after = grown(market, runtime)
        assert after.state.limited.tolist() == [0, 1, 1, 1]
        after.segment.close()
