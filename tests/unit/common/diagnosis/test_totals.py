"""Totals: sums that only grow, and what they did lately."""

from typing import Any

import pytest

from tickflag.common.diagnosis.totals import TRADER_COUNTS, Recent, TraderTotals, ratio


def _line(name: str, incarnation: int, processed: int) -> dict[str, Any]:
    return {"name": name, "incarnation": incarnation, **dict.fromkeys(TRADER_COUNTS, 0), "processed": processed}


def test_a_worker_that_begins_anew_takes_nothing_back() -> None:
    """The sum goes on where the counts of an incarnation begin at 0, and where a trader goes."""
    totals = TraderTotals()
    counts = [
        totals.add([_line("a", 1, 10), _line("b", 1, 5)])["processed"],
        totals.add([_line("a", 1, 14), _line("b", 1, 5)])["processed"],
        totals.add([_line("a", 2, 3), _line("b", 1, 6)])["processed"],
        totals.add([_line("b", 1, 6)])["processed"],
        totals.add([_line("a", 2, 4), _line("b", 1, 6)])["processed"],
    ]
    assert counts == [15, 19, 23, 23, 24]


def test_growth_over_a_time() -> None:
    """From the newest reading that is old enough, else the oldest there is."""
    recent = Recent(10.0)
    assert recent.over(1.0) is None
    recent.add(0.0, {"ticks": 0})
    assert recent.over(1.0) is None
    for now_s in (0.5, 1.0, 1.5, 20.0):
        recent.add(now_s, {"ticks": now_s * 10})
    assert recent.over(1.0) == (18.5, {"ticks": 185.0})
    recent.add(20.0, {"ticks": 200.0, "new": 4})
    recent.add(20.25, {"ticks": 203.0, "new": 6})
    assert recent.over(0.25) == (0.25, {"ticks": 3.0, "new": 2})
    assert recent.over(99.0) == (18.75, {"ticks": 188.0})
    assert recent.over(0.0) is None


def test_a_counter_that_went_back_began_anew() -> None:
    """Readings of before are of no use."""
    recent = Recent(10.0)
    recent.add(1.0, {"ticks": 100})
    recent.add(2.0, {"ticks": 3})
    assert recent.over(1.0) is None
    recent.add(3.0, {"ticks": 5})
    assert recent.over(1.0) == (1.0, {"ticks": 2})


def test_two_readings_at_one_time_are_no_time() -> None:
    """Nothing is divided by 0."""
    recent = Recent(10.0)
    recent.add(1.0, {"ticks": 1})
    recent.add(1.0, {"ticks": 2})
    assert recent.over(1.0) is None


@pytest.mark.parametrize(
    ("part", "whole", "found"), [(1.0, 4.0, 0.25), (0, 4, 0.0), (1, 0, None), (None, 1, None), (1, None, None)]
)
def test_ratio(part: float | None, whole: float | None, found: float | None) -> None:
    """None where there is none."""
    assert ratio(part, whole) == found
