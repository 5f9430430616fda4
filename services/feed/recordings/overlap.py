"""Overlap: says which recordings bring trades of one symbol at one time that no id tells apart."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations

from tickflag.common.units import NS_PER_S
from tickflag.services.feed.recordings.recording import Recording


def overlaps(recordings: Sequence[Recording]) -> list[str]:
    """A sentence for each pair of recordings whose trades without ids may be the same ones: both count."""
    return [text for one, other in combinations(recordings, 2) if (text := _overlap(one, other)) is not None]


def _overlap(one: Recording, other: Recording) -> str | None:
    symbols = sorted(one.survey.unnumbered & other.survey.unnumbered)
    bounds = [(recording.start_ns, recording.end_ns) for recording in (one, other)]
    starts, ends = [start for start, _ in bounds if start], [end for _, end in bounds if end]
    if not symbols or len(starts) < 2 or max(starts) >= min(ends):
        return None
    others = len(symbols) - 1
    more = f" and {others:,} more symbol{'' if others == 1 else 's'}" if others else ""
    return (
        f"{one.name} and {other.name} both have trades of {symbols[0]}{more} from {_utc(max(starts))} to "
        f"{_utc(min(ends))}, without a trade id: a trade that is in both counts twice"
    )


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
