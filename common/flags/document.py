"""FlagDocument: all feature flags as operators set them, with their history. JSON, versioned, checked as a whole."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from tickflag.common.errors import TickflagError
from tickflag.common.flags.buckets import Percentage
from tickflag.common.flags.catalog import BUILT_IN, FlagName, by_symbol
from tickflag.common.flags.ramp import Ramp, RampStage
from tickflag.common.flags.rules import Part, Rule
from tickflag.common.wire.messages import Text

HISTORY = 1_000


class FlagChange(NamedTuple):
    """One change of one field of a feature flag. In JSON it is a list of these values."""

    revision: int
    time_ms: int
    who: Text
    flag: FlagName
    field: Text
    before: Any
    after: Any


class Flag(Rule):
    """A feature flag's rule, and how the rule changes with time."""

    model_config = Part.model_config

    ramp: Ramp | None = None
    """Sets the percentage from its first step on. `percentage` keeps the value from before, for a roll-back; where a
    ramp went on from another, from before the first of them."""
    description: Text = ""

    @model_validator(mode="after")
    def _ramp_adds(self) -> Self:
        if self.ramp is None:
            return self
        present = self._before(self.ramp) or 0.0
        if self.ramp.steps[0].percentage < present:
            raise ValueError(
                f"field `ramp`: the first step is below the present {present:g} %: begin at it or above, roll back a "
                "ramp that goes on, or set a lower percentage first"
            )
        return self

    def changed(self, **fields: Any) -> Self:
        """The same feature flag with other values of these fields. Raises ValidationError."""
        return type(self).model_validate(self.model_dump() | fields)

    def stage(self, now_ms: int) -> RampStage | None:
        """Where the ramp is at `now_ms`; None without a ramp."""
        return None if self.ramp is None else self.ramp.at(now_ms)

    def percentage_at(self, now_ms: int) -> Percentage | None:
        """The percentage at `now_ms`: the ramp's, once the ramp has taken its first step."""
        stage = self.stage(now_ms)
        if self.ramp is None or stage is None:
            return self.percentage
        return self._before(self.ramp) if stage.percentage is None else stage.percentage

    def rule_at(self, now_ms: int) -> Rule:
        """The rule that applies at `now_ms`."""
        fields = self.model_dump(include=set(Rule.model_fields))
        return Rule.model_validate(fields | {"percentage": self.percentage_at(now_ms)})

    def _before(self, ramp: Ramp) -> Percentage | None:
        """The percentage before the first step of `ramp`."""
        return self.percentage if ramp.from_percentage is None else ramp.from_percentage


class FlagDocument(Part):
    """All stored feature flags. A built-in one that the document does not name is as in the catalog."""

    version: Literal[1] = 1
    revision: Annotated[int, Field(ge=0)] = 0
    """Grows with every change."""
    flags: dict[FlagName, Flag] = Field(default_factory=dict)
    history: tuple[FlagChange, ...] = ()
    """The last thousand changes, the newest last."""

    @model_validator(mode="after")
    def _symbols_have_no_owners(self) -> Self:
        for name, flag in self.flags.items():
            if flag.owners and by_symbol(name):
                raise ValueError(f"flag {name!r}, field `owners`: it goes by symbol, and symbols have no owner")
        return self

    def flag(self, name: str) -> Flag:
        """The feature flag of this name. Raises TickflagError, which lists the known names."""
        flag = self.flags.get(name)
        if flag is None and name in BUILT_IN:
            flag = Flag(default=BUILT_IN[name].default)
        if flag is None:
            raise TickflagError(f"no feature flag {name[:80]!r}: known are {', '.join(self.names())}")
        return flag

    def names(self) -> list[str]:
        """The names of all feature flags, the built-in ones first."""
        return [*BUILT_IN, *sorted(self.flags.keys() - BUILT_IN.keys())]

    def with_flags(self, flags: Mapping[str, Flag], who: str, time_ms: int) -> Self:
        """The next revision, in which `flags` replace all stored ones and the history has the changes.

        Gives the document itself where nothing changed. Raises TickflagError, which names feature flag and field.
        """
        revision = self.revision + 1
        changes = [
            FlagChange(revision, time_ms, who, name, field, before, after)
            for name in sorted(self.flags.keys() | flags.keys())
            for field, before, after in _differences(self._shown(name), _shown(name, flags.get(name)))
        ]
        if not changes:
            return self
        return type(self).parsed(
            {
                "revision": revision,
                "flags": {name: flag.model_dump() for name, flag in flags.items()},
                "history": [*self.history, *changes][-HISTORY:],
            }
        )

    @classmethod
    def parsed(cls, content: Any) -> Self:
        """The document in a decoded JSON value. Raises TickflagError, which names feature flag and field."""
        with explained():
            return cls.model_validate(content)

    def _shown(self, name: str) -> dict[str, Any]:
        return _shown(name, self.flags.get(name))


@contextmanager
def explained(flag: str = "") -> Iterator[None]:
    """Turns a ValidationError within its block into a TickflagError that names feature flag and field."""
    try:
        yield
    except ValidationError as error:
        raise TickflagError(_words(error, flag)) from None


def _words(error: ValidationError, flag: str) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    where = [str(part) for part in fault["loc"] if part != "[key]"]
    if where[:1] == ["flags"] and len(where) > 1:
        flag, where = where[1], where[2:]
    reason = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        reason = "no such field"
    parts = [f"flag {flag[:80]!r}"] if flag else []
    parts += [f"field `{'.'.join(where)}`"] if where else []
    return f"{', '.join(parts)}: {reason}" if parts and not reason.startswith("flag ") else reason


def _shown(name: str, flag: Flag | None) -> dict[str, Any]:
    """The fields of a feature flag as the history shows them. Without `flag`, they are those of the catalog; a name
    that is not in the catalog gets no default."""
    if flag is None and name in BUILT_IN:
        flag = Flag(default=BUILT_IN[name].default)
    if flag is None:
        return Flag(default=False).model_dump(mode="json") | {"default": None}
    return flag.model_dump(mode="json")


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(field, before[field], after[field]) for field in after if before[field] != after[field]]
