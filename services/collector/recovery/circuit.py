"""Circuit: opens when a trader fails too often, and closes by itself once the trader does well again.

    tracking    closed -> open (process all) -> closed
    plugin      closed -> open (quarantine) -> half-open (a probe) -> closed, or open again

Its state is a function of its inputs with their times (BreakerIsAFunctionOfTheErrorTimeline). It does not matter how
often the circuit is asked: a change that time alone brings about happens at its own time, and before an input of the
same time. Times are nanoseconds of one clock that does not go back; a time before the latest counts as the latest.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.units import NS_PER_S

State = Literal["closed", "open", "half-open"]
Kind = Literal["tracking", "plugin"]
Failure = tuple[int, int]
"""Incarnation and cycle of a failed cycle. A retry of the cycle is the same failure, and counts once."""


class Transition(NamedTuple):
    """A change of the state."""

    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in the settings `recovery`, with times in nanoseconds."""

    errors: int
    window_ns: int
    clean_cycles: int
    least_ns: int
    backoff_ns: int
    backoff_limit_ns: int
    probe_ns: int
    calm_ns: int

    @classmethod
    def of(cls, settings: RecoveryBlock) -> Self:
        return cls(
            errors=settings.errors,
            window_ns=_ns(settings.window_s),
            clean_cycles=settings.clean_cycles,
            least_ns=_ns(settings.least_s),
            backoff_ns=_ns(settings.backoff_s),
            backoff_limit_ns=_ns(settings.backoff_limit_s),
            probe_ns=_ns(settings.probe_s),
            calm_ns=_ns(settings.calm_s),
        )

    def backoff(self, level: int) -> int:
        """The wait at `level`: each level doubles it, up to the limit."""
        return min(self.backoff_ns << level, self.backoff_limit_ns)


class Circuit:
    """One trader's circuit for one class of errors. Pure; one thread.

    An error counts while it is younger than the window; an error exactly as old as the window does not count.

    An open tracking circuit closes once both the backoff and the clean cycles are over.

    A plugin circuit that opens at level 0 asks for a fresh start and begins a probe at once. At a higher level, or when
    that probe fails, it opens for the backoff, which is a quarantine, and then begins a probe. An error ends the probe
    and opens the circuit for longer. The clean cycles close it, but not before the least time. At the end of the
    probe's time one clean cycle is enough. Without any cycle nothing is known, and the same wait begins again.

    Each opening raises the level, which makes the next backoff longer. Each `calm_ns` without an error while the
    circuit is closed lowers the level.
    """

    def __init__(self, kind: Kind, limits: Limits, now_ns: int) -> None:
        self.kind = kind
        self._limits = limits
        self._now_ns = now_ns
        self.state: State = "closed"
        self.level = 0
        """The number of openings on which the next backoff depends."""
        self.opened = 0
        """How often the circuit left the closed state, or a probe failed."""
        self.fresh_starts = 0
        """How many fresh starts of the worker were asked for: for a probe, and at a release."""
        self._since_ns = now_ns  # of the state
        self._calm_from_ns = now_ns
        self._clean = 0  # cycles, since the state began or the last error
        self._errors: deque[tuple[int, Failure]] = deque()  # times and failures of those in the window
        self._last: Failure | None = None
        self._transitions: list[Transition] = []

    def drain_transitions(self) -> list[Transition]:
        """The transitions since the last call."""
        transitions, self._transitions = self._transitions, []
        return transitions

    def failed(self, now_ns: int, failure: Failure) -> None:
        """Count a failed cycle. A failure that is in the window, or is the latest, does not count again."""
        now_ns = self.advance(now_ns)
        if self.state == "open" and self.kind == "plugin":
            return  # the worker does not run in a quarantine: this is a late message
        if failure == self._last or any(failure == earlier for _, earlier in self._errors):
            return
        self._last = failure
        self._errors.append((now_ns, failure))
        self._clean = 0
        self._calm_from_ns = now_ns
        if self.state == "half-open" or (self.state == "closed" and len(self._errors) >= self._limits.errors):
            self._open(now_ns)

    def succeeded(self, now_ns: int) -> None:
        """Count a clean cycle."""
        now_ns = self.advance(now_ns)
        if not (self.state == "open" and self.kind == "plugin"):
            self._clean += 1
            self.advance(now_ns)

    def release(self, now_ns: int) -> None:
        """Close the circuit and begin again at level 0: an operator, or another version of the code, asks for it."""
        now_ns = self.advance(now_ns)
        if self.kind == "plugin" and self.state == "open":
            self.fresh_starts += 1
        self._close(now_ns)
        self.level = 0

    def advance(self, now_ns: int) -> int:
        """The present time, once every change that is due by then has happened."""
        now_ns = max(now_ns, self._now_ns)
        # What is due is seen from the time of the last input: seen from now, it would be due only now.
        while (due_ns := self.due_ns()) is not None and due_ns <= now_ns:
            self._change(due_ns)
        self._now_ns = now_ns
        while self._errors and now_ns - self._errors[0][0] >= self._limits.window_ns:
            self._errors.popleft()
        return now_ns

    def due_ns(self) -> int | None:
        """When the state or the level changes although no input comes; None for never."""
        limits = self._limits
        if self.state == "closed":
            return self._calm_from_ns + limits.calm_ns if self.level else None
        enough = self._clean >= limits.clean_cycles
        if self.kind == "tracking":
            due_ns = self._since_ns + limits.backoff(self.level - 1)
            return max(due_ns, self._now_ns) if enough else None
        if self.state == "open":
            return self._since_ns + self._wait_ns()
        end_ns = self._since_ns + limits.probe_ns
        return min(max(self._since_ns + limits.least_ns, self._now_ns), end_ns) if enough else end_ns

    def summary(self, now_ns: int) -> dict[str, Any]:
        """State, since when, how many errors count and when the next change is due, for operators."""
        now_ns = self.advance(now_ns)
        due_ns = self.due_ns()
        return {
            "state": self.state,
            "for_s": (now_ns - self._since_ns) / NS_PER_S,
            "errors": len(self._errors),
            "of": self._limits.errors,
            "clean_cycles": self._clean,
            "opened": self.opened,
            "fresh_starts": self.fresh_starts,
            "due_in_s": None if due_ns is None or self.state == "closed" else (due_ns - now_ns) / NS_PER_S,
        }

    def to_dict(self, now_ns: int) -> dict[str, Any]:
        """The circuit as values that JSON can hold, for `from_dict`. Times are ages."""
        now_ns = self.advance(now_ns)
        return {
            "state": self.state,
            "level": self.level,
            "opened": self.opened,
            "fresh_starts": self.fresh_starts,
            "age_ns": now_ns - self._since_ns,
            "calm_ns": now_ns - self._calm_from_ns,
            "clean": self._clean,
            "errors": [[now_ns - time_ns, *failure] for time_ns, failure in self._errors],
            "last": None if self._last is None else list(self._last),
        }

    @classmethod
    def from_dict(cls, kind: Kind, limits: Limits, saved: dict[str, Any], now_ns: int) -> Self:
        """The circuit that `to_dict` gave, as if no time had passed since then: a new boot has a new clock."""
        circuit = cls(kind, limits, now_ns)
        circuit.state, circuit.level = saved["state"], saved["level"]
        circuit.opened, circuit.fresh_starts = saved["opened"], saved["fresh_starts"]
        circuit._since_ns = now_ns - saved["age_ns"]
        circuit._calm_from_ns = now_ns - saved["calm_ns"]
        circuit._clean = saved["clean"]
        circuit._errors.extend((now_ns - age_ns, (life, cycle)) for age_ns, life, cycle in saved["errors"])
        circuit._last = None if saved["last"] is None else (saved["last"][0], saved["last"][1])
        return circuit

    def _change(self, due_ns: int) -> None:
        """Make the change that time brings about at `due_ns`."""
        if self.state == "closed":
            self.level -= 1
            self._calm_from_ns = due_ns
        elif self.kind == "plugin" and self.state == "open":
            self._probe(due_ns)
        elif self._clean:
            self._close(due_ns)
        else:
            self._enter("open", due_ns)

    def _open(self, now_ns: int) -> None:
        first = self.kind == "plugin" and self.state == "closed" and self.level == 0
        self.opened += 1
        self.level += 1
        if first:
            self._probe(now_ns)
        else:
            self._enter("open", now_ns)

    def _probe(self, now_ns: int) -> None:
        self.fresh_starts += 1
        self._enter("half-open", now_ns)

    def _close(self, now_ns: int) -> None:
        self._enter("closed", now_ns)
        self._calm_from_ns = now_ns

    def _enter(self, state: State, now_ns: int) -> None:
        if state != self.state:
            self._transitions.append(Transition(self.state, state))
        self.state = state
        self._since_ns = now_ns
        self._clean = 0
        self._errors.clear()

    def _wait_ns(self) -> int:
        # The first opening costs a fresh start and no wait, so the backoff begins with the second.
        return self._limits.backoff(max(self.level - 2, 0))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
