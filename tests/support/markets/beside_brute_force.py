"""The engine beside the brute force: the same recordings through both."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tests.support.markets.measuring_traders import write_measuring_traders
from tests.support.markets.played import PlayedReplay, played
from tests.support.oracles.brute_force.comparison import difference
from tests.support.oracles.brute_force.files import read_recordings
from tests.support.oracles.brute_force.traders import measuring_cast
from tests.support.oracles.brute_force.turns import BrutePace, BruteReplay

INTERVALS = ("1m", "5m", "1h")
EACH_MOMENT = (0, 0)
DEFAULT_PACE = (100, 100)
EACH_SECOND = (1_000, 1_000)
PACES = (EACH_MOMENT, DEFAULT_PACE, (0, 100), (100, 0), (50, 200))
"""Least time between two swaps and between two announcements of a symbol, ms."""
MS = 1_000_000


def assert_as_brute_force(
    paths: Iterable[Path],
    folder: Path,
    pace: tuple[int, int] = EACH_MOMENT,
    intervals: Sequence[str] = INTERVALS,
    reference: str | None = None,
    only: Collection[str] = (),
) -> tuple[PlayedReplay, BruteReplay]:
    """Fail unless replay and brute force give the same signals, number by number, and leave out as many rows.

    `folder` takes the traders' files. The reference is the first symbol by name, unless it is given. `only` names the
    traders; else all run.
    """
    files = list(paths)
    rows, refused = read_recordings(files)
    leader = reference or min(row.symbol for row in rows)
    cast = [trader for trader in measuring_cast(leader, intervals) if not only or trader.name in only]
    brute = BruteReplay(rows, intervals, cast, BrutePace(pace[0] * MS, pace[1] * MS)).run()
    traders = folder / f"traders-{leader}-{'-'.join(intervals)}"
    if not traders.exists():
        write_measuring_traders(traders, leader, intervals, only)
    found = played(files, traders, intervals, min_swap_interval_ms=pace[0], rate_limit_ms=pace[1])
    problem = difference(found.signals, brute.signals)
    assert not problem, problem
    summary, left_out = found.summary, brute.market.left_out()
    assert summary.left_out == left_out
    assert (summary.failed, summary.rejected) == ({}, refused)
    assert {name for name, why in summary.refused.items() if not why.startswith("never evaluated")} == set()
    assert summary.refused.keys().isdisjoint(signal.trader for signal in brute.signals)
    assert (summary.cycles, len(summary.matches)) == (brute.cycles, len(brute.traders) if brute.cycles else 0)
    return found, brute
