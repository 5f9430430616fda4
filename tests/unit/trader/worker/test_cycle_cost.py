"""Cost: when a trader counts as slow, and what it is told."""

from services.trader.cost import FROM, LAST, Cost

MS = 1_000_000


def _after(cost: Cost, cycles: int, wall_ms: float, cpu_ms: float = 0.0, symbols: int = 7) -> str:
    for _ in range(cycles):
        cost.add(round(wall_ms * MS), round(cpu_ms * MS), symbols)
    return cost.remark()


def test_too_few_cycles_tell_nothing() -> None:
    """A trader is not judged by its first passes, which are over everything."""
    cost = Cost(100 * MS, 0.5)
    assert cost.wall_ns == cost.cpu_ns == 0
    assert _after(cost, FROM - 1, 90.0) == ""
    assert _after(cost, 1, 90.0) != ""


def test_more_than_its_share() -> None:
    """The share itself is allowed; above it the reason has time, processor time, symbols and what to do."""
    assert _after(Cost(100 * MS, 0.5), LAST, 50.0) == ""
    assert _after(Cost(100 * MS, 0.5), LAST, 50.1, 50.0) == (
        "slow: a cycle takes 50.1 ms (p95; 50 ms of processor time) of 100 ms, with 7 symbols: make the rule cheaper, "
        "watch fewer symbols, or declare a `min_interval`"
    )


def test_one_that_waits_is_told_so() -> None:
    """Where little of the time is its own, another rule would not help."""
    assert _after(Cost(100 * MS, 0.5), LAST, 60.0, 2.0).endswith(
        "it waits, for a lock, a file or a processor that others use"
    )


def test_the_last_cycles_count() -> None:
    """Five of the last hundred may take any time, six may not; what came before is forgotten."""
    cost = Cost(100 * MS, 0.5)
    _after(cost, LAST, 90.0)
    _after(cost, LAST - 6, 10.0)
    assert cost.wall_ns == 90 * MS
    assert cost.remark()
    assert _after(cost, 1, 10.0) == ""
    assert cost.wall_ns == 10 * MS


def test_nothing_to_compare_with() -> None:
    """No time between cycles, or no share: nobody is slow."""
    assert _after(Cost(0, 0.5), LAST, 900.0) == ""
    assert _after(Cost(100 * MS, 0.0), LAST, 900.0) == ""
