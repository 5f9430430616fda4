import time

from common.clock import Clock, ReplayClock, SystemClock


def test_the_system_clock_shows_the_systems_time() -> None:
    """Decisions get the monotonic clock, payload the UTC one."""
    clock: Clock = SystemClock()
    before = time.monotonic_ns(), time.time_ns()
    monotonic_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
    assert before[0] <= monotonic_ns <= time.monotonic_ns()
    assert before[1] <= wall_ns <= time.time_ns()


def test_the_replay_clock_stands_until_it_is_moved() -> None:
    """Both times of a replay are the recording's."""
    clock = ReplayClock(5)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (5, 5)
    clock.now_ns = 7
    assert (clock.monotonic_ns(), clock.wall_ns()) == (7, 7)
