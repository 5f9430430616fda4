"""Ramp: a percentage that grows with time, in steps, some of which need an approval. A pure function of time."""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tickflag.common.flags.buckets import Percentage
from tickflag.common.flags.rules import Part
from tickflag.common.units import MS_PER_S, S_PER_LEAP_YEAR

LONGEST_S = S_PER_LEAP_YEAR


class RampStep(NamedTuple):
    """One step of a ramp. In JSON it is a list of these three values."""

    percentage: Percentage
    hold_s: Annotated[float, Field(ge=0, le=LONGEST_S)]
    """Least time before the next step; after the last step, before the ramp is done."""
    approval: bool = False
    """The step is taken only after somebody approved it."""


class RampStage(NamedTuple):
    """Where a ramp is at some moment."""

    percentage: float | None
    """None: before the first step."""
    step: int
    """How many steps were taken."""
    state: Literal["holding", "waiting for approval", "halted", "done"]
    due_ms: int | None = None
    """When the next step is due, or after the last step, when the ramp is done."""


class Ramp(Part):
    """The steps, and what became of them. Times are UTC. Each step is above the step before, so a ramp only adds."""

    started_ms: Annotated[int, Field(ge=0)]
    steps: Annotated[tuple[RampStep, ...], Field(min_length=1, max_length=100)]
    approved_ms: tuple[int, ...] = ()
    """When the steps that need an approval were approved, in their order."""
    halted_ms: int | None = None
    """From this time on the ramp takes no further step; None: it was not halted."""
    from_percentage: Percentage | None = None
    """What counts before the first step, where this ramp went on from one that was not done; None: it did not."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        shares = [step.percentage for step in self.steps]
        if shares != sorted(set(shares)):
            raise ValueError("field `steps`: each percentage must be above the one before")
        return self

    def at(self, now_ms: int) -> RampStage:
        """Where the ramp is at `now_ms`."""
        if self.halted_ms is not None and now_ms >= self.halted_ms:
            stage = self._at(self.halted_ms)
            return stage if stage.state == "done" else RampStage(stage.percentage, stage.step, "halted")
        return self._at(now_ms)

    def _at(self, now_ms: int) -> RampStage:
        approvals = iter(self.approved_ms)
        due_ms = self.started_ms
        percentage: float | None = None
        for taken, step in enumerate(self.steps):
            if step.approval:
                approved_ms = next(approvals, None)
                if due_ms <= now_ms and (approved_ms is None or approved_ms > now_ms):
                    return RampStage(percentage, taken, "waiting for approval")
                due_ms = max(due_ms, approved_ms or 0)
            if due_ms > now_ms:
                return RampStage(percentage, taken, "holding", due_ms)
            percentage = step.percentage
            due_ms += round(step.hold_s * MS_PER_S)
        if due_ms > now_ms:
            return RampStage(percentage, len(self.steps), "holding", due_ms)
        return RampStage(percentage, len(self.steps), "done")
