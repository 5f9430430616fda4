"""`tickflag replay --against full`: sound traders are the same in every cycle; for others the first difference is
named."""

import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import KLINES, TICKS
from tests.support.markets.replays import replay, run
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.feed import FeedBlock
from tickflag.services.feed.recordings import open_recording
from tickflag.services.replay.lockstep import Lockstep
from tickflag.services.replay.player import Player
from tickflag.services.replay.tracking_diff import TrackingComparison, without_tracking
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

# Reads the price of another symbol, which it remembers from that symbol's last evaluation.
LAGGARD = """\
seen = {}

@hookimpl
def evaluate(market):
    seen.update(zip(market.symbols, market.last))
    return market.last > 1.001 * market.high_24h * 0.999 if "T00-USD" not in seen else market.last > seen["T00-USD"]
"""

# Counts its calls, of which there are fewer with tracking.
COUNTER = """\
calls = 0

@hookimpl
def evaluate(market):
    global calls
    calls += len(market)
    return np.where(market.last > 100.0, calls // 1_000, np.nan)
"""

FLAKY = """\
@hookimpl
def evaluate(market):
    if len(market) > 30:
        raise RuntimeError("too many")
    return market.last > 100.0
"""


@pytest.fixture
def traders(tmp_path: Path) -> Path:
    """The shipped traders and those of the tests. All are sound."""
    folder = tmp_path / "traders"
    folder.mkdir()
    for path in (*ROOT.glob("plugins/*.py"), *ROOT.glob("tests/support/traders/*.py")):
        shutil.copy(path, folder)
    return folder


def test_sound_traders_are_identical(traders: Path) -> None:
    """Over candles and ticks; signals and cycles are as many as in the replay itself."""
    alone = replay("--traders", traders, KLINES, TICKS)
    outcome = run("replay", "--against", "full", "--traders", traders, KLINES, TICKS)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout == f"identical: {len(alone.signals):,} signals, {alone.summary['cycles']:,} cycles\n"


@pytest.mark.parametrize("name", ["klines_1m_goog_options_20151224.parquet", "raw_cryptofeed_binance_futures.jsonl.gz"])
def test_real_recordings_are_identical(name: str, traders: Path, test_data: Path) -> None:
    """Real markets, too, give no difference."""
    outcome = replay("--against", "full", "--traders", traders, test_data / name)
    assert outcome.status == 0
    [line] = outcome.lines
    assert line["against"]["identical"]
    assert line["against"]["difference"] is None
    assert min(line["against"]["signals"], line["against"]["cycles"]) > 20


@pytest.mark.parametrize(("name", "body"), [("laggard", LAGGARD), ("counter", COUNTER)])
def test_the_first_difference_is_named(name: str, body: str, traders: Path) -> None:
    """Trader, symbol, cycle and time are those at which the streams of signals part, with the signal of each side."""
    write_trader(traders, name, body)
    arguments = ("--traders", traders, "--only", name, "--only", "spread", TICKS, "--to", "2024-03-04T14:04")
    outcome = run("replay", "--against", "full", *arguments)
    assert (outcome.status, outcome.stderr) == (1, "")
    [line] = outcome.stdout.splitlines()
    assert line.startswith(f"different: trader {name!r}, symbol 'T")

    found = replay("--against", "full", *arguments)
    assert found.status == 1
    told = found.lines[0]["against"]
    assert not told["identical"]
    difference = told["difference"]
    assert (difference["trader"], difference["what"]) == (name, "match")
    assert difference["flagged"] != difference["full"]
    assert f"cycle {difference['cycle']:,}, 2024-03-04 14:" in line
    flagged, full = replay(*arguments).signals, replay("--full", *arguments).signals
    pairs: Iterator[tuple[Any, Any]] = zip_longest(flagged, full)
    number, parted = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
    moment = min(signal["time_ms"] for signal in parted if signal)
    assert difference["time_ms"] == moment
    told_then = [signal for signal in flagged[number:] + full[number:] if signal["time_ms"] == moment]
    places = {(signal["trader"], signal["symbol"], signal["cycle"]) for signal in told_then}
    assert (name, difference["symbol"], difference["cycle"]) in places
    before = replay("--against", "full", *arguments, "--to", pd.Timestamp(moment, unit="ms").isoformat())
    assert before.lines[0]["against"]["identical"]


def test_a_fault_on_one_side_is_a_difference(traders: Path) -> None:
    """A trader fails only where all symbols come at once; its fault says on which side."""
    write_trader(traders, "flaky", FLAKY)
    outcome = run("replay", "--against", "full", "--only", "flaky", "--traders", traders, TICKS)
    assert outcome.status == 1
    assert outcome.stderr == "full: trader 'flaky': hook `evaluate` raised RuntimeError: too many (line 12)\n"
    failed, different = outcome.stdout.splitlines()
    assert failed.startswith("trader 'flaky' failed in ")
    assert failed.endswith(", first: hook `evaluate` raised RuntimeError: too many (line 12)")
    assert different.startswith("different: trader 'flaky'")
    assert outcome.stdout.endswith("match 1.0 with tracking, no match without\n")


def test_one_that_does_not_run_is_not_identical(traders: Path) -> None:
    """A trader that lacks its candles, or whose file is broken, was not compared: it is named, once."""
    write_trader(traders, "greedy", "@hookimpl\ndef evaluate(market):\n    return market.last > 1.0\n", channel="7m")
    (traders / "broken.py").write_text("x = 1")
    arguments = ("--against", "full", "--traders", traders, TICKS, "--to", "2024-03-04T14:01")
    found = replay(*arguments)
    told = found.lines[-1]["against"]
    assert (found.status, told["identical"], told["difference"]) == (1, False, None)
    assert sorted(told["refused"]) == ["broken.py", "greedy"]
    assert len(found.stderr.splitlines()) == 2
    outcome = run("replay", *arguments)
    assert outcome.status == 1
    broken, greedy, *_hindered, verdict = outcome.stdout.splitlines()
    assert broken == "broken.py: did not run: no hook `trader`: add a function `trader` marked with @hookimpl"
    assert greedy.startswith("greedy: did not run: this feed has no channel '7m'")
    assert verdict.startswith("no difference, but a trader did not run: ")


def test_a_fault_on_both_sides_is_not_identical(traders: Path) -> None:
    """A trader that never answers was not compared: it is named and counted, and the exit code is 1."""
    write_trader(traders, "bad", "@hookimpl\ndef evaluate(market):\n    raise RuntimeError('always')\n")
    arguments = ("--against", "full", "--only", "bad", "--traders", traders, TICKS, "--to", "2024-03-04T14:01")
    found = replay(*arguments)
    told = found.lines[-1]["against"]
    assert (found.status, told["identical"], told["difference"]) == (1, False, None)
    assert told["failed"] == {"bad": told["cycles"]}
    outcome = run("replay", *arguments)
    assert outcome.status == 1
    assert outcome.stdout.splitlines() == [
        f"trader 'bad' failed in {told['cycles']:,} cycles, first: hook `evaluate` raised RuntimeError: always "
        "(line 11)",
        f"no difference, but a trader failed: 0 signals, {told['cycles']:,} cycles",
    ]


def test_streams_are_compared_too(tmp_path: Path) -> None:
    """The same matches may give other signals: here one side leaves out small moves of a score."""
    body = "@hookimpl\ndef evaluate(market):\n    return market.last\n"
    fine = load_plugin(write_trader(tmp_path / "fine", "price", body))
    coarse = load_plugin(write_trader(tmp_path / "coarse", "price", body, score_step=1e9))
    settings = Settings()
    with Player(settings, [open_recording(TICKS)], pytest.fail) as player:
        sides = (
            Lockstep(settings, player.segment, [fine], pytest.fail),
            Lockstep(settings, player.segment, [coarse], pytest.fail),
        )
        comparison = TrackingComparison(player, *sides)
        cycles = sum(1 for _ in comparison.run())
    found = comparison.difference
    assert found is not None
    assert (found.trader, found.what, found.full) == ("price", "signal", None)
    assert found.flagged.startswith("score ")
    assert comparison.cycles == cycles


def test_tracking_is_off_on_one_side_only() -> None:
    """All other settings are as given."""
    settings = Settings(feed=FeedBlock(rate_limit_ms=7))
    other = without_tracking(settings)
    assert settings.trader.tracking
    assert not other.trader.tracking
    assert other.model_copy(update={"trader": settings.trader}) == settings


@pytest.mark.parametrize(
    "others",
    [["--full"], ["--sweep", "rsi.period=7"], ["--report", "x"], ["--chart", "x.html"]],
)
def test_what_does_not_go_together(others: list[str]) -> None:
    """Wrong usage: both options are named before any file is opened, and nothing is written."""
    outcome = run("replay", "--against", "full", *others, "--traders", "gone", "gone.parquet")
    assert outcome.status == 2
    assert f"--against and {others[0]} do not go together" in outcome.stderr
    assert outcome.stdout == ""
