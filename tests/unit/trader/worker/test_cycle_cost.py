"""Cost: when a trader counts as slow, and the reason given."""

from tickflag.common.units import NS_PER_MS
from tickflag.services.trader.worker.cycle_cost import FROM, LAST, CycleCost


def _after(cost: CycleCost, cycles: int, wall_ms: float, cpu_ms: float = 0.0, symbols: int = 7) -> str:
    for _ in range(cycles):
        cost.add(round(wall_ms * NS_PER_MS), round(cpu_ms * NS_PER_MS), symbols)
    return cost.remark()


def test_too_few_cycles_tell_nothing() -> None:
    """A trader's first passes, which cover everything, are not judged."""
    cost = CycleCost(100 * NS_PER_MS, 0.5)
    assert cost.wall_ns == cost.cpu_ns == 0
    assert _after(cost, FROM - 1, 90.0) == ""
    assert _after(cost, 1, 90.0) != ""


def test_more_than_its_share() -> None:
    """The share itself is allowed; above it the reason has time, processor time, symbols and what to do."""
    assert _after(CycleCost(100 * NS_PER_MS, 0.5), LAST, 50.0) == ""
    assert _after(CycleCost(100 * NS_PER_MS, 0.5), LAST, 50.1, 50.0) == (
        "slow: a cycle takes 50.1 ms (p95; 50 ms of processor time) of 100 ms, with 7 symbols: make the rule cheaper, "
        "watch fewer symbols, or declare a `min_interval`"
    )


def test_one_that_waits_is_told_so() -> None:
    """Where little of the time is processor time, the reason does not ask for another rule."""
    assert _after(CycleCost(100 * NS_PER_MS, 0.5), LAST, 60.0, 2.0).endswith(
        "it waits, for a lock, a file or a processor that others use"
    )


def test_the_last_cycles_count() -> None:
    """Five of the last hundred cycles may take any time, six may not; older cycles are forgotten."""
    cost = CycleCost(100 * NS_PER_MS, 0.5)
    _after(cost, LAST, 90.0)
    _after(cost, LAST - 6, 10.0)
    assert cost.wall_ns == 90 * NS_PER_MS
    assert cost.remark()
    assert _after(cost, 1, 10.0) == ""
    assert cost.wall_ns == 10 * NS_PER_MS


def test_nothing_to_compare_with() -> None:
    """Without time between cycles, or without a share, nobody is slow."""
    assert _after(CycleCost(0, 0.5), LAST, 900.0) == ""
    assert _after(CycleCost(100 * NS_PER_MS, 0.0), LAST, 900.0) == ""


def test_every_cycle_is_counted() -> None:
    """The histogram forgets none."""
    cost = CycleCost(100 * NS_PER_MS, 0.5)
    _after(cost, 3 * LAST, 2.0)
    assert sum(cost.all.buckets) == 3 * LAST
    assert cost.all.sum_ns == 3 * LAST * 2 * NS_PER_MS
