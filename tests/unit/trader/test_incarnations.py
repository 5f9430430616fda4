"""Incarnations grow with every start, whatever the clock does."""

from pathlib import Path

import pytest

from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.common.units import NS_PER_MS, NS_PER_S, S_PER_DAY, S_PER_HOUR
from tickflag.common.wire.messages import INCARNATION_LEAP
from tickflag.services.trader.incarnations import Incarnations
from tickflag.services.trader.supervisor.saved_traders import SavedTraders

NOW_NS = 20_000 * S_PER_DAY * NS_PER_S


def life(path: Path, now_ns: int = NOW_NS) -> Incarnations:
    """A start of the service."""
    return Incarnations(SavedTraders(path), ManualClock(now_ns))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traders.json"


def test_they_grow_over_restarts_while_the_clock_goes_back(path: Path) -> None:
    """A day, an hour, to 1970: the clock gives the first life only."""
    numbers: list[int] = []
    for back_ns in (0, S_PER_DAY * NS_PER_S, S_PER_HOUR * NS_PER_S, NOW_NS):
        incarnations = life(path, NOW_NS - back_ns)
        numbers += [incarnations.next(0), incarnations.next(numbers[-1] if numbers else 0)]
    assert numbers == sorted(set(numbers))


def test_the_first_one_lies_above_those_of_earlier_versions(path: Path) -> None:
    """These were milliseconds of the clock; it is not above by more than a collector takes that knows none."""
    assert NOW_NS // NS_PER_MS < life(path).next(0) < INCARNATION_LEAP
    path.unlink()
    assert life(path, 1_000 * NOW_NS).next(0) < INCARNATION_LEAP


def test_a_file_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    """Within a life the numbers grow; after it the collector says which it knows."""
    incarnations = life(tmp_path / "missing" / "traders.json")
    assert incarnations.next(0) < incarnations.next(0)


def test_the_known_one_is_exceeded_now_and_after_a_restart(path: Path) -> None:
    """As far as a forged message may have taken it."""
    incarnations = life(path)
    mine = incarnations.next(0)
    assert not incarnations.must_change(mine, mine)
    assert not incarnations.must_change(mine, mine - 1)
    for known in (mine + 1, 1 << 62):
        assert incarnations.must_change(mine, known)
        mine = incarnations.next(known)
        assert known < mine <= known + INCARNATION_LEAP
        assert not incarnations.must_change(mine, known)
    assert life(path).next(0) > mine


def test_a_collector_that_knows_little_is_followed_down(path: Path) -> None:
    """Its journal was moved away: there the numbers begin low, for that trader."""
    incarnations = life(path)
    incarnations.must_change(1, 1 << 62)
    mine = incarnations.next(1 << 62)
    assert incarnations.must_change(mine, 7)
    assert incarnations.next(7) == 8
    assert incarnations.next(mine) > mine
