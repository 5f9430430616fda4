"""Replays of recordings: the same every time, the same with and without tracking, and what the oracle says."""

import math
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.generated import KLINES, TICKS
from tests.support.markets.replays import EVERY_CYCLE, ReplayOutcome, replay, replay_process, run, write_ticks
from tests.support.oracles.oracle import Oracle
from tests.support.oracles.oracle_rules import RULES

# Recording -> traders that must give signals there, so that agreement means something.
BUSY = {
    "generated ticks": {"busiest", "one-sided", "spread", "top-movers"},
    "generated candles and ticks": {rule.name for rule in RULES},
    "us equity ticks": {rule.name for rule in RULES} - {"breakout"},
    "aapl option candles": {"busiest", "drift", "ma-cross", "rsi", "top-movers", "volume-surge"},
    "binance futures capture": {"busiest", "spread", "top-movers"},
}
REAL = [name for name in BUSY if not name.startswith("generated")]


class ReplaysOfRecording:
    """A recording and the ways to play it, each at most once."""

    def __init__(self, name: str, paths: Sequence[Path], traders: Path) -> None:
        self.name = name
        self.paths = paths
        self._arguments: list[str | Path] = ["--traders", traders, *paths]

    @cached_property
    def default(self) -> ReplayOutcome:
        return replay(*self._arguments)

    @cached_property
    def process(self) -> ReplayOutcome:
        return replay_process(*self._arguments)

    @cached_property
    def full(self) -> ReplayOutcome:
        return replay("--full", *self._arguments)

    @cached_property
    def every_cycle(self) -> ReplayOutcome:
        return replay(*self._arguments, settings=EVERY_CYCLE)

    @cached_property
    def full_every_cycle(self) -> ReplayOutcome:
        return replay("--full", *self._arguments, settings=EVERY_CYCLE)

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(self.paths).run()


@pytest.fixture(scope="module")
def traders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped traders, and three that do what none of these does."""
    folder = tmp_path_factory.mktemp("traders")
    for path in (*ROOT.glob("plugins/*.py"), *ROOT.glob("tests/support/traders/*.py")):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module", params=BUSY)
def recorded(
    request: pytest.FixtureRequest, traders: Path, tmp_path_factory: pytest.TempPathFactory
) -> ReplaysOfRecording:
    """Each recording in turn: the generated one, and parts of real ones."""
    name = request.param
    if name in REAL:
        folder = request.getfixturevalue("test_data")
        paths = [_real(name, folder, tmp_path_factory.mktemp("real"))]
    else:
        paths = [KLINES, TICKS] if "candles" in name else [TICKS]
    return ReplaysOfRecording(name, paths, traders)


def _real(name: str, folder: Path, to: Path) -> Path:
    """A real recording, or a part of it that is played in seconds."""
    if name == "us equity ticks":
        frame = pd.read_parquet(folder / "ticks_us_equity_20131007.parquet")
        begin, end = pd.Timestamp("2013-10-07 13:30").value, pd.Timestamp("2013-10-07 15:40").value
        part = frame[(frame.ts_ns >= begin) & (frame.ts_ns < end)].iloc[::600]
        part.to_parquet(to / "ticks.parquet")
        return to / "ticks.parquet"
    if name == "aapl option candles":
        frame = pd.read_parquet(folder / "klines_1m_aapl_options_20140606.parquet")
        frame.iloc[:4_500].to_parquet(to / "klines.parquet")
        return to / "klines.parquet"
    return folder / "raw_cryptofeed_binance_futures.jsonl.gz"


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def test_two_runs_print_the_same_bytes(recorded: ReplaysOfRecording) -> None:
    """Also in two processes; nothing is complained of."""
    assert recorded.process.stdout == recorded.default.stdout
    assert recorded.process.status == recorded.default.status == 0
    assert recorded.process.stderr == recorded.default.stderr == ""


@pytest.mark.parametrize("settings", ["default", "every_cycle"])
def test_signals_are_numbered_and_add_up(recorded: ReplaysOfRecording, settings: str) -> None:
    """Every signal fits the one before; what entered and did not leave is what the summary holds."""
    outcome: ReplayOutcome = getattr(recorded, settings)
    matching: dict[str, set[str]] = {rule.name: set() for rule in RULES}
    for number, signal in enumerate(outcome.signals, start=1):
        assert list(signal) == ["seq", "trader", "symbol", "event", "score", "time_ms", "cycle"]
        assert signal["seq"] == number
        symbols = matching[signal["trader"]]
        assert (signal["symbol"] in symbols) == (signal["event"] != "entered")
        if signal["event"] == "entered":
            symbols.add(signal["symbol"])
        elif signal["event"] == "left":
            symbols.remove(signal["symbol"])
    assert {name: set(matches) for name, matches in outcome.summary["matches"].items()} == matching
    times = [signal["time_ms"] for signal in outcome.signals]
    assert times == sorted(times)


def test_the_summary(recorded: ReplaysOfRecording) -> None:
    """The summary's fields agree with one another and with the oracle's market."""
    summary, market = recorded.default.summary, recorded.oracle.market
    assert set(summary) >= {
        "matches", "ticks", "cycles", "symbols", "processed", "skipped", "efficiency", "bytes_sent", "bytes_full",
        "failed", "refused",
    }  # fmt: skip
    assert (summary["ticks"], summary["symbols"]) == (market.applied, len(market.symbols))
    assert recorded.every_cycle.summary["cycles"] == recorded.oracle.cycles
    assert 0 < summary["cycles"] < 2 * recorded.oracle.cycles
    assert summary["efficiency"] == summary["skipped"] / (summary["processed"] + summary["skipped"])
    assert 0 < summary["bytes_sent"] < summary["bytes_full"]
    assert summary["rejected"] == 0


def test_processing_all_symbols_gives_the_same_signals(recorded: ReplaysOfRecording) -> None:
    """With tracking off everything is the same but the work."""
    default, full = recorded.default, recorded.full
    assert full.stdout.splitlines()[:-1] == default.stdout.splitlines()[:-1]
    for name in ("matches", "ticks", "cycles", "symbols", "bytes_full"):
        assert full.summary[name] == default.summary[name]
    work, all_work = default.summary, full.summary
    assert work["processed"] + work["skipped"] == all_work["processed"]
    assert all_work["skipped"] == 0
    assert work["processed"] < all_work["processed"]


def _assert_oracles(found: list[dict[str, Any]], oracle: Oracle) -> None:
    """Check for the same signals in the same order, at the same time, in the same cycle."""
    for signal, expected in zip(found, oracle.signals, strict=False):
        same = {name: value for name, value in signal.items() if name not in ("seq", "score")}
        assert same == {name: value for name, value in vars(expected).items() if name != "score"}
        assert _close(signal["score"], expected.score), (signal, expected)
    assert len(found) == len(oracle.signals)


@pytest.mark.parametrize("settings", ["every_cycle", "full_every_cycle"])
def test_every_signal_is_the_oracles(recorded: ReplaysOfRecording, settings: str) -> None:
    """With a cycle for each moment every signal is the oracle's, with tracking and without."""
    found = getattr(recorded, settings).signals
    _assert_oracles(found, recorded.oracle)
    assert {signal["trader"] for signal in found} >= BUSY[recorded.name]


@pytest.mark.parametrize("settings", ["default", "full", "every_cycle"])
def test_the_last_matches_are_the_oracles(recorded: ReplaysOfRecording, settings: str) -> None:
    """The last matches are the oracle's, whatever was conflated or put off on the way."""
    found: dict[str, dict[str, Any]] = getattr(recorded, settings).summary["matches"]
    assert found.keys() == recorded.oracle.matches.keys()
    for trader, matches in recorded.oracle.matches.items():
        assert found[trader].keys() == matches.keys(), trader
        assert all(_close(found[trader][symbol], score) for symbol, score in matches.items()), trader


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Six quotes of two symbols, 20 ms apart: the spread of A is wide, then narrow; that of B is wide twice."""
    quotes = [
        ("A", 9.0, 11.0),
        ("B", 8.0, 12.0),
        ("A", 10.0, 10.001),
        ("B", 10.0, 10.001),
        ("B", 9.5, 10.5),
        ("A", 9.0, 9.0),
    ]
    rows = [(10**18 + n * 20_000_000, name, None, None, bid, ask) for n, (name, bid, ask) in enumerate(quotes)]
    return write_ticks(tmp_path / "small.parquet", rows)


def test_what_people_see(small: Path) -> None:
    """One line for each signal, with its UTC time to the millisecond; then each trader's matches, the cost,
    and why the others found nothing."""
    lines = run("replay", small, settings=EVERY_CYCLE).stdout.splitlines()
    assert lines[:2] == [
        "2001-09-09 01:46:40.000  spread           entered  A                            0.2",
        "2001-09-09 01:46:40.020  spread           entered  B                            0.4",
    ]
    assert "spread               1 matches  B 0.1" in lines
    cost = next(place for place, line in enumerate(lines) if line.startswith("6 updates of 2 symbols in 6 cycles; "))
    assert (
        "breakout: evaluated 6 times, but no symbol had 20 closed candles of 5m (there was none)" in lines[cost + 1 :]
    )


def test_the_pace_changes_nothing(small: Path) -> None:
    """At ten times real speed the same bytes are printed as at once."""
    assert replay("--speed", "10", small).stdout == replay(small).stdout


@pytest.fixture(params=["generated ticks", "binance futures capture", "us equity ticks"])
def half_a_minute(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A recording of half a minute."""
    if request.param == "binance futures capture":
        return _real(request.param, request.getfixturevalue("test_data"), tmp_path)
    path, begin = TICKS, "2024-03-04 14:10:00"
    if request.param == "us equity ticks":
        path, begin = request.getfixturevalue("test_data") / "ticks_us_equity_20131007.parquet", "2013-10-07 13:29:50"
    frame, start_ns = pd.read_parquet(path), pd.Timestamp(begin).value
    part = tmp_path / "part.parquet"
    frame[(frame.ts_ns >= start_ns) & (frame.ts_ns < start_ns + 25_000_000_000)].to_parquet(part)
    return part


@pytest.mark.parametrize("options", [[], ["--full"]], ids=["flagged", "full"])
def test_the_pace_of_a_recording_changes_nothing(half_a_minute: Path, traders: Path, options: list[str]) -> None:
    """Half a minute of a market, with every trader, at ten times real speed: the same bytes as at once, which are the
    oracle's signals."""
    slow, fast = (
        replay("--speed", speed, "--traders", traders, *options, half_a_minute, settings=EVERY_CYCLE)
        for speed in ("10", "max")
    )
    assert slow.status == 0
    assert slow.stdout == fast.stdout
    oracle = Oracle([half_a_minute]).run()
    assert oracle.signals
    _assert_oracles(slow.signals, oracle)
    assert len(fast.signals) > 10
