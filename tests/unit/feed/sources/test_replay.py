"""Recordings as a live market: rows come at their time, times the speed; driven by times that the test gives."""

import gzip
import json
from pathlib import Path
from typing import cast

import pytest

from common.blocks import ReplayBlock
from common.errors import TickflagError
from common.log import Logger
from common.settings import Settings
from services.feed.sources.base import Source, Venue
from services.feed.sources.registry import open_source
from services.feed.sources.replay import ReplaySource
from tests.support.markets import NOON, SECOND
from tests.support.recorded_log import RecordedLog
from tests.support.replays import write_ticks

BEGAN_NS = 7 * SECOND
AT_S = (0.0, 1.0, 1.0, 4.0)


class Played:
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
        batches = self.source.drain(BEGAN_NS + int(after_s * SECOND), 0)
        return [float(price) for batch in batches for price in batch.rows["price"]]

    def next_s(self) -> float | None:
        next_ns = self.source.next_ns()
        return None if next_ns is None else (next_ns - BEGAN_NS) / SECOND


def recording(path: Path, first: float = 1.0, symbol: str = "A") -> Path:
    """Trades at 0, 1, 1 and 4 s after noon, with prices that count on from `first`."""
    rows = [(NOON + int(s * SECOND), symbol, first + n, 1.0, None, None) for n, s in enumerate(AT_S)]
    return write_ticks(path, rows)


@pytest.mark.parametrize("speed", [1.0, 10.0, 0.5])
def test_rows_come_at_their_time(tmp_path: Path, speed: float) -> None:
    """At real speed or a multiple of it: what is due and nothing else, and then it says when the next row is."""
    played = Played(recording(tmp_path / "a.parquet"), speed=speed)
    assert played.next_s() == 0.0
    assert played.prices(0.0) == [1.0]
    assert played.next_s() == 1.0 / speed
    assert played.prices(0.9 / speed) == []
    assert played.prices(1.0 / speed) == [2.0, 3.0]
    assert played.prices(60.0) == [4.0]
    assert played.next_s() is None
    assert played.prices(99.0) == []
    assert played.source.event_ns(BEGAN_NS + int(2 * SECOND / speed), 0) == NOON + 2 * SECOND
    assert played.log.lines == [("info", "recording ended", {"rejected": 0})]


def test_as_fast_as_possible(tmp_path: Path) -> None:
    """With speed 0 everything is due at once; the event time is that of the rows to come."""
    played = Played(recording(tmp_path / "a.parquet"), speed=0.0)
    assert played.next_s() == 0.0
    assert played.source.event_ns(BEGAN_NS, 0) == NOON
    assert played.prices(0.0) == [1.0, 2.0, 3.0, 4.0]
    assert played.next_s() is None


def test_several_are_one_market(tmp_path: Path) -> None:
    """Merged by time; at one time those of the first recording come first."""
    played = Played(recording(tmp_path / "a.parquet"), recording(tmp_path / "b.parquet", 11.0, "B"))
    assert played.prices(0.0) == [1.0, 11.0]
    assert played.prices(1.0) == [2.0, 3.0, 12.0, 13.0]
    assert played.names == ["A", "B"]


def test_rows_at_fault_are_logged(tmp_path: Path) -> None:
    """Each with file, row and column; the others are played, and the end tells how many were refused."""
    rows = [(NOON, "A", 1.0, 1.0, None, None), (NOON + 1, "A", -5.0, 1.0, None, None)]
    played = Played(write_ticks(tmp_path / "a.parquet", rows))
    assert played.prices(1.0) == [1.0]
    levels = [(level, event) for level, event, _ in played.log.lines]
    assert levels == [("warning", "row refused"), ("info", "recording ended")]
    fault = played.log.lines[0][2]["fault"]
    assert all(word in fault for word in ("a.parquet", "row 1", "price"))
    assert played.log.lines[1][2] == {"rejected": 1}


def test_a_recording_that_is_cut_off_ends_early(tmp_path: Path) -> None:
    """What could be read was played; one error names file and line, and the market falls silent."""
    lines = [
        json.dumps({"recv_ns": NOON + n, "msg": {"e": "trade", "s": "A", "p": str(n + 1), "q": "1", "T": n * 7919 + 1}})
        for n in range(20_000)
    ]
    whole = gzip.compress("\n".join(lines).encode())
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[:-4_000])
    played = Played(path, speed=0.0)
    prices: list[float] = []
    while played.source.next_ns() is not None:
        prices += played.prices(0.0)
    assert 0 < len(prices) < len(lines)
    assert prices == [float(n + 1) for n in range(len(prices))]
    (reason,) = [fields["reason"] for level, _, fields in played.log.lines if level == "error"]
    assert str(path) in reason
    assert f"line {len(prices)}" in reason


def test_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    """No file, and one that is not there: a mistake in the settings, told before anything starts."""
    with pytest.raises(TickflagError, match=r"`replay\.recordings` names no file"):
        ReplaySource(ReplayBlock(speed=1.0))
    with pytest.raises(TickflagError, match=r"nowhere\.parquet: cannot be opened"):
        ReplaySource(ReplayBlock(recordings=[tmp_path / "nowhere.parquet"], speed=1.0))


class Plug:
    """An installed package's entry point."""

    name = "plug"

    def __init__(self, made: object) -> None:
        self._made = made

    def load(self) -> object:
        return lambda settings: self._made


def test_the_setting_chooses_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipped one or that of a package; of an unknown name the known ones are told, and what is no source is not
    taken."""
    path = recording(tmp_path / "a.parquet")
    known: Source = ReplaySource(ReplayBlock(recordings=[path], speed=1.0))
    plugs: list[Plug] = [Plug(known)]
    monkeypatch.setattr("services.feed.sources.registry.entry_points", lambda group: plugs)

    def chosen(name: str) -> Source:
        return open_source(Settings.model_validate({"feed": {"source": name}, "replay": {"recordings": [path]}}))

    assert type(chosen("synthetic")).__name__ == "SyntheticSource"
    assert isinstance(chosen("replay"), ReplaySource)
    assert chosen("plug") is known
    with pytest.raises(TickflagError, match=r"no source 'nope' \(there are: synthetic, replay, plug\)"):
        chosen("nope")
    plugs[0] = Plug("text")
    with pytest.raises(TickflagError, match="source plugin 'plug' gives a str, not a Source"):
        chosen("plug")
