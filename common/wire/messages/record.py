"""Record and Message: a frozen value that travels as an array of its fields, and the types that fields share.

A message is an array on the wire: kind, version, then the other fields in the order of their declaration, base class
first. So a new field has a default and is declared last in the message's own class; the meaning, the place and the
type of a field never change. An older program ignores the fields it does not know, a newer one fills in defaults for
those that are missing. The name of a time field tells its unit; monotonic times compare on one machine only.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME_LIMIT = 128
NOTE_LIMIT = 200
STACK_LIMIT = 8_000

Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]
Text = Annotated[str, Field(max_length=4096)]
Note = Annotated[str, Field(max_length=NOTE_LIMIT)]
Stack = Annotated[str, Field(max_length=STACK_LIMIT)]
Count = Annotated[int, Field(ge=0)]
Scores = dict[Name, float]
Notes = dict[Name, Note]


class Record(BaseModel):
    """A frozen value that travels as an array of its fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    wire_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields in their order on the wire."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_arguments: Any) -> None:
        names = tuple(cls.model_fields)
        head = tuple(name for name in ("kind", "version") if name in names)
        cls.wire_fields = head + tuple(name for name in names if name not in head)

    @model_validator(mode="before")
    @classmethod
    def _from_array(cls, value: object) -> object:
        return dict(zip(cls.wire_fields, value, strict=False)) if isinstance(value, list) else value

    def to_array(self) -> list[Any]:
        """The fields' values in their order on the wire."""
        values = self.__dict__
        return [_plain(value) if (value := values[name]).__class__ is list else value for name in self.wire_fields]


class Message(Record):
    """What all messages have in common."""

    version: Literal[1] = 1


def _plain(value: list[Any]) -> list[Any]:
    """Records in a list travel as arrays too."""
    return [record.to_array() for record in value] if value and isinstance(value[0], Record) else value
