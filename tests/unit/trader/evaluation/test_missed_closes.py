"""Every close: each candle that closed since the last evaluation is evaluated from the ring, oldest first."""

from typing import Any

import numpy as np
import pytest

from common.errors import PluginError
from common.rows import Rows
from common.segment import Segment
from common.traderapi import Market as Shown
from services.feed.market import Market
from tests.support.markets import MINUTE, NOON, swap, tick_batch
from tests.support.seats import Seat, vectorised

NAN = float("nan")
EVERY: dict[str, Any] = {
    "channel": "1m", "candles": "1m", "look_back": 2, "columns": ("close",), "every_close": True,
    "state": {"closes": 0},
}  # fmt: skip


class Record:
    """Matches where it closed higher, with the close as score; keeps what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[float], int, float]] = []
        """Symbol, closes, count and latest price, of each row of each call."""
        self.fails_at = 0.0
        """The close at which it raises."""

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
        """Symbols and closes of the calls since the last look."""
        asked, self.asked = self.asked, []
        return [(name, closes) for name, closes, _, _ in asked]


@pytest.fixture
def rule() -> Record:
    return Record()


@pytest.fixture
def seat(segment: Segment, rule: Record) -> Seat:
    return Seat(segment, vectorised(rule, **EVERY))


class Clock:
    """Lets the minutes of a symbol pass, each with a price at which it closes."""

    def __init__(self, market: Market) -> None:
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
def clock(market: Market) -> Clock:
    return Clock(market)


def _closes(seat: Seat, slot: int) -> int:
    assert seat.state is not None
    return int(seat.state._after[slot]["closes"])


def test_each_close_that_was_missed(clock: Clock, seat: Seat, rule: Record) -> None:
    """Oldest first, with the candles as of it and the newest price; the match is that of the last one."""
    clock.closes(3, 10.0)
    seat.step()
    clock.closes(3, 11.0, 12.0, 11.5)
    seat.step()
    assert rule.asked == [
        ("S3", [pytest.approx(NAN, nan_ok=True), 10.0], 1, 10.0),
        ("S3", [10.0, 11.0], 2, 11.5),
        ("S3", [11.0, 12.0], 2, 11.5),
        ("S3", [12.0, 11.5], 2, 11.5),
    ]
    assert seat.view.matches == {}
    assert _closes(seat, 3) == 4
    clock.closes(3, 11.0, 12.0)
    seat.step()
    assert seat.view.matches == {"S3": 12.0}
    assert (_closes(seat, 3), seat.tally.gaps, seat.tally.cycles) == (6, 0, 3)


def test_the_first_evaluation_takes_the_latest_only(clock: Clock, seat: Seat, rule: Record) -> None:
    """What was before the trader looked at a symbol is history."""
    clock.closes(3, 10.0, 11.0, 12.0)
    seat.step()
    assert rule.take() == [("S3", [11.0, 12.0])]
    assert (_closes(seat, 3), seat.tally.gaps) == (1, 0)


def test_symbols_that_missed_more_or_less(clock: Clock, seat: Seat, rule: Record) -> None:
    """Each gets its own closes in their order; all end with their last one, and those new or unchanged with that."""
    for slot in (3, 4, 5):
        clock.closes(slot, 10.0)
    seat.step()
    rule.take()
    clock.closes(3, 11.0, 12.0, 13.0)
    clock.closes(4, 11.0)
    clock.closes(6, 20.0, 21.0)
    seat.runner.tracking = False
    seat.step()
    asked = rule.take()
    assert [closes for name, closes in asked if name == "S3"] == [[10.0, 11.0], [11.0, 12.0], [12.0, 13.0]]
    assert [name for name, _ in asked] == ["S3", "S3", "S3", "S4", "S5", "S6"]
    assert seat.view.matches == {"S3": 13.0, "S4": 11.0, "S6": 21.0}
    assert [_closes(seat, slot) for slot in (3, 4, 5, 6)] == [4, 2, 1, 1]


def test_closes_that_the_ring_lost(clock: Clock, seat: Seat, rule: Record) -> None:
    """Those without a whole look-back in the ring of five are left out and counted; the rest is evaluated."""
    clock.closes(3, 1.0)
    seat.step()
    rule.take()
    clock.closes(3, *map(float, range(2, 9)))  # seven, of which the first three lost a candle
    seat.step()
    assert rule.take() == [("S3", [float(n - 1), float(n)]) for n in (5, 6, 7, 8)]
    assert (seat.tally.gaps, _closes(seat, 3)) == (3, 5)


def test_a_full_ring_that_lost_nothing(clock: Clock, seat: Seat, rule: Record) -> None:
    """A young symbol's windows are whole, though they are not full."""
    clock.closes(3, 1.0)
    seat.step()
    rule.take()
    clock.closes(3, 2.0, 3.0, 4.0, 5.0)
    seat.step()
    assert rule.take() == [("S3", [float(n - 1), float(n)]) for n in (2, 3, 4, 5)]
    assert seat.tally.gaps == 0


def test_young_symbols_see_what_was_there_in_time(market: Market, segment: Segment, clock: Clock) -> None:
    """NaN on the left, and how many candles there were."""
    rule = Record()
    seat = Seat(segment, vectorised(rule, **EVERY | {"look_back": 4}))
    clock.closes(3, 1.0)
    seat.step()
    clock.closes(3, 2.0, 3.0, 4.0, 5.0)
    seat.step()
    young = [(int(np.isnan(closes).sum()), count) for _, closes, count, _ in rule.asked]
    assert (young, seat.tally.gaps) == ([(3, 1), (2, 2), (1, 3), (0, 4), (0, 4)], 0)


def test_a_cycle_that_fails_on_the_way(clock: Clock, seat: Seat, rule: Record) -> None:
    """It leaves numbers, gaps and matches; the next one evaluates all of them."""
    clock.closes(3, 1.0)
    seat.step()
    rule.take()
    clock.closes(3, *map(float, range(2, 9)))
    rule.fails_at = 6.0
    for _ in range(2):
        with pytest.raises(PluginError, match="ValueError: now"):
            seat.step()
        seat.runner.fail()
        assert (seat.tally.gaps, _closes(seat, 3), seat.view.matches) == (0, 1, {})
    rule.fails_at = 0.0
    rule.take()
    seat.step()
    assert [closes[1] for _, closes in rule.take()] == [5.0, 6.0, 7.0, 8.0]
    assert (seat.tally.gaps, _closes(seat, 3), seat.view.matches) == (3, 5, {"S3": 8.0})


def test_the_last_close_again(clock: Clock, seat: Seat, rule: Record) -> None:
    """Evaluated once more, it alone is, with the numbers from right before it."""
    clock.closes(3, 1.0)
    seat.step()
    clock.closes(3, 2.0, 3.0)
    seat.step()
    rule.take()
    seat.runner.tracking = False
    before: list[int] = []
    asked = rule.__call__

    def watched(market: Shown) -> Any:
        before.extend(market.state.closes.tolist())
        return asked(market)

    seat.runner._plugin._evaluate = watched
    clock.closes(4, 1.0)
    seat.step()
    assert (before, _closes(seat, 3)) == ([2, 0], 3)
    assert rule.take()[0] == ("S3", [2.0, 3.0])


def test_notes_are_those_of_the_last_close(clock: Clock, seat: Seat) -> None:
    """One on an older close is not on the match."""
    clock.closes(3, 10.0)
    seat.step()
    clock.closes(3, 16.0, 11.0, 12.0)
    seat.step()
    assert (seat.matches.scores(), seat.matches.notes) == ({"S3": 12.0}, {})
    clock.closes(3, 14.0, 16.0)
    seat.step()
    assert seat.matches.notes == {"S3": "16.0 above 14.0"}


def test_a_row_that_is_locked_at_the_second_look(
    market: Market, clock: Clock, seat: Seat, rule: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes again in the next step, with all its closes; the others go on."""
    for slot in (3, 4):
        clock.closes(slot, 1.0)
    seat.step()
    for slot in (3, 4):
        clock.closes(slot, 2.0, 3.0)
    closes = seat.runner._closes
    assert closes is not None
    read = closes.read

    def locked(slots: Any) -> Rows:
        market.segment.arrays.versions[3] += 1
        try:
            return read(slots)
        finally:
            market.segment.arrays.versions[3] -= 1

    rule.take()
    with monkeypatch.context() as patch:
        patch.setattr(closes, "read", locked)
        seat.step()
    assert [name for name, _ in rule.take()] == ["S4", "S4"]
    assert (seat.runner.retrying, _closes(seat, 3), _closes(seat, 4)) == (True, 1, 3)
    seat.step()
    assert rule.take() == [("S3", [1.0, 2.0]), ("S3", [2.0, 3.0])]
    assert seat.view.matches == {"S3": 3.0, "S4": 3.0}


def test_nothing_of_a_window_can_be_changed(clock: Clock, segment: Segment) -> None:
    """As of any other rows: else a trader would fail only where it missed nothing."""
    faults: list[str] = []

    def rule(market: Shown) -> Any:
        for array in (market.last, market.candles.close, market.candles.count):
            try:
                array[0] = 7
            except ValueError as error:
                faults.append(str(error))
        return market.last > 0.0

    seat = Seat(segment, vectorised(rule, **EVERY))
    clock.closes(3, 1.0)
    seat.step()
    clock.closes(3, 2.0, 3.0)
    seat.step()
    assert len(faults) == 9


def test_between_closes_there_is_nothing_to_do(market: Market, clock: Clock, seat: Seat, rule: Record) -> None:
    """However much is traded: no pass is due, no row is read, and the event that wakes others is on another channel."""
    clock.closes(0, 12.0)
    seat.step()
    rule.take()
    cycles = seat.tally.cycles
    for price in (11.0, 13.0, 14.0):
        market.apply(tick_batch(range(70), [price] * 70, NOON + MINUTE + 1), 1)
        events: list[Any] = []
        assert market.swap(events.append, 1)
        assert [event.channel for event in events] == ["ticker"]
        assert not seat.runner.pending(NOON)
        assert seat.runner.due_ns() is None
        seat.step()
    assert rule.take() == []
    assert seat.tally.cycles == cycles
    clock.closes(0, 15.0)
    assert seat.runner.pending(NOON)
