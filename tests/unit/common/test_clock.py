import time

from tickflag.common.clock import Clock, SystemClock


def test_the_system_clock_shows_the_systems_time() -> None:
    """Decisions get the monotonic clock, messages the UTC one."""
    clock: Clock = SystemClock()
    before = time.monotonic_ns(), time.time_ns()
    monotonic_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
    assert before[0] <= monotonic_ns <= time.monotonic_ns()
    assert before[1] <= wall_ns <= time.time_ns()
