"""The turn policy against two plain ones: of a feed led by the clock, and of a replay led by its recording.

Each policy drives a market of its own with the same updates at the same times; then the segments must hold the same
bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.markets.markets import MINUTE, NOON, memory, open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import DAY_HOUR, NEXT_DUE
from tickflag.services.feed.turn import NEVER_NS, Turns, TurnStep, next_step

SYMBOLS = 3
INTERVALS_S = (40, 60)
STEP_NS = 20 * NS_PER_S  # every candle ends at a multiple of it


class Rules(NamedTuple):
    """The settings of a policy."""

    min_swap_ns: int
    rate_limit_ns: int
    watermark_ns: int


class TurnInput(NamedTuple):
    """What comes before a turn: time passes, symbols trade."""

    wait_ns: int
    event_wait_ns: int
    """How far the event time moves, where the driver does not set it."""
    slots: list[int]
    lag_ns: int
    """How much older the trades are than the event time."""


_rules = st.builds(
    Rules,
    min_swap_ns=st.sampled_from([0, 100 * NS_PER_MS, 10 * NS_PER_S]),
    rate_limit_ns=st.sampled_from([0, 5 * NS_PER_S]),
    watermark_ns=st.sampled_from([0, 2 * NS_PER_S]),
)
_waits = st.sampled_from([1, 50 * NS_PER_MS, 100 * NS_PER_MS, 3 * NS_PER_S, 5 * NS_PER_S, STEP_NS - 1, MINUTE])
_moments = st.lists(
    st.builds(
        TurnInput,
        wait_ns=_waits,
        event_wait_ns=_waits | st.sampled_from([0, -NS_PER_S]),
        slots=st.lists(st.integers(0, SYMBOLS - 1), max_size=3),
        lag_ns=st.sampled_from([0, NS_PER_S, MINUTE]),
    ),
    max_size=30,
)


class SwappedMarket:
    """A market of the test's own and the swaps it was made to do."""

    def __init__(self, market: MarketWriter) -> None:
        self.market = market
        self.swaps: list[Any] = []

    def swap(self, now_ns: int) -> int:
        events = swap(self.market, now_ns)
        self.swaps += [event.model_copy(update={"segment": "", "generation": 0}) for event in events]
        return len(events)

    def state(self) -> tuple[Any, ...]:
        return memory(self.market.segment), self.swaps, list(self.market.pending)


class ClockPolicy:
    """The service's turns in plain words: announce, close, swap; each step when it is due, and at most once."""

    def __init__(self, swapped: SwappedMarket, min_swap_ns: int) -> None:
        self._swapped, self._min_swap_ns = swapped, min_swap_ns
        self._swapped_ns = -min_swap_ns
        self._watermark_due_ns = 0

    def turn(self, now_ns: int, event_ns: int) -> int:
        market = self._swapped.market
        due_ns = market.pending[NEXT_DUE]
        if due_ns and due_ns <= now_ns:
            market.announce_due(now_ns)
        if event_ns >= self._watermark_due_ns:
            market.close_due(event_ns, now_ns)
            self._watermark_due_ns = market.next_watermark_ns(event_ns)
        if now_ns - self._swapped_ns >= self._min_swap_ns and market.dirty:
            self._swapped.swap(now_ns)
            self._swapped_ns = now_ns
        due = [NEVER_NS]
        if market.pending[NEXT_DUE]:
            due.append(market.pending[NEXT_DUE])
        if market.dirty:
            due.append(self._swapped_ns + self._min_swap_ns)
        return min(due)


class RecordingPolicy:
    """The replay's turns in plain words: the same steps, with the watermark among the timers. Candles close from the
    first watermark after the first row on."""

    def __init__(self, swapped: SwappedMarket, min_swap_ns: int, first_ns: int) -> None:
        self._swapped, self._min_swap_ns = swapped, min_swap_ns
        self._swapped_ns = -NEVER_NS
        self._watermark_due_ns = swapped.market.next_watermark_ns(first_ns)

    def turn(self, now_ns: int) -> None:
        market = self._swapped.market
        if market.pending[NEXT_DUE] and market.pending[NEXT_DUE] <= now_ns:
            market.announce_due(now_ns)
        if now_ns >= self._watermark_due_ns:
            market.close_due(now_ns, now_ns)
            self._watermark_due_ns = market.next_watermark_ns(now_ns)
        if market.dirty and now_ns - self._swapped_ns >= self._min_swap_ns:
            self._swapped.swap(now_ns)
            self._swapped_ns = now_ns

    def timer_ns(self) -> int:
        market = self._swapped.market
        due = [self._watermark_due_ns]
        if market.pending[NEXT_DUE]:
            due.append(market.pending[NEXT_DUE])
        if market.dirty:
            due.append(self._swapped_ns + self._min_swap_ns)
        return min(due)


@contextmanager
def _two_markets(rules: Rules) -> Iterator[tuple[SwappedMarket, SwappedMarket]]:
    with runtime_folder() as first, runtime_folder() as second:
        arguments = {
            "capacity": SYMBOLS, "symbols": SYMBOLS, "intervals_s": INTERVALS_S,
            "rate_limit_ns": rules.rate_limit_ns, "watermark_ns": rules.watermark_ns,
        }  # fmt: skip
        with open_market(first, **arguments) as one, open_market(second, **arguments) as other:  # type: ignore[arg-type]
            yield SwappedMarket(one), SwappedMarket(other)


def _trade(sides: tuple[SwappedMarket, ...], slots: list[int], event_ns: int, now_ns: int) -> None:
    if slots:
        for side in sides:
            side.market.apply(tick_batch(slots, [1.0] * len(slots), event_ns), now_ns)


@settings(deadline=None, max_examples=150)
@given(rules=_rules, moments=_moments)
def test_led_by_a_clock_it_is_the_plain_policy(rules: Rules, moments: list[TurnInput]) -> None:
    """After every turn the segments, the swap events and the time of the next turn are the same, though the event time
    jumps, rests or goes back at times."""
    with _two_markets(rules) as (ours, plain):
        turns, policy = Turns(rules.min_swap_ns, ours.swap), ClockPolicy(plain, rules.min_swap_ns)
        now_ns, event_ns = NS_PER_S, NOON
        for moment in moments:
            now_ns += moment.wait_ns
            event_ns += moment.event_wait_ns
            _trade((ours, plain), moment.slots, event_ns - moment.lag_ns, now_ns)
            assert turns.run(ours.market, now_ns, event_ns) == policy.turn(now_ns, event_ns)
            assert ours.state() == plain.state()


@settings(deadline=None, max_examples=150)
@given(rules=_rules, moments=_moments)
def test_led_by_a_recording_it_is_the_plain_policy(rules: Rules, moments: list[TurnInput]) -> None:
    """After every turn, also those of timers between rows, the segments, the swap events and the next timer are the
    same.

    The policies differ in two ways. The plain one leaves candles alone until the first watermark after the first row;
    the first turn of ours closes what is due then, as the feed does, so the first row here is not a late one. And ours
    leaves the watermark to the driver, because the event time of a feed is not its clock. Here it is, so the next timer
    is the earlier one of both.
    """
    with _two_markets(rules) as (ours, plain):
        turns, policy = Turns(rules.min_swap_ns, ours.swap), RecordingPolicy(plain, rules.min_swap_ns, NOON)
        _trade((ours, plain), [0], NOON, NOON)
        due_ns = turns.run(ours.market, NOON, NOON)
        policy.turn(NOON)
        plain.market.state.meta[DAY_HOUR] = ours.market.state.meta[DAY_HOUR]  # ours has looked at the clock
        now_ns = NOON
        for moment in moments:
            rows_ns = now_ns + moment.wait_ns
            while (timer_ns := min(due_ns, turns.watermark_ns)) <= rows_ns:
                assert timer_ns == policy.timer_ns() > now_ns
                now_ns = timer_ns
                due_ns = turns.run(ours.market, now_ns, now_ns)
                policy.turn(now_ns)
                assert ours.state() == plain.state()
            now_ns = rows_ns
            _trade((ours, plain), moment.slots, now_ns - moment.lag_ns, now_ns)
            due_ns = turns.run(ours.market, now_ns, now_ns)
            policy.turn(now_ns)
            assert ours.state() == plain.state()


_times = st.integers(1, 12)


@settings(deadline=None)
@given(
    announcement_ns=st.just(0) | _times, watermark_ns=_times, dirty=st.integers(0, 1), swap_free_ns=_times,
    now_ns=_times, event_ns=_times,
)  # fmt: skip
def test_the_next_turn_is_the_first_time_with_something_to_do(
    announcement_ns: int, watermark_ns: int, dirty: int, swap_free_ns: int, now_ns: int, event_ns: int
) -> None:
    """As long as the event time stands still, a step is due at the time given, and none before it."""

    def step(at_ns: int) -> tuple[TurnStep, int]:
        return next_step(announcement_ns, watermark_ns, dirty, swap_free_ns, at_ns, event_ns)

    now, due_ns = step(now_ns)
    if now is TurnStep.SWAP:  # the swap takes the flags
        dirty = 0
    elif now is not TurnStep.WAIT:
        assert due_ns == now_ns
        return
    if event_ns < watermark_ns:
        assert due_ns > now_ns
        assert due_ns == NEVER_NS or step(due_ns)[0] is not TurnStep.WAIT
        assert all(step(at_ns)[0] is TurnStep.WAIT for at_ns in range(now_ns, min(due_ns, 14)))
