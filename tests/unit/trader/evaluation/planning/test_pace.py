from services.trader.pace import Backoff, Pace


def test_waits_double_up_to_the_limit() -> None:
    """Each failure waits twice as long as the one before, and never longer than the limit."""
    backoff = Backoff(100, 1_000)
    assert [backoff.failed() for _ in range(6)] == [100, 200, 400, 800, 1_000, 1_000]
    assert backoff.failures == 6


def test_a_success_starts_over() -> None:
    """After a success the first wait is the shortest again."""
    backoff = Backoff(100, 1_000)
    for _ in range(3):
        backoff.failed()
    backoff.succeeded()
    assert (backoff.failures, backoff.failed()) == (0, 100)


def test_failures_without_end_do_no_harm() -> None:
    """After a million failures the wait is still the limit, and its computation is no longer than before."""
    backoff = Backoff(1, 30_000_000_000)
    backoff.failures = 1_000_000
    assert backoff.failed() == 30_000_000_000


def _changed() -> bool:
    return True


def _quiet() -> bool:
    return False


def test_without_a_pace_nothing_is_due() -> None:
    """Any time is right, and only an event brings a pass."""
    pace = Pace(0, 0)
    pace.passed(100)
    assert pace.allows(0)
    assert not pace.wants_everything(10**18)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (None, None)


def test_at_most_one_pass_in_an_interval() -> None:
    """The first is free; what changed since the last one is due at the interval's end, and without a change nothing."""
    pace = Pace(10, 0)
    assert pace.allows(0)
    pace.passed(100)
    assert [pace.allows(now_ns) for now_ns in (100, 109, 110)] == [False, False, True]
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (110, None)


def test_everything_again_and_again() -> None:
    """Counted from the last pass that was due; others in between put nothing off."""
    pace = Pace(0, 10)
    assert pace.wants_everything(0)
    pace.passed(100)
    pace.passed(105)
    assert [pace.wants_everything(now_ns) for now_ns in (100, 109, 110)] == [False, False, True]
    assert pace.due_ns(_quiet) == pace.due_ns(_changed) == 110
    pace.passed(117)
    assert pace.due_ns(_quiet) == 127


def test_an_interval_holds_for_passes_over_everything_too() -> None:
    """What is due earlier waits for the interval's end; what changed does not wait for everything."""
    pace = Pace(10, 15)
    pace.passed(100)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (110, 115)
    pace.passed(112)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (122, 122)
