"""Every message on the wire: one frozen type each, with kind and version. Times are in the unit of the field's name.

On the wire a message is an array: kind, version, then the other fields in the order they are declared here, base
class first. So a new field has a default and is declared last in the message's own class, and the meaning, place and
type of a field never change: an older program ignores what it does not know, a newer one fills in what is missing.
Monotonic times compare only on one machine.
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


class SwapEvent(Message):
    """A hint that a cycle of a channel was closed; repeated as heartbeat. The truth is in the segment."""

    kind: Literal["swap"] = "swap"
    channel: Name
    generation: Count
    cycle: Count
    buffer: Literal["A", "B"]
    """The read buffer: the one just filled."""
    segment: Name
    flagged: Count
    symbols: Count
    oldest_ns: Count
    """Monotonic time of the cycle's oldest update."""
    time_ns: Count
    """Monotonic time of the swap."""


class Progress(Message):
    """How far a trader is, in every message it sends. Counts run since the start of the incarnation."""

    trader: Name
    incarnation: Count
    """Grows with every start of the trader's worker."""
    seq: Count
    """Number of the last result (snapshot or delta) sent."""
    cycle: Count
    time_ms: Count
    """UTC; a replay's recording time."""
    cycles: Count = 0
    flagged: Count = 0
    processed: Count = 0
    skipped: Count = 0
    """Watched symbols with data that a cycle did not have to evaluate."""
    bytes_sent: Count = 0
    """Result bytes, before compression."""
    bytes_full: Count = 0
    """What full results would have taken, before compression."""
    oldest_ns: Count = 0
    """Monotonic time of the oldest update that this result covers; 0 where unknown."""

    @property
    def efficiency(self) -> float:
        """Share of the work that was not needed, 0 to 1."""
        total = self.processed + self.skipped
        return self.skipped / total if total else 0.0


class Snapshot(Progress):
    """A trader's whole match set, first and on request."""

    kind: Literal["snapshot"] = "snapshot"
    matches: Scores
    stale: list[Name] = Field(default_factory=list)
    """Matches whose symbol has no data yet in the present generation."""
    token: Count = 0
    """The resync request that this answers; 0 for none."""
    score_step: float = 0.0
    """Score changes up to this much are no signals."""
    notes: Notes = Field(default_factory=dict)
    """What the trader says of its matches; many have none."""


class Delta(Progress):
    """What changed in a trader's match set since result seq - 1."""

    kind: Literal["delta"] = "delta"
    entered: Scores = Field(default_factory=dict)
    left: list[Name] = Field(default_factory=list)
    scores: Scores = Field(default_factory=dict)
    notes: Notes = Field(default_factory=dict)
    """On those that entered or have a new score; one of them that is not here has no note any more."""


class Heartbeat(Progress):
    """A trader's sign of life, with the sequence number of its last result, so that a lost one shows."""

    kind: Literal["heartbeat"] = "heartbeat"
    pid: Count
    state: Literal["running", "waiting", "failing", "stopped"]
    """waiting: no segment, or a feed without heartbeat. failing: the last cycle failed."""
    matches: Count = 0
    failures: Count = 0
    error: Text = ""
    fast: Count = 0
    """Cycles by flags; the others compared versions."""
    retried: Count = 0
    """Rows that stayed locked and were read again."""
    cpu_ns: Count = 0
    bytes_wire: Count = 0
    """Result bytes as sent, after compression."""
    owner: Text = ""
    batched: Count = 0
    """Cycles in batch mode."""
    cost_ns: Count = 0
    """Time that 95 % of the last 100 cycles took at most."""
    cost_cpu_ns: Count = 0
    """The same of processor time."""
    gaps: Count = 0
    """Closed candles that a trader which wants each of them came too late for."""
    flags: dict[Name, bool] = Field(default_factory=dict)
    """The trader's own feature flags with their defaults, as it declares them."""


FaultKind = Literal["segment", "flags", "gap", "audit", "buffer", "raise", "deadline", "exit", "dependence"]


class Fault(Message):
    """A cycle of a trader failed, or its worker did. Sent by the worker, or for a worker that has ended."""

    kind: Literal["fault"] = "fault"
    trader: Name
    incarnation: Count
    cycle: Count
    """The one that failed; 0 where the worker ended. A failure that is tried again keeps its cycle."""
    time_ms: Count
    what: FaultKind
    text: Text
    stack: Stack = ""
    cycles: Count = 0
    """Clean cycles of the incarnation until then."""
    symbols: list[Name] = Field(default_factory=list)
    """At fault, of an audit: the first ones."""


class Audit(Message):
    """A cycle of a trader was evaluated both ways: the flagged symbols for real, all of them on copies."""

    kind: Literal["audit"] = "audit"
    trader: Name
    incarnation: Count
    cycle: Count
    time_ms: Count
    symbols: Count
    """Compared."""
    pending: Count = 0
    """Not compared, as they changed since they were evaluated."""
    part_ns: Count = 0
    """Processor time of the cycle."""
    full_ns: Count = 0
    """Processor time of the evaluation of all symbols."""
    processed: Count = 0
    """Symbols that the cycle evaluated."""
    wrong: Count = 0
    """Symbols with another result for the same version of the row."""
    unseen: Count = 0
    """Symbols whose change was never announced."""


class RosterEntry(Record):
    """One trader as the supervisor sees it."""

    name: Name
    state: Literal["running", "restarting", "skipped", "stopped", "disabled", "quarantined"]
    """disabled: off until an operator says otherwise; its matches leave. quarantined: it failed too often."""
    pid: Count = 0
    restarts: Count = 0
    source: Text = ""
    reason: Text = ""
    """Why it is not running, or why a new version of it is not."""
    trader_version: Text = ""
    """As declared, else of its content."""
    log: Text = ""
    """Name of its log file, without `.log`."""


class Roster(Message):
    """All traders the supervisor knows. A trader that a complete roster does not name is gone for good."""

    kind: Literal["roster"] = "roster"
    pid: Count
    time_ms: Count
    traders: list[RosterEntry]
    complete: bool = True
    """Every trader's name is known. Where it is not, a trader that is missing here may only not have told it yet."""


class Control(Message):
    """The collector's versioned control state, repeated as its heartbeat: a late or lossy subscriber converges."""

    kind: Literal["control"] = "control"
    state_version: Count
    """Grows with every change, also over restarts of the collector."""
    time_ms: Count
    resync: dict[Name, Count] = Field(default_factory=dict)
    """Trader -> token: a snapshot is wanted that carries the token."""
    features: dict[Name, Any] = Field(default_factory=dict)
    """Feature flag -> its rule; those that are not named have their defaults."""
    process_all: list[Name] = Field(default_factory=list)
    """Traders that are to evaluate all symbols in every cycle, as their tracking is not trusted."""
    quarantined: dict[Name, Count] = Field(default_factory=dict)
    """Trader that is not to run -> how often its circuit opened until then."""
    fresh: dict[Name, Count] = Field(default_factory=dict)
    """Trader -> fresh starts of its worker that were asked for so far; where it grows, another one is wanted."""


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
    """Number of the newest signal; an empty message is the feed's heartbeat."""


class Notice(Record):
    """Something about a trader, or about the engine, that operators should hear of."""

    seq: Count
    time_ms: Count
    trader: str = Field(max_length=NAME_LIMIT)
    """Empty where it is about none."""
    what: Name
    """As `tracking circuit`, `plugin circuit`, `feature flag`."""
    before: Text
    after: Text
    reason: Text = ""


class Notices(Message):
    """Notices of one commit of the journal, with consecutive numbers of their own. On the signal feed."""

    kind: Literal["notices"] = "notices"
    notices: list[Notice]
    last_seq: Count


class Request(Message):
    """A question or command to the collector."""

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


def _plain(value: list[Any]) -> list[Any]:
    """Records in a list travel as arrays too."""
    return [record.to_array() for record in value] if value and isinstance(value[0], Record) else value


Result = Snapshot | Delta
AnyMessage = (
    SwapEvent | Snapshot | Delta | Heartbeat | Fault | Audit | Roster | Control | Signals | Notices | Request | Reply
)
