"""Circuits at work in an engine: a trader that fails too often is quarantined or falls back, is tried, and returns."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses import workers
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import TRADERS, settled, write_ledger, write_ledger_traders
from tickflag.common.errors import TickflagError

# The defaults, but faster.
QUICK = {
    "TICKFLAG_RECOVERY__ERRORS": "5",
    "TICKFLAG_RECOVERY__CLEAN_CYCLES": "5",
    "TICKFLAG_RECOVERY__LEAST_S": "0.2",
    "TICKFLAG_RECOVERY__BACKOFF_S": "1",
    "TICKFLAG_RECOVERY__BACKOFF_LIMIT_S": "60",
    "TICKFLAG_RECOVERY__PROBE_S": "2",
    "TICKFLAG_TRADER__RESTART_MS": "20",
    "TICKFLAG_TRADER__HEARTBEAT_MS": "200",
    "TICKFLAG_FEED__HEARTBEAT_MS": "100",
    "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "20",
    "TICKFLAG_SYNTHETIC__RATE": "300",
    "TICKFLAG_SYNTHETIC__SYMBOLS": "100",
}
# Fails in the way that a file names, for as long as the file does so.
MOODY = """
    from pathlib import Path

    MOOD = Path({mood!r})

    @hookimpl
    def evaluate(market):
        mood = MOOD.read_text() if MOOD.exists() else ""
        if mood == "raises":
            raise ValueError("out of luck")
        if mood == "leaves":
            os._exit(7)
        return market.last > 0, market.last
"""
GOOD = """
    @hookimpl
    def evaluate(market):
        return market.last > 0, market.last
"""

BY_SETTING = """
    from pydantic import BaseModel

    class Mine(BaseModel):
        divisor: int = 1

    @hookimpl
    def settings():
        return Mine

    @hookimpl
    def evaluate(market, settings):
        return market.last > 1 // settings.divisor
"""


@pytest.fixture
def mood(tmp_path: Path) -> Path:
    return tmp_path / "mood"


@pytest.fixture
def backoff_s() -> str:
    return "1"


@pytest.fixture
def engine(tmp_path: Path, mood: Path, backoff_s: str) -> Iterator[Engine]:
    """Two traders, of which `moody` fails in the way that the file `mood` names."""
    folder = tmp_path / "traders"
    write_trader(folder, "moody", MOODY.format(mood=str(mood)))
    write_trader(folder, "steady", GOOD)
    with Engine(tmp_path, {**QUICK, "TICKFLAG_RECOVERY__BACKOFF_S": backoff_s}, folder) as engine:
        engine.start()
        engine.wait_ready()
        yield engine


def _circuits(engine: Engine, trader: str) -> dict[str, str]:
    found: dict[str, str] = engine.trader(trader)["circuits"]
    return found


def _steps(engine: Engine, what: str, trader: str) -> list[tuple[str, str]]:
    """The changes of a circuit, in the order of its notices."""
    page = engine.request("collector", "notices", since=0)
    assert [one["seq"] for one in page["notices"]] == list(range(1, page["last_seq"] + 1))
    return [(n["before"], n["after"]) for n in page["notices"] if (n["what"], n["trader"]) == (what, trader)]


@pytest.mark.parametrize(("how", "kind"), [("raises", "raise"), ("leaves", "exit")])
def test_a_trader_that_fails_is_fenced_off_and_returns(engine: Engine, mood: Path, how: str, kind: str) -> None:
    """A trader goes through fresh start, quarantine and probe, and is trusted again by itself; the others miss no cycle
    and keep their process."""
    before = workers.line(engine, "steady")
    mood.write_text(how)
    engine.wait(lambda: engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    assert "failed too often" in engine.trader("moody")["reason"]
    with pytest.raises(TickflagError, match="is quarantined: `tickflag trader release moody`"):
        engine.request("trader", "start", trader="moody")
    errors = engine.request("collector", "errors", trader="moody")["errors"]
    assert {error["kind"]: error["count"] >= 5 for error in errors} == {kind: True}
    engine.wait(lambda: ("open", "half-open") in _steps(engine, "plugin circuit", "moody"), what="it is tried again")
    mood.unlink()
    engine.wait(lambda: _circuits(engine, "moody")["plugin"] == "closed", what="it is trusted again")
    steps = _steps(engine, "plugin circuit", "moody")
    assert steps[:3] == [("closed", "half-open"), ("half-open", "open"), ("open", "half-open")]
    assert steps[-1] == ("half-open", "closed")
    engine.wait(lambda: engine.trader("moody")["state"] == "running" and engine.trader("moody")["synced"], what="runs")
    engine.wait(lambda: set(engine.matches("moody")) == set(engine.matches("steady")), what="all matches are back")
    after = workers.line(engine, "steady")
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])
    assert engine.trader("steady")["failures"] == 0
    assert _circuits(engine, "steady") == {"tracking": "closed", "plugin": "closed"}
    assert "plugin circuit" in engine.output("collector")


@pytest.mark.parametrize("backoff_s", ["60"])
def test_an_operator_releases(engine: Engine, mood: Path) -> None:
    """An operator's release acts at once, whatever the backoff. The command line shows circuits, errors and notices."""
    mood.write_text("raises")
    engine.wait(lambda: engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    assert "quarantined" in engine.cli("traders").stdout
    assert "moody" in engine.cli("circuits").stdout
    shown = engine.cli("errors", "moody", "--stack").stdout
    assert "ValueError: out of luck (line " in shown
    assert "moody.py" in shown
    mood.unlink()
    outcome = engine.cli("trader", "release", "moody")
    assert outcome.stdout == "moody is released: both circuits are closed\n"
    engine.wait(lambda: engine.trader("moody")["state"] == "running", what="it runs")
    assert _circuits(engine, "moody")["plugin"] == "closed"
    assert "released by" in engine.cli("notices").stdout
    assert engine.cli("trader", "release", "steady").returncode == 1


@pytest.mark.parametrize("backoff_s", ["60"])
def test_other_settings_end_a_quarantine(engine: Engine) -> None:
    """Settings that mend a trader count as much as a file: nothing is held against it, and no list shows the fault."""
    tables = engine.folder / "configs" / "traders.toml"
    write_trader(engine.plugins, "moody", BY_SETTING)
    tables.write_text("[moody]\nsettings = { divisor = 0 }\n")
    engine.wait(lambda: engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    assert "by zero" in engine.trader("moody")["fault"]
    tables.write_text("[moody]\nsettings = { divisor = 2 }\n")
    engine.wait(lambda: _circuits(engine, "moody")["plugin"] == "closed", what="nothing is held against it")
    assert engine.trader("moody")["fault"] == ""
    engine.wait(lambda: engine.trader("moody")["state"] == "running" and engine.trader("moody")["synced"], what="runs")
    assert "it runs with other settings" in engine.cli("notices").stdout
    assert "by zero" not in engine.cli("traders").stdout


@pytest.mark.parametrize("backoff_s", ["60"])
def test_another_version_ends_a_quarantine(engine: Engine, mood: Path) -> None:
    """A mended file runs at once and does not wait for the next probe."""
    mood.write_text("raises")
    engine.wait(lambda: engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    write_trader(engine.plugins, "moody", GOOD)
    engine.wait(lambda: _circuits(engine, "moody")["plugin"] == "closed", what="nothing is held against it")
    engine.wait(lambda: engine.trader("moody")["state"] == "running" and engine.trader("moody")["synced"], what="runs")


def test_circuits_and_flags_survive_the_collector(engine: Engine, mood: Path) -> None:
    """The collector is killed again and again while a trader fails and an operator acts.

    What it told stays told, what it answered stays set, and all goes on from there.
    """
    mood.write_text("leaves")
    known: list[tuple[str, str]] = []
    for percentage in (10.0, 20.0, 30.0):
        engine.request("collector", "flags.set", flag="batch_mode", value=percentage, who="ann")
        engine.wait(lambda: len(_steps(engine, "plugin circuit", "moody")) > len(known), what="its circuit moves")  # noqa: B023 - asked at once
        told = _steps(engine, "plugin circuit", "moody")
        assert told[: len(known)] == known
        known = told
        engine.kill("collector", signal.SIGKILL)
        engine.start("collector")
        after = engine.wait(lambda: _steps(engine, "plugin circuit", "moody"), what="the collector answers")
        assert after[: len(known)] == known
        history = engine.request("collector", "flags.history", flag="batch_mode")
        assert [change["after"] for change in reversed(history)][-1] == percentage
    engine.wait(lambda: engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    [error] = [e for e in engine.request("collector", "errors")["errors"] if e["trader"] == "moody"]
    assert error["kind"] == "exit"
    signals = engine.signals()
    assert [signal["seq"] for signal in signals] == list(range(1, len(signals) + 1))


def test_a_wrong_swap_is_noticed_and_made_good(tmp_path: Path) -> None:
    """Where flags are lost, an audit finds it, tracking falls back to all symbols, and the matches are right."""
    ledger = write_ledger(tmp_path)
    folder = write_ledger_traders(tmp_path / "traders")
    env: dict[str, Any] = {
        **QUICK,
        "TICKFLAG_FEED__SOURCE": "replay",
        "TICKFLAG_REPLAY__RECORDINGS": f'["{ledger.path}"]',
        "TICKFLAG_FEED__RATE_LIMIT_MS": "30",
        "TICKFLAG_RECOVERY__BACKOFF_S": "60",
        "TICKFLAG_AUDIT__SHARE": "100",
        "TICKFLAG_AUDIT__BUDGET": "1",
    }
    with Engine(tmp_path, env, folder) as engine:
        # A trader that comes when all is written evaluates all anyway, and no lost flag matters to it.
        engine.start_feed_last(sys.executable, "-m", "tests.support.harnesses.wrong_feed")
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        for trader in TRADERS:
            assert _circuits(engine, trader) == {"tracking": "open", "plugin": "closed"}
            assert _steps(engine, "tracking circuit", trader) == [("closed", "open")]
        errors = engine.request("collector", "errors")["errors"]
        assert {(error["trader"], error["kind"]) for error in errors} == {(trader, "audit") for trader in TRADERS}
        assert "SYM" in errors[0]["stack"]
