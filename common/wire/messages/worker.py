"""What a worker sends: its trader's results, signs of life between them, faults, and what an audit found."""

from typing import Annotated, Literal

from pydantic import Field

from tickflag.common.wire.messages.record import NAME_LIMIT, Count, Message, Name, Notes, Scores, Stack, Text

INCARNATION_LEAP = 1 << 42
"""By so much a new incarnation may be above the one before; a message with a higher one is refused. So no message can
take all numbers there are."""


class Progress(Message):
    """How far a trader is, in each of its results and heartbeats. Counts run since the start of the incarnation."""

    trader: Name
    incarnation: Count
    """Grows with every start of the trader's worker."""
    seq: Count
    """Number of the last result (snapshot or delta) sent."""
    cycle: Count
    time_ms: Count
    """UTC; in a replay, the time of the recording."""
    cycles: Count = 0
    flagged: Count = 0
    processed: Count = 0
    skipped: Count = 0
    """Watched symbols with data that a cycle did not have to evaluate."""
    bytes_sent: Count = 0
    """Result bytes, before compression."""
    bytes_full: Count = 0
    """Bytes that full results would have taken, before compression."""
    oldest_ns: Count = 0
    """Monotonic time of the oldest update that this result covers; 0 where unknown."""

    @property
    def efficiency(self) -> float:
        """Share of the work that was not needed, 0 to 1."""
        total = self.processed + self.skipped
        return self.skipped / total if total else 0.0


class Snapshot(Progress):
    """A trader's whole match set: first, on request, and in place of a delta that cannot or must not be sent."""

    kind: Literal["snapshot"] = "snapshot"
    matches: Scores
    stale: list[Name] = Field(default_factory=list)
    """Matches whose symbol has no data yet in the present generation."""
    token: Count = 0
    """The resync request that this answers; 0 for none."""
    score_step: float = 0.0
    """A score change up to this size makes no signal."""
    notes: Notes = Field(default_factory=dict)
    """The trader's notes on its matches; many matches have none."""


class Delta(Progress):
    """What changed in a trader's match set since result seq - 1."""

    kind: Literal["delta"] = "delta"
    entered: Scores = Field(default_factory=dict)
    left: list[Name] = Field(default_factory=list)
    scores: Scores = Field(default_factory=dict)
    notes: Notes = Field(default_factory=dict)
    """On matches that entered or have a new score. Such a match that is not named here has no note any more."""


class Heartbeat(Progress):
    """A trader's sign of life, with the sequence number of its last result, so that a lost result shows."""

    kind: Literal["heartbeat"] = "heartbeat"
    pid: Count
    state: Literal["running", "waiting", "failing", "stopped"]
    """waiting: no segment, or a feed without heartbeat. failing: the last cycle failed."""
    matches: Count = 0
    failures: Count = 0
    error: Text = ""
    fast: Count = 0
    """Cycles on the fast path; the others compared versions."""
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
    """The same for processor time."""
    gaps: Count = 0
    """Closed candles that the trader wanted and that the ring had lost."""
    flags: dict[Name, bool] = Field(default_factory=dict)
    """The trader's own feature flags with their defaults, as it declares them."""
    cost_sum_ns: Count = 0
    """Time that all cycles of the incarnation took."""
    cost_buckets: list[Count] = Field(default_factory=list, max_length=64)
    """Cycles by their time: up to each of `LATENCY_BOUNDS_NS`, and longer than all of them."""
    channel: Annotated[str, Field(max_length=NAME_LIMIT)] = ""
    """The channel that wakes the trader; empty where an older worker does not tell."""
    lapped: Count = 0
    """Cycles for which the flags were gone already, so that versions were compared."""


Result = Snapshot | Delta

FaultKind = Literal["segment", "flags", "gap", "audit", "buffer", "raise", "deadline", "exit", "dependence"]


class Fault(Message):
    """A cycle of a trader failed, or its worker did. The supervisor sends the fault of a worker that has ended."""

    kind: Literal["fault"] = "fault"
    trader: Name
    incarnation: Count
    cycle: Count
    """The cycle that failed; 0 where the worker ended. A retry that fails again has the same cycle."""
    time_ms: Count
    what: FaultKind
    text: Text
    stack: Stack = ""
    cycles: Count = 0
    """Clean cycles of the incarnation until then."""
    symbols: list[Name] = Field(default_factory=list)
    """Of an audit: the first symbols at fault."""


class Audit(Message):
    """A cycle of a trader was evaluated both ways: the flagged symbols for real, all of them on copies."""

    kind: Literal["audit"] = "audit"
    trader: Name
    incarnation: Count
    cycle: Count
    time_ms: Count
    symbols: Count
    """Symbols that were compared."""
    pending: Count = 0
    """Symbols that were not compared, as they changed since their evaluation."""
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
