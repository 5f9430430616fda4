"""Document: all feature flags as an operator sets them, with their history. JSON, versioned, checked as a whole."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from common.errors import TickflagError
from common.flags.buckets import Percentage
from common.flags.catalog import BUILT_IN, FlagName, by_symbol
from common.flags.ramp import Ramp, Stage
from common.flags.rules import Part, Rule
from common.messages import Text

HISTORY = 1_000


class Change(NamedTuple):
    """One field of a flag was set. In JSON a list of these."""

    revision: int
    time_ms: int
    who: Text
    flag: FlagName
    field: Text
    before: Any
    after: Any


class Flag(Rule):
    """A rule, and how it moves with time."""

    model_config = Part.model_config

    ramp: Ramp | None = None
    """Sets the percentage from its first step on; `percentage` is the one before, to which it may be rolled back."""
    description: Text = ""

    @model_validator(mode="after")
    def _ramp_adds(self) -> Self:
        if self.ramp is not None and self.ramp.steps[0].percentage < (self.percentage or 0.0):
            raise ValueError(f"field `ramp`: the first step is below the present {self.percentage:g} %")
        return self

    def changed(self, **fields: Any) -> Self:
        """The same with other values. Raises ValidationError."""
        return type(self).model_validate(self.model_dump() | fields)

    def stage(self, now_ms: int) -> Stage | None:
        """Where its ramp is; None without one."""
        return None if self.ramp is None else self.ramp.at(now_ms)

    def percentage_at(self, now_ms: int) -> Percentage | None:
        """That of the ramp, once it has begun."""
        stage = self.stage(now_ms)
        return self.percentage if stage is None or stage.percentage is None else stage.percentage

    def rule_at(self, now_ms: int) -> Rule:
        """What counts at `now_ms`."""
        fields = self.model_dump(include=set(Rule.model_fields))
        return Rule.model_validate(fields | {"percentage": self.percentage_at(now_ms)})


class Document(Part):
    """Built-in flags that it does not name are as the catalog has them."""

    version: Literal[1] = 1
    revision: Annotated[int, Field(ge=0)] = 0
    """Grows with every change."""
    flags: dict[FlagName, Flag] = Field(default_factory=dict)
    history: tuple[Change, ...] = ()
    """The newest last, and no more than the last thousand."""

    @model_validator(mode="after")
    def _symbols_have_no_owners(self) -> Self:
        for name, flag in self.flags.items():
            if flag.owners and by_symbol(name):
                raise ValueError(f"flag {name!r}, field `owners`: it goes by symbol, and symbols have no owner")
        return self

    def flag(self, name: str) -> Flag:
        """A flag by its name. Raises TickflagError naming those there are."""
        flag = self.flags.get(name)
        if flag is None and name in BUILT_IN:
            flag = Flag(default=BUILT_IN[name].default)
        if flag is None:
            raise TickflagError(f"no feature flag {name[:80]!r}: known are {', '.join(self.names())}")
        return flag

    def names(self) -> list[str]:
        """The built-in ones first."""
        return [*BUILT_IN, *sorted(self.flags.keys() - BUILT_IN.keys())]

    def with_flags(self, flags: Mapping[str, Flag], who: str, time_ms: int) -> Self:
        """The next revision, with these flags in place of all, and what changed in the history; itself where nothing
        did. Raises TickflagError naming flag and field."""
        revision = self.revision + 1
        changes = [
            Change(revision, time_ms, who, name, field, before, after)
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
        """The document of what JSON gave. Raises TickflagError naming flag and field at fault."""
        with explained():
            return cls.model_validate(content)

    def _shown(self, name: str) -> dict[str, Any]:
        return _shown(name, self.flags.get(name))


@contextmanager
def explained(flag: str = "") -> Iterator[None]:
    """Turns a ValidationError within its block into a TickflagError that names flag and field."""
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
    """The fields for the history, of the catalog's flag where there is none. One that is not known has no default."""
    if flag is None and name in BUILT_IN:
        flag = Flag(default=BUILT_IN[name].default)
    if flag is None:
        return Flag(default=False).model_dump(mode="json") | {"default": None}
    return flag.model_dump(mode="json")


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(field, before[field], after[field]) for field in after if before[field] != after[field]]
