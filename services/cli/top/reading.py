"""EngineReading: what is known of the engine at a moment; and TraderLine, a trader of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.diagnosis.engine import why
from tickflag.common.diagnosis.totals import ratio
from tickflag.common.units import NS_PER_MS

BACK_MS = 15_000
"""So long it is said that the collector is back."""


@dataclass(frozen=True, slots=True)
class TraderLine:
    """The figures of a trader, named as on the dashboard. None is not known."""

    name: str
    state: str
    circuits: str
    """`closed`, or which are not."""
    matches: int
    stale: int
    entered: int | None
    """In the last minute."""
    left: int | None
    efficiency: float | None
    cycle_ms: float | None
    ns_per_symbol: float | None
    processed: int
    skipped: int
    restarts: int
    batch_mode: bool
    why: str
    told: Mapping[str, Any]
    """All that the collector tells of it."""


def trader_line(told: Mapping[str, Any], moves: Mapping[tuple[str, str], int] | None, batched: bool) -> TraderLine:
    """The line of a trader from that of the collector. `moves` has what (trader, event) did in the last minute, None
    where that is not known."""
    name, processed, skipped = told["name"], told["processed"], told["skipped"]
    states = told["circuits"].items()
    open_ones = [f"{kind} {state}" for kind, state in states if state != "closed"]
    return TraderLine(
        name=name,
        state=told["state"],
        circuits=", ".join(open_ones) or "closed",
        matches=told["matches"],
        stale=told["stale"],
        entered=None if moves is None else moves.get((name, "entered"), 0),
        left=None if moves is None else moves.get((name, "left"), 0),
        efficiency=ratio(skipped, processed + skipped),
        cycle_ms=told["cost_ns"] / NS_PER_MS if told.get("cost_ns") else None,
        ns_per_symbol=ratio(told["cpu_ns"], processed),
        processed=processed,
        skipped=skipped,
        restarts=told["restarts"],
        batch_mode=batched,
        why=why(told),
        told=told,
    )


@dataclass(frozen=True, slots=True)
class CollectorContact:
    """How the collector that is asked stands to us."""

    error: str = ""
    """Why it does not answer; empty where it does, and before its first answer."""
    answered_ms: float = 0.0
    """UTC of its last answer; 0 before the first."""
    back_ms: float = 0.0
    """UTC of its first answer after it was away; 0 where it never was."""

    def heard(self, now_ms: float) -> "CollectorContact":
        """It answers."""
        back_ms = now_ms if self.error and self.answered_ms else self.back_ms
        return CollectorContact("", now_ms, back_ms)

    def missed(self, error: str) -> "CollectorContact":
        """It does not."""
        return CollectorContact(error, self.answered_ms, self.back_ms)


@dataclass(frozen=True, slots=True)
class TraderDetail:
    """What is asked of one trader only. None: not known yet."""

    name: str
    circuits: Sequence[Mapping[str, Any]] | None = None
    errors: Sequence[Mapping[str, Any]] | None = None
    matches: Mapping[str, Any] | None = None
    """The collector's answer to `matches`."""
    trouble: str = ""
    """Why something of it is not known."""


@dataclass(frozen=True, slots=True)
class EngineReading:
    """The engine at a moment. What a part that does not answer told before stays."""

    where: str
    """The instance, with the address where it is on another machine."""
    time_ms: float
    contact: CollectorContact = CollectorContact()
    feed: Mapping[str, Any] | None = None
    """As `feed_state` gives it; None where it is not known from here."""
    collector: Mapping[str, Any] = field(default_factory=dict)
    """What the collector tells of itself."""
    rates: Mapping[str, float | None] = field(default_factory=dict)
    """As `EngineRates.rates` gives them."""
    latency_ms: Mapping[str, float | None] | None = None
    saving: Mapping[str, float | None] | None = None
    sums: Mapping[str, Any] = field(default_factory=dict)
    batch_mode: Sequence[str] = ()
    buffers: Sequence[Mapping[str, Any]] = ()
    """As `diagnosis.buffers` gives them; empty without a segment, and where it is on another machine."""
    traders: Sequence[TraderLine] = ()
    recent: Sequence[Mapping[str, Any]] | None = None
    """The newest entries and exits, newest first; None where they are not known."""
    no_signals: str = ""
    """Why they are not."""
    problems: Sequence[Diagnosis] = ()
    detail: TraderDetail | None = None

    @property
    def word(self) -> str:
        """How it stands, in a word or two."""
        if self.feed is not None and self.feed["state"] == "stopped" and self.contact.error:
            return "no engine" if not self.contact.answered_ms else "reconnecting"
        if self.contact.error:
            return "reconnecting"
        if not self.contact.answered_ms:
            return "connecting"
        if self.feed is not None and self.feed["state"] != "running":
            return f"feed {self.feed['state']}"
        return "live"
