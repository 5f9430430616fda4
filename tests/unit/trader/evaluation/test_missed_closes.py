"""Every close: each candle that closed since the last evaluation is evaluated from the ring, oldest first."""

from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import RunnerHarness, vectorised
from tests.support.markets.markets import MINUTE, NOON, swap, tick_batch
from tickflag import Market as Shown
from tickflag.common.errors import PluginError
from tickflag.common.protocol.rows import Rows
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.missed_closes import MissedCloses
from tickflag.services.trader.evaluation.state import StateStore

NAN = float("nan")
EVERY: dict[str, Any] = {
    "channel": "1m", "candles": "1m", "look_back": 2, "columns": ("close",), "every_close": True,
    "state": {"closes": 0},
}  # fmt: skip


class CloseRule:
    """Matches where it closed higher, with the close as score; keeps what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[float], int, float]] = []
        """Symbol, closes, count and latest price, for each row of each call."""
        self.fails_at = 0.0
        """The close at which the rule raises."""

    def __call__(self, market: Shown) -> Any:
        close = market.candles.close
        for i, name in enumerate(market.symbols):
            self.asked.append((name, close[i].tolist(), int(market.candles.count[i]), float(market.last[i])))
        market.state.closes += 1
        if self.fails_at in close[:, 1]:
            raise ValueError("now")
        notes = {int(i): f"{close[i, 1]} above {close[i, 0]}" for i in np.flatnonzero(close[:, 1] > 15.0)}
        return close[:, 1] > close[:, 0], close[:, 1], notes

    def take(self) -> list[tuple[str, list[float]]]:
        """Symbols and closes of the calls since `take` was last called."""
        asked, self.asked = self.asked, []
        return [(name, closes) for name, closes, _, _ in asked]


@pytest.fixture
def rule() -> CloseRule:
    return CloseRule()


@pytest.fixture
def harness(segment: Segment, rule: CloseRule) -> RunnerHarness:
    return RunnerHarness(segment, vectorised(rule, **EVERY))


class MinuteClock:
    """Lets the minutes of a symbol pass, each with a price at which it closes."""

    def __init__(self, market: MarketWriter) -> None:
        self._market = market
        self._minute: dict[int, int] = {}

    def closes(self, slot: int, *prices: float) -> None:
        for price in prices:
            minute = self._minute.get(slot, 0)
            self._minute[slot] = minute + 1
            for event_ns in (NOON + minute * MINUTE, NOON + (minute + 1) * MINUTE):
                self._market.apply(tick_batch([slot], [price], event_ns), 1)
        swap(self._market)


@pytest.fixture
def clock(market: MarketWriter) -> MinuteClock:
    return MinuteClock(market)


def _closes(harness: RunnerHarness, slot: int) -> int:
    assert isinstance(harness.state, StateStore)
    return int(harness.state._after[slot]["closes"])


def test_each_close_that_was_missed(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """The closes come oldest first, each with the candles up to it and the newest price; the match is that of the last
    one."""
    clock.closes(3, 10.0)
    harness.step()
    clock.closes(3, 11.0, 12.0, 11.5)
    harness.step()
    assert rule.asked == [
        ("S3", [pytest.approx(NAN, nan_ok=True), 10.0], 1, 10.0),
        ("S3", [10.0, 11.0], 2, 11.5),
        ("S3", [11.0, 12.0], 2, 11.5),
        ("S3", [12.0, 11.5], 2, 11.5),
    ]
    assert harness.view.matches == {}
    assert _closes(harness, 3) == 4
    clock.closes(3, 11.0, 12.0)
    harness.step()
    assert harness.view.matches == {"S3": 12.0}
    assert (_closes(harness, 3), harness.tally.gaps, harness.tally.cycles) == (6, 0, 3)


def test_the_first_evaluation_takes_the_latest_only(
    clock: MinuteClock, harness: RunnerHarness, rule: CloseRule
) -> None:
    """Closes from before the trader knew a symbol are history."""
    clock.closes(3, 10.0, 11.0, 12.0)
    harness.step()
    assert rule.take() == [("S3", [11.0, 12.0])]
    assert (_closes(harness, 3), harness.tally.gaps) == (1, 0)


def test_symbols_that_missed_more_or_less(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """Each symbol gets its own closes in order. All end with their last one, in the same call as new or unchanged
    symbols."""
    for slot in (3, 4, 5):
        clock.closes(slot, 10.0)
    harness.step()
    rule.take()
    clock.closes(3, 11.0, 12.0, 13.0)
    clock.closes(4, 11.0)
    clock.closes(6, 20.0, 21.0)
    harness.switches.tracking = False
    harness.step()
    asked = rule.take()
    assert [closes for name, closes in asked if name == "S3"] == [[10.0, 11.0], [11.0, 12.0], [12.0, 13.0]]
    assert [name for name, _ in asked] == ["S3", "S3", "S3", "S4", "S5", "S6"]
    assert harness.view.matches == {"S3": 13.0, "S4": 11.0, "S6": 21.0}
    assert [_closes(harness, slot) for slot in (3, 4, 5, 6)] == [4, 2, 1, 1]


def test_closes_that_the_ring_lost(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """Closes whose look-back is not whole in the ring of five are left out and counted; the others are evaluated."""
    clock.closes(3, 1.0)
    harness.step()
    rule.take()
    clock.closes(3, *map(float, range(2, 9)))  # seven, of which the first three lost a candle
    harness.step()
    assert rule.take() == [("S3", [float(n - 1), float(n)]) for n in (5, 6, 7, 8)]
    assert (harness.tally.gaps, _closes(harness, 3)) == (3, 5)


def test_a_full_ring_that_lost_nothing(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """The windows of a young symbol are whole, though they are not full."""
    clock.closes(3, 1.0)
    harness.step()
    rule.take()
    clock.closes(3, 2.0, 3.0, 4.0, 5.0)
    harness.step()
    assert rule.take() == [("S3", [float(n - 1), float(n)]) for n in (2, 3, 4, 5)]
    assert harness.tally.gaps == 0


def test_young_symbols_see_what_was_there_in_time(market: MarketWriter, segment: Segment, clock: MinuteClock) -> None:
    """A window has NaN on the left, and says how many candles there were."""
    rule = CloseRule()
    harness = RunnerHarness(segment, vectorised(rule, **EVERY | {"look_back": 4}))
    clock.closes(3, 1.0)
    harness.step()
    clock.closes(3, 2.0, 3.0, 4.0, 5.0)
    harness.step()
    young = [(int(np.isnan(closes).sum()), count) for _, closes, count, _ in rule.asked]
    assert (young, harness.tally.gaps) == ([(3, 1), (2, 2), (1, 3), (0, 4), (0, 4)], 0)


def test_a_cycle_that_fails_on_the_way(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """The failed cycle leaves numbers, gaps and matches alone; the next one evaluates all its closes."""
    clock.closes(3, 1.0)
    harness.step()
    rule.take()
    clock.closes(3, *map(float, range(2, 9)))
    rule.fails_at = 6.0
    for _ in range(2):
        with pytest.raises(PluginError, match="ValueError: now"):
            harness.step()
        harness.runner.fail()
        assert (harness.tally.gaps, _closes(harness, 3), harness.view.matches) == (0, 1, {})
    rule.fails_at = 0.0
    rule.take()
    harness.step()
    assert [closes[1] for _, closes in rule.take()] == [5.0, 6.0, 7.0, 8.0]
    assert (harness.tally.gaps, _closes(harness, 3), harness.view.matches) == (3, 5, {"S3": 8.0})


def test_the_last_close_again(clock: MinuteClock, harness: RunnerHarness, rule: CloseRule) -> None:
    """A symbol that is evaluated again gets its last close alone, with the numbers from right before that close."""
    clock.closes(3, 1.0)
    harness.step()
    clock.closes(3, 2.0, 3.0)
    harness.step()
    rule.take()
    harness.switches.tracking = False
    before: list[int] = []
    asked = rule.__call__

    def watched(market: Shown) -> Any:
        before.extend(market.state.closes.tolist())
        return asked(market)

    harness.plugin._evaluate = watched
    clock.closes(4, 1.0)
    harness.step()
    assert (before, _closes(harness, 3)) == ([2, 0], 3)
    assert rule.take()[0] == ("S3", [2.0, 3.0])


def test_notes_are_those_of_the_last_close(clock: MinuteClock, harness: RunnerHarness) -> None:
    """A note on an older close is not on the match."""
    clock.closes(3, 10.0)
    harness.step()
    clock.closes(3, 16.0, 11.0, 12.0)
    harness.step()
    assert (harness.matches.scores(), harness.matches.notes) == ({"S3": 12.0}, {})
    clock.closes(3, 14.0, 16.0)
    harness.step()
    assert harness.matches.notes == {"S3": "16.0 above 14.0"}


def test_a_row_that_is_locked_at_the_second_look(
    market: MarketWriter, clock: MinuteClock, harness: RunnerHarness, rule: CloseRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row comes again in the next step, with all its closes; the others go on."""
    for slot in (3, 4):
        clock.closes(slot, 1.0)
    harness.step()
    for slot in (3, 4):
        clock.closes(slot, 2.0, 3.0)
    read = MissedCloses.read

    def locked(closes: MissedCloses, slots: Any) -> Rows:
        market.segment.arrays.versions[3] += 1
        try:
            return read(closes, slots)
        finally:
            market.segment.arrays.versions[3] -= 1

    rule.take()
    with monkeypatch.context() as patch:
        patch.setattr(MissedCloses, "read", locked)
        harness.step()
    assert [name for name, _ in rule.take()] == ["S4", "S4"]
    assert (harness.runner.owes_exact, _closes(harness, 3), _closes(harness, 4)) == (True, 1, 3)
    harness.step()
    assert rule.take() == [("S3", [1.0, 2.0]), ("S3", [2.0, 3.0])]
    assert harness.view.matches == {"S3": 3.0, "S4": 3.0}


def test_nothing_of_a_window_can_be_changed(clock: MinuteClock, segment: Segment) -> None:
    """A window is read-only as other rows are. Else a trader that writes would fail only where it missed nothing."""
    faults: list[str] = []

    def rule(market: Shown) -> Any:
        for array in (market.last, market.candles.close, market.candles.count):
            try:
                array[0] = 7
            except ValueError as error:
                faults.append(str(error))
        return market.last > 0.0

    harness = RunnerHarness(segment, vectorised(rule, **EVERY))
    clock.closes(3, 1.0)
    harness.step()
    clock.closes(3, 2.0, 3.0)
    harness.step()
    assert len(faults) == 9


def test_between_closes_there_is_nothing_to_do(
    market: MarketWriter, clock: MinuteClock, harness: RunnerHarness, rule: CloseRule
) -> None:
    """However much is traded, no pass is due and no row is read; the event that wakes other traders is on another
    channel."""
    clock.closes(0, 12.0)
    harness.step()
    rule.take()
    cycles = harness.tally.cycles
    for price in (11.0, 13.0, 14.0):
        market.apply(tick_batch(range(70), [price] * 70, NOON + MINUTE + 1), 1)
        events: list[Any] = []
        assert market.swap(events.append, 1)
        assert [event.channel for event in events] == ["ticker"]
        assert not harness.runner.pending(NOON)
        assert harness.runner.due_ns() is None
        harness.step()
    assert rule.take() == []
    assert harness.tally.cycles == cycles
    clock.closes(0, 15.0)
    assert harness.runner.pending(NOON)
