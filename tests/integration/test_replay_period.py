"""Replays of a part of a recording: what is history, what counts, and which traders run."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import KLINES, START_MS, TICKS
from tests.support.markets.replays import EVERY_CYCLE, ReplayOutcome, replay, run, write_ticks
from tickflag.common.units import NS_PER_S

START_NS = START_MS * 1_000_000
CUT_MS = START_MS + 7 * 60_000 + 300  # in the middle of the ticks


def _iso(ms: int) -> str:
    return str(pd.Timestamp(ms, unit="ms").isoformat())


@cache
def _played(*arguments: str) -> ReplayOutcome:
    """Play our own recording with the shipped traders, a cycle for each moment."""
    return replay(*arguments, "--traders", ROOT / "plugins", KLINES, TICKS, settings=EVERY_CYCLE)


def _moves(signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals without numbers, and without moved scores, which depend on what was sent before."""
    return [
        {key: value for key, value in signal.items() if key != "seq" and (key != "score" or signal["event"] != "left")}
        for signal in signals
        if signal["event"] != "score"
    ]


def test_history_makes_the_market_that_traders_find() -> None:
    """Traders begin with what matched at that moment in the whole replay, and from then on give the same signals."""
    whole, part = _played().signals, _played("--from", _iso(CUT_MS)).signals
    matching = set()
    for signal in (one for one in whole if one["time_ms"] < CUT_MS):
        place = (signal["trader"], signal["symbol"])
        if signal["event"] == "entered":
            matching.add(place)
        elif signal["event"] == "left":
            matching.remove(place)
    opening = [signal for signal in part if signal["time_ms"] == CUT_MS]
    assert {signal["event"] for signal in opening} == {"entered"}
    assert {(signal["trader"], signal["symbol"]) for signal in opening} == matching
    assert len(opening) > 5
    assert _moves(part[len(opening) :]) == _moves([one for one in whole if one["time_ms"] >= CUT_MS])


def test_the_summary_counts_the_period_alone() -> None:
    """Updates and cycles before and after a moment add up to those of the whole; the final matches are the same."""
    whole, before = _played().summary, _played("--to", _iso(CUT_MS)).summary
    after = _played("--from", _iso(CUT_MS)).summary
    for name in ("ticks", "cycles"):
        assert before[name] + after[name] == whole[name]
        assert min(before[name], after[name]) > 100
    assert after["matches"] == whole["matches"]
    assert sum(digest["standing"] for digest in after["traders"].values()) > 5
    assert not any(digest["standing"] for digest in whole["traders"].values())


def test_the_end_cuts_off_the_rest() -> None:
    """Up to the end the signals are those of the whole replay."""
    whole, part = _played().signals, _played("--to", _iso(CUT_MS)).signals
    assert part == [signal for signal in whole if signal["time_ms"] < CUT_MS]


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A trade each 10 s for a minute, with the second as price; and a trader that matches every price above 9."""
    write_trader(tmp_path / "traders", "all", "@hookimpl\ndef evaluate(market):\n    return market.last\n", name="all")
    rows = [(START_NS + s * NS_PER_S, "A", float(s or 1), 1.0, None, None) for s in range(0, 61, 10)]
    return write_ticks(tmp_path / "steps.parquet", rows)


def _scores(steps: Path, *arguments: str) -> list[float]:
    outcome = replay("--traders", steps.parent / "traders", *arguments, steps, settings=EVERY_CYCLE)
    assert (outcome.status, outcome.stderr) == (0, "")
    return [signal["score"] for signal in outcome.signals]


def test_the_edges(steps: Path) -> None:
    """`--from` is included, `--to` is not; without history there is no opening; an offset and a date are understood."""
    at = {second: _iso(START_MS + second * 1_000) for second in range(0, 80, 5)}
    assert _scores(steps, "--from", at[20]) == [10, 20, 30, 40, 50, 60]
    assert _scores(steps, "--from", at[25], "--to", at[45]) == [20, 30, 40]
    assert _scores(steps, "--to", at[40]) == [1, 10, 20, 30]
    assert _scores(steps, "--from", at[0]) == [1, 10, 20, 30, 40, 50, 60]
    assert _scores(steps, "--from", at[60]) == [50, 60]
    assert _scores(steps, "--from", "2024-03-04", "--to", "2024-03-05") == [1, 10, 20, 30, 40, 50, 60]
    assert _scores(steps, "--from", "2024-03-04T16:00:45+02:00") == [40, 50, 60]
    assert _scores(steps, "--from", "2024-03-04T14:00:45Z") == [40, 50, 60]


def test_history_of_a_length(steps: Path) -> None:
    """What is older than the history at the beginning of the period is left out. A symbol may then be missing, and
    nothing opens."""
    start = _iso(START_MS + 45_000)
    assert _scores(steps, "--from", start, "--history", "5s") == [40, 50, 60]
    assert _scores(steps, "--from", start, "--history", "4s") == [50, 60]
    assert _scores(steps, "--from", start, "--history", "366d") == [40, 50, 60]
    part = replay("--traders", steps.parent / "traders", "--from", start, "--history", "20s", steps).summary
    assert (part["ticks"], part["traders"]["all"]["standing"]) == (2, 1)


def test_history_that_is_long_enough_changes_nothing() -> None:
    """For traders that look back no further, the signals are those of all history but for the numbers of the cycles;
    over candles and ticks."""

    def told(*options: str) -> list[tuple[Any, ...]]:
        signals = _played("--from", _iso(START_MS + 5 * 60_000), *options).signals
        names = ("trader", "symbol", "event", "score", "time_ms")
        return [
            tuple(signal[name] for name in names)
            for signal in signals
            if signal["trader"] in ("breakout", "spread", "volume-surge")
        ]

    whole = told()
    assert told("--history", "105m") == whole  # 20 candles of 5m, and a part of one more
    assert len(whole) > 100
    assert told("--history", "30m") != whole


def test_edges_amid_what_one_cycle_holds(tmp_path: Path) -> None:
    """Rows that are closer than the least time between swaps are told apart too. Rows that never came have no part in
    the study."""
    write_trader(tmp_path / "traders", "all", "@hookimpl\ndef evaluate(market):\n    return market.last\n")
    names = "AAAAAAB"
    rows = [(START_NS + n * NS_PER_S // 50, name, n + 1.0, 1.0, None, None) for n, name in enumerate(names)]
    arguments = ("--traders", tmp_path / "traders", write_ticks(tmp_path / "close.parquet", rows))
    edge = _iso(START_MS + 70)
    before, after = (replay(option, edge, *arguments).summary for option in ("--to", "--from"))
    assert (before["ticks"], after["ticks"]) == (4, 3)
    assert (before["matches"], after["matches"]) == ({"all": {"A": 4.0}}, {"all": {"A": 6.0, "B": 7.0}})
    told = before["traders"]["all"]
    assert (told["symbols"], told["time_in_set"]) == (1, 1.0)


def test_the_pace_is_that_of_the_period(steps: Path) -> None:
    """History passes at once: at 100 times real speed the last 20 s need 0.2 s, with the same signals."""
    start = _iso(START_MS + 40_000)
    assert _scores(steps, "--from", start, "--speed", "100") == _scores(steps, "--from", start)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--from", "yesterday"], 2, "'yesterday': use a UTC date or time as 2024-03-04"),
        (["--to", "2024-13-01"], 2, "'2024-13-01': use a UTC date or time"),
        (["--history", "2d"], 2, "--history goes together with --from"),
        (["--from", "2024-03-04", "--history", "2"], 2, "'2': use `all`, or a number and s, m, h or d, as 2d"),
        (["--from", "2024-03-04", "--history", "1m,2m"], 2, "'1m,2m': use `all`"),
        (["--from", "1969-12-31"], 2, "'1969-12-31': use a UTC date or time"),
        (
            ["--from", "2024-03-05"],
            1,
            "`--from` 2024-03-05 00:00:00.000 is after the recordings' end, 2024-03-04 14:01",
        ),
        (["--to", "2024-03-04T14:00"], 1, "`--to` 2024-03-04 14:00:00.000 is not after the recordings' start"),
        (
            ["--from", "2024-03-04T14:00:30", "--to", "2024-03-04T14:00:30"],
            1,
            "is not before `--to` 2024-03-04 14:00:30",
        ),
    ],
)
def test_a_period_that_is_none(steps: Path, arguments: list[str], status: int, words: str) -> None:
    """The option is named, with what is wrong with it."""
    outcome = run("replay", *arguments, "--traders", steps.parent / "traders", steps)
    assert outcome.status == status
    assert words in outcome.stderr


class TestChoice:
    """Which traders run."""

    @pytest.fixture
    def shipped(self, tmp_path: Path) -> Path:
        """A folder with two of the shipped traders, and another file beside it."""
        folder = tmp_path / "shipped"
        folder.mkdir()
        for name in ("rsi", "spread"):
            shutil.copy(ROOT / "plugins" / f"{name}.py", folder)
        return folder

    def test_several_places(self, shipped: Path, steps: Path) -> None:
        """Folders and files go together; a file that is named twice runs once."""
        places = [shipped, steps.parent / "traders" / "all.py", shipped / "rsi.py"]
        arguments = [word for place in places for word in ("--traders", str(place))]
        outcome = replay(*arguments, steps)
        assert outcome.stderr == ""
        assert set(outcome.summary["traders"]) == {"rsi", "spread", "all"}

    def test_only_some(self, shipped: Path, steps: Path) -> None:
        """Traders are chosen by the names they declare."""
        outcome = replay("--traders", shipped, "--traders", steps.parent / "traders", "--only", "all", steps)
        assert set(outcome.summary["traders"]) == {"all"}
        outcome = replay("--traders", shipped, "--only", "spread", "--only", "rsi", steps)
        assert set(outcome.summary["traders"]) == {"rsi", "spread"}

    def test_one_that_is_not_there(self, shipped: Path, steps: Path) -> None:
        """The error lists the traders there are."""
        outcome = replay("--traders", shipped, "--only", "rsy", steps)
        assert outcome.status == 1
        assert outcome.stderr == "tickflag: no trader 'rsy' to replay with; there is rsi, spread\n"

    def test_instances_as_the_engine_runs_them(self, shipped: Path, tmp_path: Path) -> None:
        """Without a path, those of `traders.toml` run with their settings, and every file that it does not name; no
        disabled one."""
        (tmp_path / "traders.toml").write_text(
            '[rsi_fast]\nsource = "rsi"\nsettings.period = 7\n'
            '[rsi_slow]\nsource = "rsi"\nsettings.period = 21\n'
            '[rsi_off]\nsource = "rsi"\nenabled = false\n'
            '[lost]\nsource = "gone"\n'
        )
        settings = {"TICKFLAG_CONFIG": str(tmp_path), "TICKFLAG_TRADER__PLUGINS": str(shipped)}
        outcome = replay("--horizons", "1m", KLINES, TICKS, settings=settings)
        told = outcome.summary["traders"]
        assert set(told) == {"rsi_fast", "rsi_slow", "spread"}
        [line] = outcome.stderr.splitlines()
        assert line.startswith("trader skipped: traders.lost.source: no trader file or entry point 'gone'")
        assert (outcome.status, list(refused := outcome.summary["refused"])) == (1, ["traders.lost"])
        assert "'gone'" in refused["traders.lost"]
        swept = replay("--horizons", "1m", "--sweep", "rsi_slow.oversold=30,20", KLINES, TICKS, settings=settings)
        first, second = (line["combination"] for line in swept.lines)
        assert first == {
            "trader": "rsi_slow",
            "settings": {"oversold": 30},
            "failed": 0,
            "hindered": None,
            **told["rsi_slow"],
        }
        assert 0 < second["entered"] < first["entered"] < told["rsi_fast"]["entered"]
        same = run("replay", "--against", "full", KLINES, TICKS, settings=settings)
        counts = f"{len(outcome.signals):,} signals, {outcome.summary['cycles']:,} cycles"
        lost, verdict = same.stdout.splitlines()
        assert lost.startswith("traders.lost: did not run: ")
        assert verdict == f"no difference, but a trader did not run: {counts}"
        assert same.status == 1
