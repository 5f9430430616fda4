"""A percentage that grows with time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.flags.ramp import Ramp, Stage, Step

STEPS = (Step(5.0, 60.0), Step(25.0, 3_600.0), Step(100.0, 0.0, True))


def test_steps_follow_one_another() -> None:
    """Each is held for its time, to the millisecond."""
    ramp = Ramp(started_ms=1_000, steps=STEPS)
    assert ramp.at(999) == Stage(None, 0, "holding", 1_000)
    assert ramp.at(1_000) == Stage(5.0, 1, "holding", 61_000)
    assert ramp.at(60_999) == Stage(5.0, 1, "holding", 61_000)
    assert ramp.at(61_000) == Stage(25.0, 2, "holding", 3_661_000)
    assert ramp.at(3_661_000) == Stage(25.0, 2, "waiting for approval")
    assert ramp.at(10**12) == Stage(25.0, 2, "waiting for approval")


def test_an_approved_step_is_taken() -> None:
    """When it is approved, or when its time has come: whichever is later."""
    late = Ramp(started_ms=1_000, steps=STEPS, approved_ms=(5_000_000,))
    assert late.at(4_999_999) == Stage(25.0, 2, "waiting for approval")
    assert late.at(5_000_000) == Stage(100.0, 3, "done")
    early = Ramp(started_ms=1_000, steps=STEPS, approved_ms=(2_000,))
    assert early.at(3_660_999) == Stage(25.0, 2, "holding", 3_661_000)
    assert early.at(3_661_000) == Stage(100.0, 3, "done")


def test_approvals_go_to_their_steps_in_order() -> None:
    """Also that of the first step, whose hold begins with it."""
    steps = (Step(1.0, 10.0, True), Step(2.0, 10.0), Step(3.0, 0.0, True))
    ramp = Ramp(started_ms=0, steps=steps)
    assert ramp.at(5) == Stage(None, 0, "waiting for approval")
    ramp = Ramp(started_ms=0, steps=steps, approved_ms=(1_000,))
    assert ramp.at(10_999) == Stage(1.0, 1, "holding", 11_000)
    assert ramp.at(21_000) == Stage(2.0, 2, "waiting for approval")
    ramp = Ramp(started_ms=0, steps=steps, approved_ms=(1_000, 30_000))
    assert ramp.at(30_000) == Stage(3.0, 3, "done")


def test_halted_it_stands_still() -> None:
    """At what it had reached by then; one that was done stays so."""
    ramp = Ramp(started_ms=1_000, steps=STEPS, halted_ms=30_000)
    assert ramp.at(20_000) == Stage(5.0, 1, "holding", 61_000)
    assert ramp.at(10**9) == Stage(5.0, 1, "halted")
    done = Ramp(started_ms=0, steps=(Step(5.0, 0.0),), halted_ms=10)
    assert done.at(20) == Stage(5.0, 1, "done")


@given(
    st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=6),
    st.lists(st.integers(0, 1_000), max_size=4),
    st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
)
def test_it_only_grows_with_time(holds: list[tuple[int, bool]], approvals: list[int], times: tuple[int, int]) -> None:
    """And with every `due_ms` a step is taken, or waits for its approval."""
    steps = tuple(Step(float(number), hold / 1_000, approval) for number, (hold, approval) in enumerate(holds))
    ramp = Ramp(started_ms=100, steps=steps, approved_ms=tuple(sorted(approvals)))
    first, second = (ramp.at(time) for time in sorted(times))
    assert first.step <= second.step
    assert (first.percentage if first.percentage is not None else -1.0) == first.step - 1
    if first.due_ms is not None:
        assert first.due_ms > min(times)
        assert ramp.at(first.due_ms - 1).step == first.step
        then = ramp.at(first.due_ms)
        assert then.step > first.step or then.state == "waiting for approval"


@pytest.mark.parametrize("steps", [[], [(5, 1), (5, 1)], [(5, 1), (4, 1)], [(5, -1)], [(101, 1)], [(5,)]])
def test_wrong_steps_are_refused(steps: list[tuple[float, ...]]) -> None:
    """None, not growing, out of range, incomplete."""
    with pytest.raises(ValidationError):
        Ramp.model_validate({"started_ms": 0, "steps": steps})
