"""Feature flags in a replay, where there is no collector to set any."""

from pathlib import Path

import pytest

from tests.support.markets.generated import TICKS
from tests.support.markets.replays import replay

TRADER = """\
from pydantic import BaseModel
from tickflag import Trader, hookimpl

class Own(BaseModel):
    level: float = 50.0

@hookimpl
def settings():
    return Own

@hookimpl
def trader():
    return Trader(name="side", flags={"low": False})

@hookimpl
def evaluate(market, settings):
    return market.last < settings.level if market.on("low") else market.last > settings.level
"""


@pytest.fixture
def traders(tmp_path: Path) -> Path:
    """A folder with one trader, whose feature flag `low` is off."""
    (tmp_path / "side.py").write_text(TRADER)
    return tmp_path


def test_a_traders_flag(traders: Path) -> None:
    """The feature flag is as declared, or as option or setting say; the option counts more."""
    declared = replay("--traders", traders, TICKS).summary["matches"]["side"]
    low = replay("--traders", traders, "--flag", "low=on", TICKS).summary["matches"]["side"]
    assert declared
    assert low
    assert not declared.keys() & low.keys()
    by_setting = {"TICKFLAG_FLAGS__LOW": "true"}
    assert replay("--traders", traders, TICKS, settings=by_setting).summary["matches"]["side"] == low
    back = replay("--traders", traders, "--flag", "low=off", TICKS, settings=by_setting)
    assert back.summary["matches"]["side"] == declared


def test_the_engines_flags(traders: Path) -> None:
    """Without tracking nothing is skipped; with the rate limit off it is as if none were set; the matches are the
    same."""
    limited = {"TICKFLAG_FEED__RATE_LIMIT_MS": "300"}  # more than the time between two swaps
    usual = replay("--traders", traders, TICKS, settings=limited)
    full = replay("--traders", traders, "--flag", "per_symbol_tracking=off", TICKS, settings=limited)
    assert usual.summary["skipped"] > full.summary["skipped"] == 0
    assert full.summary["matches"] == usual.summary["matches"]
    free = replay("--traders", traders, "--flag", "symbol_rate_limit=off", TICKS, settings=limited)
    assert free.stdout != usual.stdout
    assert free.stdout == replay("--traders", traders, TICKS, settings={"TICKFLAG_FEED__RATE_LIMIT_MS": "0"}).stdout


@pytest.mark.parametrize("mode", [[], ["--against", "full"], ["--sweep", "side.level=40,60"]])
def test_every_kind_of_replay_takes_them(traders: Path, mode: list[str]) -> None:
    """Each refuses an unknown feature flag, and names those there are."""
    assert replay("--traders", traders, "--flag", "low=on", *mode, TICKS).status == 0
    outcome = replay("--traders", traders, "--flag", "high=on", *mode, TICKS)
    assert outcome.status == 1
    assert "no feature flag 'high': known are per_symbol_tracking, " in outcome.stderr
    assert outcome.stderr.rstrip().endswith(", low")


def test_wrong_usage(traders: Path) -> None:
    """The message says how to use the option."""
    outcome = replay("--traders", traders, "--flag", "low=maybe", TICKS)
    assert outcome.status == 2
    assert "'low=maybe': use NAME=on or NAME=off" in outcome.stderr
