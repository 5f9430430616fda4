"""`tickflag replay --sweep`: every combination of settings gives what the trader gives alone with these settings."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.generated import KLINES, TICKS
from tests.support.markets.replays import ReplayOutcome, replay, run
from tickflag.common.settings import Settings
from tickflag.services.feed.recordings import open_recording
from tickflag.services.replay.replay import Replay
from tickflag.services.replay.study.study import parse_horizons
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

PLUGINS = ROOT / "plugins"
HORIZONS = "1m,5m"


def _swept(*arguments: str | Path) -> ReplayOutcome:
    return replay("--traders", PLUGINS, "--horizons", HORIZONS, *arguments, KLINES, TICKS)


def _alone(trader: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The study of the trader's own replay."""
    plugin = load_plugin(PLUGINS / f"{trader}.py", settings=settings)
    recordings = [open_recording(path) for path in (KLINES, TICKS)]
    defaults = Settings()
    with Replay(defaults, recordings, [plugin], pytest.fail, horizons=parse_horizons(HORIZONS)) as engine:
        for _ in engine.run():
            pass
        return engine.summary().traders[trader]


def test_each_combination_is_a_run_of_its_own() -> None:
    """The grid has the order given, with the last setting changing fastest; the numbers are those of a single
    replay."""
    periods, limits = [7, 14], [20, 25.5]
    outcome = _swept("--sweep", "rsi.period=7,14", "--sweep", "rsi.oversold=20, 25.5")
    assert (outcome.status, outcome.stderr) == (0, "")
    found = [line["combination"] for line in outcome.lines]
    assert [one["settings"] for one in found] == [
        {"period": period, "oversold": limit} for period, limit in itertools.product(periods, limits)
    ]
    for one in found:
        alone = _alone("rsi", one["settings"])
        assert one == {"trader": "rsi", "settings": one["settings"], **alone, "failed": 0, "hindered": None}
    assert len({one["entered"] for one in found}) == len(found)


def test_traders_have_grids_of_their_own() -> None:
    """Traders that are not swept do not run."""
    outcome = _swept("--sweep", "rsi.period=7,9", "--sweep", "breakout.candles=5,20", "--sweep", "rsi.interval=1m,5m")
    found = [(line["combination"]["trader"], line["combination"]["settings"]) for line in outcome.lines]
    assert found == [
        *(("rsi", {"period": period, "interval": interval}) for period in (7, 9) for interval in ("1m", "5m")),
        *(("breakout", {"candles": candles}) for candles in (5, 20)),
    ]


def test_a_row_each() -> None:
    """The table for people has the settings, then their results; so too in a period."""
    arguments = ("--from", "2024-03-04T14:00", "--to", "2024-03-04T14:10", "--sweep", "rsi.period=7,14")
    outcome = run("replay", "--traders", PLUGINS, "--horizons", "1m", *arguments, KLINES, TICKS)
    rows = outcome.stdout.splitlines()
    assert rows[0] == "rsi"
    assert " ".join(rows[1].split()) == ("period entered left time in set held mean 1m mean 1m baseline 1m hit rate")
    assert [row.split()[0] for row in rows[2:4]] == ["7", "14"]


def test_a_combination_that_cannot_run_is_left_out() -> None:
    """The combination is named with its reason, and the exit code tells of it; where none is left, that is an error."""
    outcome = _swept("--sweep", "rsi.period=14,500")
    assert outcome.status == 1
    assert [line["combination"]["settings"] for line in outcome.lines] == [{"period": 14}]
    assert outcome.stderr == "rsi period=500: trader 'rsi' does not run: look-back must be 1 to 101, not 1500\n"
    outcome = _swept("--sweep", "rsi.period=500")
    assert outcome.status == 1
    assert outcome.stderr.endswith("tickflag: no combination of the sweep runs\n")


@pytest.mark.parametrize(
    ("sweeps", "status", "words"),
    [
        (["rsi"], 2, "'rsi': use TRADER.SETTING=VALUE,VALUE as rsi.period=7,14,21"),
        (["period=7"], 2, "use TRADER.SETTING=VALUE,VALUE"),
        (["rsi.period="], 2, "use TRADER.SETTING=VALUE,VALUE"),
        (["rsi.period=7,,14"], 2, "use TRADER.SETTING=VALUE,VALUE"),
        (["rsi.=7"], 2, "use TRADER.SETTING=VALUE,VALUE"),
        (["rsi.period=7", "rsi.period=14"], 2, "rsi.period is given twice"),
        (["rsi.a=" + ",".join("x" * 40), "rsi.b=" + ",".join("x" * 40)], 2, "more than 1,000 combinations"),
        (["rsy.period=7"], 1, "no trader 'rsy' to replay with; there is breakout"),
        (["rsi.periods=7"], 1, "rsi periods=7: settings.periods: no such setting"),
        (["rsi.period=7,many"], 1, "rsi period=many: settings.period: Input should be a valid integer"),
        (["spread.width=1"], 1, "spread width=1: settings: spread.py has no settings of its own"),
    ],
)
def test_what_cannot_be_swept(sweeps: list[str], status: int, words: str) -> None:
    """The error names the sweep at fault before anything is played."""
    outcome = _swept(*(word for sweep in sweeps for word in ("--sweep", sweep)))
    assert (outcome.status, outcome.stdout) == (status, "")
    assert words in outcome.stderr


@pytest.mark.parametrize("others", [["--only", "rsi"], ["--report", "x"], ["--chart", "x.html"]])
def test_what_does_not_go_together(others: list[str]) -> None:
    """Wrong usage, with both names."""
    outcome = _swept("--sweep", "rsi.period=7", *others)
    assert outcome.status == 2
    assert f"--sweep and {others[0]} do not go together" in outcome.stderr
