"""Waits after failures."""

from tickflag.services.trader.backoff import Backoff


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
    """After a million failures the wait is still the limit, and takes no longer to compute."""
    backoff = Backoff(1, 30_000_000_000)
    backoff.failures = 1_000_000
    assert backoff.failed() == 30_000_000_000
