"""What the collector sends: the control state to the other services, signals and notices to followers."""

from typing import Any, Literal

from pydantic import Field

from tickflag.common.wire.messages.record import NAME_LIMIT, Count, Message, Name, Note, Record, Text


class Control(Message):
    """The collector's versioned control state, repeated as its heartbeat, so a late or lossy subscriber converges."""

    kind: Literal["control"] = "control"
    state_version: Count
    """Grows with every change, also over restarts of the collector."""
    time_ms: Count
    resync: dict[Name, Count] = Field(default_factory=dict)
    """Trader -> the token that a wanted snapshot must carry."""
    features: dict[Name, Any] = Field(default_factory=dict)
    """Feature flag -> its rule. A feature flag that is not named has its default."""
    process_all: list[Name] = Field(default_factory=list)
    """Traders that are to evaluate all symbols in every cycle, as their tracking is not trusted."""
    quarantined: dict[Name, Count] = Field(default_factory=dict)
    """Trader that is not to run -> how often its plugin circuit has opened so far."""
    fresh: dict[Name, Count] = Field(default_factory=dict)
    """Trader -> how many fresh starts of its worker were asked for so far. A growing number asks for one."""
    incarnations: dict[Name, Count] = Field(default_factory=dict)
    """Trader whose messages are ignored -> the incarnation known of it. A worker of another one is to start anew, above
    that."""


class Signal(Record):
    """A symbol entered or left a trader's match set, or its score moved."""

    seq: Count
    trader: Name
    symbol: Name
    event: Literal["entered", "left", "score"]
    score: float
    time_ms: Count
    cycle: Count
    note: Note = ""
    """What the trader says of the match; a symbol that left has none."""


class Signals(Message):
    """Signals of one commit of the journal, with consecutive sequence numbers."""

    kind: Literal["signals"] = "signals"
    signals: list[Signal]
    last_seq: Count
    """Number of the newest signal. A message without signals is the heartbeat of the signal feed."""
    journal_id: Text = ""
    """Of the journal that the numbers belong to. Where it changes, a follower takes a snapshot."""
    last_notice: Count = 0
    """Number of the newest notice."""


class Notice(Record):
    """Something about a trader, or about the engine, that operators should hear of."""

    seq: Count
    time_ms: Count
    trader: str = Field(max_length=NAME_LIMIT)
    """Empty where the notice is about no trader."""
    what: Name
    """Such as `tracking circuit`, `plugin circuit`, `feature flag`."""
    before: Text
    after: Text
    reason: Text = ""


class Notices(Message):
    """Notices of one commit of the journal, with consecutive numbers of their own. On the signal feed."""

    kind: Literal["notices"] = "notices"
    notices: list[Notice]
    last_seq: Count
    journal_id: Text = ""
    """Of the journal that the numbers belong to."""
