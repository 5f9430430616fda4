"""Ramp: a percentage that grows in steps with time, some of them only after an approval. A pure function of time."""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from common.flags.buckets import Percentage
from common.flags.rules import Part

LONGEST_S = 366 * 86_400


class Step(NamedTuple):
    """In JSON a list of these three."""

    percentage: Percentage
    hold_s: Annotated[float, Field(ge=0, le=LONGEST_S)]
    """Least time before the next step."""
    approval: bool = False
    """It is taken only after somebody approved."""


class Stage(NamedTuple):
    """Where a ramp is at a moment."""

    percentage: float | None
    """None: before the first step."""
    step: int
    """Steps taken."""
    state: Literal["holding", "waiting for approval", "halted", "done"]
    due_ms: int | None = None
    """When the next step is due."""


class Ramp(Part):
    """Times are UTC. Steps grow, so that ramping only adds."""

    started_ms: Annotated[int, Field(ge=0)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=100)]
    approved_ms: tuple[int, ...] = ()
    """When the steps with approval were approved, in their order."""
    halted_ms: int | None = None
    """From then on time stands still."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        shares = [step.percentage for step in self.steps]
        if shares != sorted(set(shares)):
            raise ValueError("field `steps`: each percentage must be above the one before")
        return self

    def at(self, now_ms: int) -> Stage:
        """Where it is at `now_ms`."""
        if self.halted_ms is not None and now_ms >= self.halted_ms:
            stage = self._at(self.halted_ms)
            return stage if stage.state == "done" else Stage(stage.percentage, stage.step, "halted")
        return self._at(now_ms)

    def _at(self, now_ms: int) -> Stage:
        approvals = iter(self.approved_ms)
        due_ms = self.started_ms
        percentage: float | None = None
        for taken, step in enumerate(self.steps):
            if step.approval:
                approved_ms = next(approvals, None)
                if due_ms <= now_ms and (approved_ms is None or approved_ms > now_ms):
                    return Stage(percentage, taken, "waiting for approval")
                due_ms = max(due_ms, approved_ms or 0)
            if due_ms > now_ms:
                return Stage(percentage, taken, "holding", due_ms)
            percentage = step.percentage
            due_ms += round(step.hold_s * 1_000)
        return Stage(percentage, len(self.steps), "done")
