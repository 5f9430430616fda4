"""The match log: how its columns grow, and when a return is settled."""

import numpy as np

from tickflag.services.replay.study.match_log import MatchLog


def test_many_entries_keep_their_order_and_returns() -> None:
    """The log grows beyond its first size; every entry is settled once, with the prices of its time."""
    entries = MatchLog(1, 4, [10, 1_000], np.zeros(4, np.int64))
    for n in range(5_000):
        entries.resolve(n, np.full(4, float(n)))
        entries.enter(0, n % 4, n, float(n + 1), False)
        entries.leave(0, n % 4, n, float(n + 2))
    assert entries.rows["entered_ns"].tolist() == list(range(5_000))
    assert (entries.rows["left_ns"] == entries.rows["entered_ns"]).all()
    assert entries.settled == [4_989, 3_999]
    begin = np.arange(4_989)
    assert np.allclose(entries.returns[:4_989, 0], (begin + 11) / (begin + 1) - 1)
    assert np.isnan(entries.returns[4_989:, 0]).all()
    assert np.isnan(entries.returns[3_999:, 1]).all()


def test_a_horizon_that_ends_now_waits_for_the_prices_of_now() -> None:
    """A horizon is settled when it ends before the present time."""
    entries = MatchLog(1, 1, [10], np.zeros(1, np.int64))
    entries.enter(0, 0, 100, 1.0, False)
    entries.resolve(110, np.array([5.0]))
    assert entries.settled == [0]
    entries.resolve(111, np.array([2.0]))
    assert entries.settled == [1]
    assert entries.returns.tolist() == [[1.0]]


def test_standing_ones_have_no_return() -> None:
    """Nobody saw when such matches entered."""
    entries = MatchLog(1, 2, [10], np.zeros(2, np.int64))
    entries.enter(0, 0, 100, 1.0, True)
    entries.enter(0, 1, 100, 1.0, False)
    entries.resolve(200, np.array([2.0, 2.0]))
    assert np.isnan(entries.returns[0, 0])
    assert entries.returns[1, 0] == 1.0
