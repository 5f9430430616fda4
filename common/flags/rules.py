"""Rule: who has a feature flag on, at one moment. Kill switch > force > owner > percentage > default.

Each arm of a feature flag owns a fixed range of the buckets. The percentage covers its share of each range, from the
start of the range. So a higher percentage adds identities, drops none, and moves none to another arm.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tickflag.common.flags.buckets import BUCKETS, Percentage, bucket, points
from tickflag.common.wire.messages import Name

Reason = Literal["killed", "forced", "owner", "percentage", "no identity", "default"]


class Decision(NamedTuple):
    """The value of a feature flag for an identity, and why."""

    value: bool
    reason: Reason
    bucket: int | None = None
    """The identity's bucket, where the decision depends on it."""
    arm: str | None = None
    """The arm that the bucket lies in; None where it lies in none."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Arm(Part):
    """A fixed part of the buckets, for one variant of an experiment."""

    name: Name
    share: Annotated[Percentage, Field(gt=0)]
    """Percent of all buckets. The rule's percentage covers its part of these buckets."""
    value: bool = True


ON = Arm(name="on", share=100.0)
"""The only arm of a rule that names none."""


class Rule(Part):
    """The form in which a feature flag travels in the control state."""

    model_config = ConfigDict(extra="ignore")

    default: bool
    killed: bool = False
    """Off for everybody, whatever else the rule says."""
    force: dict[Name, bool] = {}
    """Trader (or symbol, for a feature flag by symbol) -> value."""
    owners: dict[Name, bool] = {}
    """Owner of traders -> value."""
    percentage: Percentage | None = None
    """Percent of each arm's buckets that get the arm's value; all others get False. None: the default applies."""
    arms: tuple[Arm, ...] = ()

    @model_validator(mode="after")
    def _arms_fit(self) -> Self:
        if len({arm.name for arm in self.arms}) != len(self.arms):
            raise ValueError("field `arms`: a name is there twice")
        if sum(points(arm.share) for arm in self.arms) > BUCKETS:
            raise ValueError("field `arms`: the shares add up to more than 100")
        return self

    def decide(self, flag: str, identity: str, owner: str = "") -> Decision:
        """The value for an identity, and why.

        Where the percentage decides, an empty identity gets the default, unless all identities get the same value: at 0
        percent, and at 100 percent without arms.
        """
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
        """Each arm with the buckets that the percentage covers, as the first bucket and the bucket after the last."""
        start, share = 0, points(self.percentage or 0.0)
        for arm in self.arms or (ON,):
            width = points(arm.share)
            yield arm, start, start + width * share // BUCKETS
            start += width
