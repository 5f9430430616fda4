"""Rule: who has a feature flag on, at one moment. Kill switch > force > owner > percentage > default.

Ramping only adds: each arm of a flag owns a fixed range of the buckets, and of it as many from its start as the
percentage says. A higher percentage takes in more, drops nobody and moves nobody to another arm.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.flags.buckets import BUCKETS, Percentage, bucket, points
from common.messages import Name

Reason = Literal["killed", "forced", "owner", "percentage", "no identity", "default"]


class Decision(NamedTuple):
    """What a flag is for an identity, and why."""

    value: bool
    reason: Reason
    bucket: int | None = None
    """Where it was asked for."""
    arm: str | None = None
    """The arm that the bucket lies in."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Arm(Part):
    """A part of the buckets for one variant of an experiment."""

    name: Name
    share: Annotated[Percentage, Field(gt=0)]
    """Percent of all buckets, of which the flag's percentage then takes its part."""
    value: bool = True


ON = Arm(name="on", share=100.0)
"""The only arm of a flag that names none."""


class Rule(Part):
    """As it is compiled, and travels in the control state."""

    model_config = ConfigDict(extra="ignore")

    default: bool
    killed: bool = False
    """Off for everybody, whatever else is said."""
    force: dict[Name, bool] = {}
    """Trader (or symbol, for flags by symbol) -> value."""
    owners: dict[Name, bool] = {}
    """Owner of traders -> value."""
    percentage: Percentage | None = None
    """Share of the identities that have it on; the rest has it off. None: the default counts."""
    arms: tuple[Arm, ...] = ()

    @model_validator(mode="after")
    def _arms_fit(self) -> Self:
        if len({arm.name for arm in self.arms}) != len(self.arms):
            raise ValueError("field `arms`: a name is there twice")
        if sum(points(arm.share) for arm in self.arms) > BUCKETS:
            raise ValueError("field `arms`: the shares add up to more than 100")
        return self

    def decide(self, flag: str, identity: str, owner: str = "") -> Decision:
        """What the flag is for an identity. At 0 and 100 percent of a flag without arms, no identity is needed;
        otherwise one without is given the default."""
        if self.killed:
            return Decision(False, "killed")
        if identity in self.force:
            return Decision(self.force[identity], "forced")
        if owner in self.owners:
            return Decision(self.owners[owner], "owner")
        if self.percentage is None:
            return Decision(self.default, "default")
        if self.percentage == 0 or (self.percentage == 100 and not self.arms):
            return Decision(self.percentage == 100, "percentage")
        if not identity:
            return Decision(self.default, "no identity")
        place = bucket(flag, identity)
        for arm, start, end in self.ranges():
            if start <= place < end:
                return Decision(arm.value, "percentage", place, arm.name)
        return Decision(False, "percentage", place)

    def ranges(self) -> Iterator[tuple[Arm, int, int]]:
        """Each arm with its first bucket and the one behind its last that the percentage takes in."""
        start, share = 0, points(self.percentage or 0.0)
        for arm in self.arms or (ON,):
            width = points(arm.share)
            yield arm, start, start + width * share // BUCKETS
            start += width
