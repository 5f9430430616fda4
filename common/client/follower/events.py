"""Place and events: what a follower gives, and from where it can go on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from tickflag.common.errors import TickflagError
from tickflag.common.units import LARGEST_INT64
from tickflag.common.wire.messages import Notice, Signal


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower has come. The numbers mean something only together with the journal id."""

    journal_id: str
    signal: int
    """Number of the last signal given."""
    notice: int
    """Number of the last notice given."""

    def to_dict(self) -> dict[str, Any]:
        """Texts and whole numbers by name, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The place that `to_dict` gave. Raises TickflagError for anything else."""
        numbers = [values.get(name) for name in ("signal", "notice")]
        whole = all(type(one) is int and 0 <= one <= LARGEST_INT64 for one in numbers)
        if not whole or not isinstance(values.get("journal_id"), str) or len(values) != 3:
            raise TickflagError(
                f"{dict(values)!r} is no place of a follower: it has `journal_id`, `signal` and `notice`; without a "
                "place, following begins with a snapshot"
            )
        return cls(**values)


@dataclass(frozen=True, slots=True)
class MatchSets:
    """A snapshot: all match sets as of a signal. What was added up from earlier signals is void."""

    place: Place
    matches: Mapping[str, Mapping[str, float]]
    """Trader -> symbol -> score of its last signal."""
    why: Literal["start", "another journal", "no longer kept"]
    """start: following began without a place. another journal: signals were lost, and the numbers belong to another
    journal id now. no longer kept: the journal does not reach back to the place any more."""
    first_signal: int
    """Number of the oldest signal that the journal keeps; above `place.signal` where it keeps none."""
    before: Place | None
    """The place before; None at the start. Signals between it and `place` are not given."""


@dataclass(frozen=True, slots=True)
class NewSignals:
    """Signals with consecutive numbers, directly after those given before."""

    place: Place
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class NewNotices:
    """Notices with consecutive numbers, after those given before."""

    place: Place
    notices: tuple[Notice, ...]
    missed: int = 0
    """How many notices before these the journal no longer keeps."""


@dataclass(frozen=True, slots=True)
class CollectorAway:
    """The collector cannot be asked. Said once; following goes on by itself when it is back."""

    reason: str


@dataclass(frozen=True, slots=True)
class CollectorBack:
    """The collector answers again."""


Event = MatchSets | NewSignals | NewNotices | CollectorAway | CollectorBack
