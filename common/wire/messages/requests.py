"""What clients ask of a service, and its answers."""

from typing import Any, Literal

from pydantic import Field

from tickflag.common.wire.messages.record import Count, Message, Name, Text


class Request(Message):
    """A question or command to a service."""

    kind: Literal["request"] = "request"
    id: Count
    what: Name
    arguments: dict[Name, Any] = Field(default_factory=dict)


class Reply(Message):
    """The answer to the request of the same id."""

    kind: Literal["reply"] = "reply"
    id: Count
    error: Text = ""
    """What was wrong with the request; empty where it succeeded."""
    result: Any = None
