"""A percentage that grows with time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tickflag.common.flags.ramp import Ramp, RampStage, RampStep

STEPS = (RampStep(5.0, 60.0), RampStep(25.0, 3_600.0), RampStep(100.0, 0.0, True))


def test_steps_follow_one_another() -> None:
    """Each step is held for its time, to the millisecond."""
    ramp = Ramp(started_ms=1_000, steps=STEPS)
    assert ramp.at(999) == RampStage(None, 0, "holding", 1_000)
    assert ramp.at(1_000) == RampStage(5.0, 1, "holding", 61_000)
    assert ramp.at(60_999) == RampStage(5.0, 1, "holding", 61_000)
    assert ramp.at(61_000) == RampStage(25.0, 2, "holding", 3_661_000)
    assert ramp.at(3_661_000) == RampStage(25.0, 2, "waiting for approval")
    assert ramp.at(10**12) == RampStage(25.0, 2, "waiting for approval")


def test_an_approved_step_is_taken() -> None:
    """The step begins when it is approved or when its time has come, whichever is later."""
    late = Ramp(started_ms=1_000, steps=STEPS, approved_ms=(5_000_000,))
    assert late.at(4_999_999) == RampStage(25.0, 2, "waiting for approval")
    assert late.at(5_000_000) == RampStage(100.0, 3, "done")
    early = Ramp(started_ms=1_000, steps=STEPS, approved_ms=(2_000,))
    assert early.at(3_660_999) == RampStage(25.0, 2, "holding", 3_661_000)
    assert early.at(3_661_000) == RampStage(100.0, 3, "done")


def test_approvals_go_to_their_steps_in_order() -> None:
    """The first step may need approval too; its hold begins with that."""
    steps = (RampStep(1.0, 10.0, True), RampStep(2.0, 10.0), RampStep(3.0, 0.0, True))
    ramp = Ramp(started_ms=0, steps=steps)
    assert ramp.at(5) == RampStage(None, 0, "waiting for approval")
    ramp = Ramp(started_ms=0, steps=steps, approved_ms=(1_000,))
    assert ramp.at(10_999) == RampStage(1.0, 1, "holding", 11_000)
    assert ramp.at(21_000) == RampStage(2.0, 2, "waiting for approval")
    ramp = Ramp(started_ms=0, steps=steps, approved_ms=(1_000, 30_000))
    assert ramp.at(30_000) == RampStage(3.0, 3, "done")


def test_the_last_step_is_held_too() -> None:
    """The ramp is done when the time of its last step is over; halted before, it stands still."""
    ramp = Ramp(started_ms=1_000, steps=(RampStep(5.0, 60.0), RampStep(100.0, 10.0)))
    assert ramp.at(61_000) == RampStage(100.0, 2, "holding", 71_000)
    assert ramp.at(70_999) == RampStage(100.0, 2, "holding", 71_000)
    assert ramp.at(71_000) == RampStage(100.0, 2, "done")
    halted = ramp.model_copy(update={"halted_ms": 65_000})
    assert halted.at(80_000) == RampStage(100.0, 2, "halted")


def test_halted_it_stands_still() -> None:
    """The percentage stays where it was; a finished ramp stays finished."""
    ramp = Ramp(started_ms=1_000, steps=STEPS, halted_ms=30_000)
    assert ramp.at(20_000) == RampStage(5.0, 1, "holding", 61_000)
    assert ramp.at(10**9) == RampStage(5.0, 1, "halted")
    done = Ramp(started_ms=0, steps=(RampStep(5.0, 0.0),), halted_ms=10)
    assert done.at(20) == RampStage(5.0, 1, "done")


@given(
    st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=6),
    st.lists(st.integers(0, 1_000), max_size=4),
    st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
)
def test_it_only_grows_with_time(holds: list[tuple[int, bool]], approvals: list[int], times: tuple[int, int]) -> None:
    """At every `due_ms` a step begins, or waits for its approval."""
    steps = tuple(RampStep(float(number), hold / 1_000, approval) for number, (hold, approval) in enumerate(holds))
    ramp = Ramp(started_ms=100, steps=steps, approved_ms=tuple(sorted(approvals)))
    first, second = (ramp.at(time) for time in sorted(times))
    assert first.step <= second.step
    assert (first.percentage if first.percentage is not None else -1.0) == first.step - 1
    if first.due_ms is not None:
        assert first.due_ms > min(times)
        assert ramp.at(first.due_ms - 1).step == first.step
        then = ramp.at(first.due_ms)
        assert then.step > first.step or then.state in ("waiting for approval", "done")


@pytest.mark.parametrize("steps", [[], [(5, 1), (5, 1)], [(5, 1), (4, 1)], [(5, -1)], [(101, 1)], [(5,)]])
def test_wrong_steps_are_refused(steps: list[tuple[float, ...]]) -> None:
    """No step, no growth, a value out of range, an incomplete step."""
    with pytest.raises(ValidationError):
        Ramp.model_validate({"started_ms": 0, "steps": steps})
