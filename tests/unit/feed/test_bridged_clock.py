"""A clock that is stepped back, forward, by little and by much."""

from typing import cast

import pytest

from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.bridged_clock import MOST_NS, BridgedClock


class SteppedClock:
    """A clock whose wall time is off by `shift_ns`."""

    def __init__(self) -> None:
        self.now_ns, self.shift_ns = 100 * NS_PER_S, 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return 1_000_000 * NS_PER_S + self.now_ns + self.shift_ns


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def log() -> RecordedLog:
    return RecordedLog()


@pytest.fixture
def bridged(clock: SteppedClock, log: RecordedLog) -> BridgedClock:
    return BridgedClock(clock, cast(Logger, log))


def after_s(bridged: BridgedClock, clock: SteppedClock, seconds: int) -> int:
    """By how many seconds the bridged time is off, that much later."""
    clock.now_ns += seconds * NS_PER_S
    now_ns, wall_ns = bridged.read()
    assert now_ns == clock.now_ns
    return (wall_ns - 1_000_000 * NS_PER_S - now_ns) // NS_PER_S


def test_a_step_back_is_bridged_until_the_clock_has_caught_up(
    bridged: BridgedClock, clock: SteppedClock, log: RecordedLog
) -> None:
    """One line when it begins, one when it ends."""
    assert after_s(bridged, clock, 1) == 0
    clock.shift_ns = -3_600 * NS_PER_S
    assert [after_s(bridged, clock, 60) for _ in range(3)] == [0, 0, 0]
    clock.shift_ns = 0
    assert after_s(bridged, clock, 1) == 0
    assert [line for _, line, _ in log.lines] == ["clock stepped back", "clock caught up"]
    assert log.lines[0][2]["seconds"] == 3_600.0


def test_a_step_forward_is_followed(bridged: BridgedClock, clock: SteppedClock, log: RecordedLog) -> None:
    """Also out of a bridge."""
    clock.shift_ns = 3_600 * NS_PER_S
    assert after_s(bridged, clock, 1) == 3_600
    clock.shift_ns = 0
    assert after_s(bridged, clock, 1) == 3_600
    clock.shift_ns = 4_000 * NS_PER_S
    assert after_s(bridged, clock, 1) == 4_000
    assert [line for _, line, _ in log.lines] == ["clock stepped back", "clock caught up"]


def test_small_steps_and_very_large_ones_are_followed(
    bridged: BridgedClock, clock: SteppedClock, log: RecordedLog
) -> None:
    """The first are daily business, and not told."""
    clock.shift_ns = -1 * NS_PER_S
    assert after_s(bridged, clock, 1) == -1
    assert log.lines == []
    clock.shift_ns = -2 * MOST_NS
    assert after_s(bridged, clock, 1) == -2 * MOST_NS // NS_PER_S
    assert after_s(bridged, clock, 1) == -2 * MOST_NS // NS_PER_S
    assert [line for _, line, _ in log.lines] == ["clock stepped back far"]
