"""Traders with a pace of their own in a replay: their timers run in the recording's time."""

import math
from pathlib import Path

import pytest

from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS, TICKS
from tests.support.markets.replays import EVERY_CYCLE, replay, run, write_ticks
from tickflag.common.units import NS_PER_S

QUIET = """\
@hookimpl
def evaluate(market):
    return market.age_ns > 15e9
"""

PRICE = """\
@hookimpl
def evaluate(market):
    return market.last
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A minute: A trades each second, with the second as price; B trades once, at the beginning."""
    rows = [(START_MS * 1_000_000 + s * NS_PER_S, "A", float(s + 1), 1.0, None, None) for s in range(60)]
    rows.insert(1, (START_MS * 1_000_000, "B", 5.0, 1.0, None, None))
    return write_ticks(tmp_path / "minute.parquet", rows)


def _told(folder: Path, recording: Path, *arguments: str) -> list[tuple[float, str, str, float]]:
    outcome = replay("--traders", folder, *arguments, recording, settings=EVERY_CYCLE)
    assert (outcome.status, outcome.stderr) == (0, "")
    return [((s["time_ms"] - START_MS) / 1_000, s["symbol"], s["event"], s["score"]) for s in outcome.signals]


def test_everything_is_evaluated_when_it_is_due(tmp_path: Path, recording: Path) -> None:
    """Everything is evaluated each 6.5 s from the first evaluation on, without a row: at 19.5 s B has been quiet for
    over 15 s."""
    write_trader(tmp_path / "traders", "quiet", QUIET, every=6.5)
    assert _told(tmp_path / "traders", recording) == [(19.5, "B", "entered", 1.0)]
    # From the opening at 10 s on: 16.5 s.
    assert _told(tmp_path / "traders", recording, "--from", "2024-03-04T14:00:10") == [(16.5, "B", "entered", 1.0)]
    # From an opening between two rows on, the first timer comes before the next row: 14.9 s, then 15.2 s.
    write_trader(tmp_path / "traders", "quiet", QUIET, every=0.3)
    assert _told(tmp_path / "traders", recording, "--from", "2024-03-04T14:00:14.6") == [(15.2, "B", "entered", 1.0)]


def test_what_a_pace_put_off_is_evaluated_at_its_end(tmp_path: Path, recording: Path) -> None:
    """At most one evaluation each 2.5 s: of the rows in between the newest counts; a row of that very moment comes
    after it."""
    write_trader(tmp_path / "traders", "slow", PRICE, min_interval=2.5, watch=["A"])
    told = _told(tmp_path / "traders", recording)
    assert [time for time, *_ in told] == [2.5 * n for n in range(24)]
    assert [score for *_, score in told] == [float(max(math.ceil(2.5 * n), 1)) for n in range(24)]


def test_a_timer_that_always_fails_stops_nothing(tmp_path: Path, recording: Path) -> None:
    """The timer comes again with the next cycle; other traders keep their time."""
    write_trader(
        tmp_path / "traders", "bad", "@hookimpl\ndef evaluate(market):\n    raise ValueError('no')\n", every=1.5
    )
    write_trader(tmp_path / "traders", "quiet", QUIET, every=6.5)
    outcome = replay("--traders", tmp_path / "traders", recording, settings=EVERY_CYCLE)
    assert outcome.stderr == "trader 'bad': hook `evaluate` raised ValueError: no (line 11)\n"
    assert [(s["symbol"], s["time_ms"] - START_MS) for s in outcome.signals] == [("B", 19_500)]


def test_only_what_is_comparable_is_compared(tmp_path: Path, recording: Path) -> None:
    """A throttled trader is asked at the same moments on both sides; a trader with a timer is left out and named."""
    write_trader(tmp_path / "traders", "slow", PRICE, min_interval=2.5)
    write_trader(tmp_path / "timed", "quiet", QUIET, every=6.5)
    places = ("--traders", tmp_path / "timed", "--traders", tmp_path / "traders")
    for path in (recording, TICKS):
        outcome = run("replay", "--against", "full", *places, path)
        assert outcome.status == 0
        assert outcome.stdout.startswith("identical: ")
        assert outcome.stderr == ("trader 'quiet' is not compared: without tracking `every` asks it at other moments\n")
    outcome = run("replay", "--against", "full", "--traders", tmp_path / "timed", recording)
    assert outcome.status == 1
    assert outcome.stderr.endswith("tickflag: no trader to compare\n")
