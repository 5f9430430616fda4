"""When passes are made, within the limits that a trader declares."""

from tickflag.services.trader.evaluation.planning.pace import Pace


def _changed() -> bool:
    return True


def _quiet() -> bool:
    return False


def test_without_a_pace_nothing_is_due() -> None:
    """A pass is allowed at any time, and only an event brings one."""
    pace = Pace(0, 0)
    pace.passed(100)
    assert pace.allows(0)
    assert not pace.wants_everything(10**18)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (None, None)


def test_at_most_one_pass_in_an_interval() -> None:
    """The first pass is free. What changed since the last one is due at the interval's end; without a change nothing is
    due."""
    pace = Pace(10, 0)
    assert pace.allows(0)
    pace.passed(100)
    assert [pace.allows(now_ns) for now_ns in (100, 109, 110)] == [False, False, True]
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (110, None)


def test_everything_again_and_again() -> None:
    """The period counts from the last pass that was due; passes in between put nothing off."""
    pace = Pace(0, 10)
    assert pace.wants_everything(0)
    pace.passed(100)
    pace.passed(105)
    assert [pace.wants_everything(now_ns) for now_ns in (100, 109, 110)] == [False, False, True]
    assert pace.due_ns(_quiet) == pace.due_ns(_changed) == 110
    pace.passed(117)
    assert pace.due_ns(_quiet) == 127


def test_an_interval_holds_for_passes_over_everything_too() -> None:
    """A pass over everything that is due earlier waits for the interval's end; a change does not wait for such a
    pass."""
    pace = Pace(10, 15)
    pace.passed(100)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (110, 115)
    pace.passed(112)
    assert (pace.due_ns(_changed), pace.due_ns(_quiet)) == (122, 122)
