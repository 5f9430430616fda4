"""The turn policy: what is due, in which order, and when something is due next."""

from collections.abc import Iterator

import pytest

from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.turn import NEVER_NS, Turns, TurnStep, next_step

NOTHING = {"announcement_ns": 0, "watermark_ns": 1_000, "dirty": 0, "swap_free_ns": 0, "now_ns": 100, "event_ns": 999}


@pytest.mark.parametrize(
    ("pending", "step", "due_ns"),
    [
        ({}, TurnStep.WAIT, NEVER_NS),
        ({"announcement_ns": 101}, TurnStep.WAIT, 101),
        ({"announcement_ns": 100}, TurnStep.ANNOUNCE, 100),
        ({"event_ns": 1_000}, TurnStep.CLOSE, 100),
        ({"swap_free_ns": 100}, TurnStep.WAIT, NEVER_NS),
        ({"dirty": 1, "swap_free_ns": 100}, TurnStep.SWAP, NEVER_NS),
        ({"dirty": 1, "swap_free_ns": 100, "announcement_ns": 110}, TurnStep.SWAP, 110),
        ({"dirty": 1, "swap_free_ns": 105}, TurnStep.WAIT, 105),
        ({"dirty": 1, "swap_free_ns": 105, "announcement_ns": 103}, TurnStep.WAIT, 103),
        ({"dirty": 1, "swap_free_ns": 105, "announcement_ns": 110}, TurnStep.WAIT, 105),
    ],
)
def test_each_step_has_its_time(pending: dict[str, int], step: TurnStep, due_ns: int) -> None:
    """Announcements go by the limit, candles by the event time, a swap by its interval and only where a flag is set."""
    assert next_step(**{**NOTHING, **pending}) == (step, due_ns)


def test_what_flags_comes_before_the_swap() -> None:
    """Announcements come first, then candles; the swap, which takes the flags of both, comes last."""
    everything = {**NOTHING, "announcement_ns": 100, "event_ns": 1_000, "dirty": 1}
    assert next_step(**everything)[0] is TurnStep.ANNOUNCE
    assert next_step(**{**everything, "announcement_ns": 0})[0] is TurnStep.CLOSE
    assert next_step(**{**everything, "announcement_ns": 0, "event_ns": 999})[0] is TurnStep.SWAP


class Recorded:
    """Turns of a market, and what their swaps announced."""

    def __init__(self, market: MarketWriter, min_swap_ns: int) -> None:
        self.market = market
        self.turns = Turns(min_swap_ns, self._swap)
        self.swaps: list[dict[str, int]] = []
        """For each swap, channel -> number of flagged symbols."""

    def trade(self, now_ns: int, event_ns: int = NOON) -> None:
        self.market.apply(tick_batch([0], [1.0], event_ns), now_ns)

    def run(self, now_ns: int, event_ns: int = NOON) -> int:
        return self.turns.run(self.market, now_ns, event_ns)

    def _swap(self, now_ns: int) -> int:
        events = swap(self.market, now_ns)
        self.swaps.append({event.channel: event.flagged for event in events})
        return len(events)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """One symbol with candles of a minute, announced at most once in 100 ns; swaps come at most once in 30 ns."""
    with (
        runtime_folder() as runtime,
        open_market(
            runtime, capacity=1, intervals_s=(60,), rate_limit_ns=100, watermark_ns=2 * NS_PER_S, symbols=1
        ) as market,
    ):
        yield Recorded(market, min_swap_ns=30)


def test_a_put_off_announcement_is_swapped_in_the_turn_that_makes_it(recorded: Recorded) -> None:
    """The first turn swaps at once; the second trade waits for its limit, and the turn gives the time."""
    recorded.trade(1_000)
    assert recorded.run(1_000) == NEVER_NS
    recorded.trade(1_010)
    assert recorded.run(1_010) == 1_100
    assert recorded.run(1_099) == 1_100
    assert recorded.run(1_100) == NEVER_NS
    assert recorded.swaps == [{"ticker": 1}, {"ticker": 1}]


def test_a_candle_is_swapped_in_the_turn_that_closes_it(recorded: Recorded) -> None:
    """The candle closes when the watermark is past its end, and once."""
    recorded.trade(1_000)
    recorded.run(1_000, NOON + 2 * NS_PER_S)
    end_ns = NOON + MINUTE + 2 * NS_PER_S
    assert recorded.turns.watermark_ns == end_ns
    recorded.run(2_000, end_ns - 1)
    assert len(recorded.swaps) == 1
    for now_ns in (3_000, 3_001):
        recorded.run(now_ns, end_ns)
    assert recorded.swaps[1:] == [{"ticker": 1, "1m": 1}]
    assert recorded.turns.watermark_ns == end_ns + MINUTE


def test_candles_that_ended_before_the_first_turn_close_in_it(recorded: Recorded) -> None:
    """Nobody knows how long ago the event time passed their ends."""
    recorded.trade(1_000, NOON - MINUTE)
    recorded.run(1_000, NOON + 2 * NS_PER_S)
    assert recorded.swaps == [{"ticker": 1, "1m": 1}]


def test_a_swap_waits_for_its_interval(recorded: Recorded) -> None:
    """The swap comes when the interval since the last one is over, with everything flagged until then."""
    recorded.trade(1_000)
    recorded.run(1_000)
    recorded.market.limit(recorded.market.state.limited * 0, 1_000)
    for now_ns in (1_010, 1_020, 1_029):
        recorded.trade(now_ns)
        assert recorded.run(now_ns) == 1_030
    assert recorded.run(1_030) == NEVER_NS
    assert len(recorded.swaps) == 2


def test_a_flush_waits_for_nothing(recorded: Recorded) -> None:
    """A flush waits neither for the limit nor for the interval. The next swap keeps its distance from it."""
    recorded.trade(1_000)
    recorded.run(1_000)
    recorded.trade(1_010)
    assert recorded.turns.flush(recorded.market, 1_015) == 1
    assert recorded.swaps == [{"ticker": 1}, {"ticker": 1}]
    assert recorded.turns.swap_free_ns == 1_045
    assert recorded.turns.flush(recorded.market, 1_020) == 0
