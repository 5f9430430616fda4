"""Recordings as a live market: rows come at their time, at a speed; the test sets the time."""

import gzip
import json
from pathlib import Path
from typing import cast

import pytest

from tests.support.markets.markets import NOON
from tests.support.markets.replays import write_ticks
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.feed import ReplayBlock
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.sources.registry import open_source
from tickflag.services.feed.sources.replay import ReplaySource
from tickflag.services.feed.sources.source import Source, Venue

BEGAN_NS = 7 * NS_PER_S
AT_S = (0.0, 1.0, 1.0, 4.0)


class ReplaySourceHarness:
    """A source over recordings, opened; `prices` are those that have come by a time."""

    def __init__(self, *paths: Path, speed: float = 1.0) -> None:
        self.log = RecordedLog()
        self.names: list[str] = []
        self.source = ReplaySource(ReplayBlock(recordings=list(paths), speed=speed))
        assert self.source.open(Venue(self._slot, (60,), BEGAN_NS, 0, cast(Logger, self.log))) == ()

    def _slot(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1

    def prices(self, after_s: float) -> list[float]:
        batches = self.source.drain(BEGAN_NS + int(after_s * NS_PER_S), 0)
        return [float(price) for batch in batches for price in batch.rows["price"]]

    def next_s(self) -> float | None:
        next_ns = self.source.next_ns()
        return None if next_ns is None else (next_ns - BEGAN_NS) / NS_PER_S


def recording(path: Path, first: float = 1.0, symbol: str = "A") -> Path:
    """Trades at 0, 1, 1 and 4 s after noon, with prices that count up from `first`."""
    rows = [(NOON + int(s * NS_PER_S), symbol, first + n, 1.0, None, None) for n, s in enumerate(AT_S)]
    return write_ticks(path, rows)


@pytest.mark.parametrize("speed", [1.0, 10.0, 0.5])
def test_rows_come_at_their_time(tmp_path: Path, speed: float) -> None:
    """At any speed the source gives exactly what is due, and says when the next row comes."""
    harness = ReplaySourceHarness(recording(tmp_path / "a.parquet"), speed=speed)
    assert harness.next_s() == 0.0
    assert harness.prices(0.0) == [1.0]
    assert harness.next_s() == 1.0 / speed
    assert harness.prices(0.9 / speed) == []
    assert harness.prices(1.0 / speed) == [2.0, 3.0]
    assert harness.prices(60.0) == [4.0]
    assert harness.next_s() is None
    assert harness.prices(99.0) == []
    assert harness.source.event_ns(BEGAN_NS + int(2 * NS_PER_S / speed), 0) == NOON + 2 * NS_PER_S
    assert harness.log.lines == [("info", "recording ended", {"rejected": 0})]


def test_as_fast_as_possible(tmp_path: Path) -> None:
    """With speed 0 everything is due at once; the event time is that of the next row."""
    harness = ReplaySourceHarness(recording(tmp_path / "a.parquet"), speed=0.0)
    assert harness.next_s() == 0.0
    assert harness.source.event_ns(BEGAN_NS, 0) == NOON
    assert harness.prices(0.0) == [1.0, 2.0, 3.0, 4.0]
    assert harness.next_s() is None


def test_several_are_one_market(tmp_path: Path) -> None:
    """Rows are merged by time; at equal times, those of the first recording come first."""
    harness = ReplaySourceHarness(recording(tmp_path / "a.parquet"), recording(tmp_path / "b.parquet", 11.0, "B"))
    assert harness.prices(0.0) == [1.0, 11.0]
    assert harness.prices(1.0) == [2.0, 3.0, 12.0, 13.0]
    assert harness.names == ["A", "B"]


def test_rows_at_fault_are_logged(tmp_path: Path) -> None:
    """The log names file, row and column of each; the other rows are played, and at the end the log counts the refused
    ones."""
    rows = [(NOON, "A", 1.0, 1.0, None, None), (NOON + 1, "A", -5.0, 1.0, None, None)]
    harness = ReplaySourceHarness(write_ticks(tmp_path / "a.parquet", rows))
    assert harness.prices(1.0) == [1.0]
    levels = [(level, event) for level, event, _ in harness.log.lines]
    assert levels == [("warning", "row refused"), ("warning", "rows at fault"), ("info", "recording ended")]
    fault = harness.log.lines[0][2]["fault"]
    assert all(word in fault for word in ("a.parquet", "row 1", "price"))
    assert "1 row refused, the first: row 1" in harness.log.lines[1][2]["reason"]
    assert harness.log.lines[2][2] == {"rejected": 1}


def test_a_recording_that_is_cut_off_ends_early(tmp_path: Path) -> None:
    """The rows that could be read are played; one error names file and line, and the market falls silent."""
    lines = [
        json.dumps({"recv_ns": NOON + n, "msg": {"e": "trade", "s": "A", "p": str(n + 1), "q": "1", "T": n * 7919 + 1}})
        for n in range(20_000)
    ]
    whole = gzip.compress("\n".join(lines).encode())
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[:-4_000])
    harness = ReplaySourceHarness(path, speed=0.0)
    prices: list[float] = []
    while harness.source.next_ns() is not None:
        prices += harness.prices(0.0)
    assert 0 < len(prices) < len(lines)
    assert prices == [float(n + 1) for n in range(len(prices))]
    (reason,) = [fields["reason"] for level, _, fields in harness.log.lines if level == "error"]
    assert str(path) in reason
    assert f"line {len(prices)}" in reason


def test_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    """No file, or one that does not exist, is a mistake in the settings, reported before anything starts."""
    with pytest.raises(TickflagError, match=r"`replay\.recordings` names no file"):
        ReplaySource(ReplayBlock(speed=1.0))
    with pytest.raises(TickflagError, match=r"nowhere\.parquet: cannot be opened"):
        ReplaySource(ReplayBlock(recordings=[tmp_path / "nowhere.parquet"], speed=1.0))


class FakeEntryPoint:
    """An installed package's entry point."""

    name = "plug"

    def __init__(self, made: object) -> None:
        self._made = made

    def load(self) -> object:
        return lambda settings: self._made


def test_the_setting_chooses_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting finds a shipped source or that of a package. An unknown name is refused with the names there are; so
    is an entry point that gives no source."""
    path = recording(tmp_path / "a.parquet")
    known: Source = ReplaySource(ReplayBlock(recordings=[path], speed=1.0))
    entry_points: list[FakeEntryPoint] = [FakeEntryPoint(known)]
    monkeypatch.setattr("tickflag.services.feed.sources.registry.entry_points", lambda group: entry_points)

    def chosen(name: str) -> Source:
        return open_source(Settings.model_validate({"feed": {"source": name}, "replay": {"recordings": [path]}}))

    assert type(chosen("synthetic")).__name__ == "SyntheticSource"
    assert isinstance(chosen("replay"), ReplaySource)
    assert chosen("plug") is known
    with pytest.raises(TickflagError, match=r"no source 'nope' \(there are: synthetic, replay, plug\)"):
        chosen("nope")
    entry_points[0] = FakeEntryPoint("text")
    with pytest.raises(TickflagError, match="source plugin 'plug' gives a str, not a Source"):
        chosen("plug")
