"""Hypothesis strategies for every message on the wire, made from the types of its fields."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tickflag.common.wire.messages import AnyMessage, Message

MESSAGES: tuple[type[Message], ...] = get_args(AnyMessage)

_WORDS = st.text(max_size=12)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | _WORDS | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def messages(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Valid messages of one kind."""
    return st.builds(kind, **{name: _values(field) for name, field in kind.model_fields.items()})


def any_message() -> st.SearchStrategy[Any]:
    """Valid messages of every kind."""
    return st.one_of([messages(kind) for kind in MESSAGES])


def _values(field: FieldInfo) -> st.SearchStrategy[Any]:
    shortest = max((getattr(limit, "min_length", 0) for limit in field.metadata), default=0)
    return _of(field.annotation, shortest)


def _of(annotation: Any, shortest: int = 0) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return _PLAIN
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of([_of(argument) for argument in arguments])
    if origin is list:
        return st.lists(_of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=3)
    if hasattr(annotation, "__metadata__"):
        return _values(FieldInfo.from_annotation(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return messages(annotation)
    return {
        bool: st.booleans(),
        int: st.integers(0, 2**64 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(min_size=shortest, max_size=12),
        type(None): st.none(),
    }[annotation]
