"""Instances of one file with settings of their own, and traders that packages bring."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses import workers
from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import Ledger, ledger_env, played, write_ledger

LEVEL = """\
from pydantic import BaseModel, Field
from tickflag import Trader, hookimpl

class Level(BaseModel):
    above: float = Field(100.0, gt=0.0)

@hookimpl
def settings():
    return Level

@hookimpl
def trader(settings):
    return Trader(name="level")

@hookimpl
def evaluate(market, settings):
    return market.last > settings.above
"""
TABLES = (
    '[low]\nsource = "level"\nsettings = { above = 50.0 }\n[high]\nsource = "level"\nsettings = { above = 150.0 }\n'
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The recording that the feed plays: one second."""
    return write_ledger(tmp_path, ticks=600, seconds=1.0)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """An engine with the trader file `level.py`; nothing is started yet."""
    folder = tmp_path / "traders"
    folder.mkdir()
    (folder / "level.py").write_text(LEVEL)
    with Engine(tmp_path, ledger_env(ledger), folder) as engine:
        yield engine


def _above(ledger: Ledger, level: float) -> set[str]:
    return {symbol for symbol, price in ledger.last.items() if price > level}


def _wait_matches(engine: Engine, ledger: Ledger, name: str, level: float) -> None:
    expected = _above(ledger, level)
    engine.wait(
        lambda: played(engine, ledger) and set(engine.matches(name)) == expected, what=f"{name} above {level:g}"
    )


def test_several_instances_of_one_file(engine: Engine, ledger: Ledger) -> None:
    """Each instance has its name, settings and log. The file runs as its tables say, and not besides."""
    tables = engine.folder / "configs" / "traders.toml"
    tables.write_text(
        TABLES
        + '[off]\nsource = "level"\nenabled = false\n[gone]\n[wrong]\nsource = "level"\nsettings = { abov = 1 }\n'
    )
    engine.start()
    _wait_matches(engine, ledger, "low", 50.0)
    _wait_matches(engine, ledger, "high", 150.0)
    lines = {line["name"]: line for line in engine.request("trader", "traders")}
    assert {name: line["state"] for name, line in lines.items()} == {
        "low": "running", "high": "running", "off": "disabled", "gone": "skipped", "wrong": "skipped",
    }  # fmt: skip
    assert lines["off"]["reason"] == "`enabled` is false"
    assert lines["gone"]["reason"] == "traders.gone.source: no trader file or entry point 'gone'; there are level"
    assert lines["wrong"]["reason"] == "traders.wrong.settings.abov: no such setting; level.py has above"
    assert lines["low"]["log"] == "low"
    assert engine.cli("logs", "low").returncode == 0
    refused = engine.cli("trader", "restart", "level.py").stderr
    assert refused == "tickflag: no trader 'level.py': that file runs as high, low, off, wrong\n"

    # A change of one table concerns that instance only; a change that its model refuses concerns nobody.
    pids = {name: lines[name]["pid"] for name in ("low", "high")}
    tables.write_text(TABLES.replace("50.0 }", "0.0 }", 1))
    engine.wait(lambda: workers.line(engine, "low")["reason"], what="the value is refused")
    assert workers.line(engine, "low")["reason"] == (
        "new version refused: traders.low.settings.above: Input should be greater than 0"
    )
    tables.write_text(TABLES.replace("150.0", "120.0"))
    _wait_matches(engine, ledger, "high", 120.0)
    engine.wait(lambda: not workers.line(engine, "low")["busy"], what="low is left in peace")
    assert set(engine.matches("low")) == _above(ledger, 50.0)
    assert workers.line(engine, "high")["pid"] != pids["high"]

    # A tables file with a fault changes nothing; without tables the file runs once, under its own name.
    tables.write_text("[low\n")
    engine.wait(lambda: "changed settings refused" in engine.output("trader"), what="the fault is named")
    assert str(tables) in engine.output("trader")
    tables.write_text("")
    _wait_matches(engine, ledger, "level", 100.0)
    engine.wait(lambda: [t["name"] for t in engine.request("collector", "traders")] == ["level"], what="it is alone")


def test_without_reload_changes_wait_for_a_restart(engine: Engine, ledger: Ledger) -> None:
    """`trader.reload` is off: only an operator's command applies the change."""
    engine.env["TICKFLAG_TRADER__RELOAD"] = "false"
    engine.start()
    _wait_matches(engine, ledger, "level", 100.0)
    path = engine.plugins / "level.py"
    path.write_text(LEVEL.replace("100.0", "150.0"))
    (engine.plugins / "other.py").write_text(LEVEL.replace('"level"', '"other"'))
    assert engine.cli("trader", "restart", "level").returncode == 0
    _wait_matches(engine, ledger, "level", 150.0)
    assert [line["name"] for line in engine.request("trader", "traders")] == ["level"]


def test_packages(engine: Engine, ledger: Ledger, tmp_path: Path) -> None:
    """Entry points name modules with hooks; tables make instances of them; a broken module hurts only itself."""
    site = tmp_path / "site"
    info = site / "traders_of_mine-1.5.dist-info"
    info.mkdir(parents=True)
    (site / "of_mine.py").write_text(LEVEL.replace('"level"', '"packed"'))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: traders-of-mine\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(
        "[tickflag.traders]\nbroken = of_nobody\npacked = of_mine\nspare = of_mine\n"
    )
    (engine.folder / "configs" / "traders.toml").write_text('[low]\nsource = "spare"\nsettings = { above = 50.0 }\n')
    engine.env["PYTHONPATH"] = str(site)
    engine.start()
    _wait_matches(engine, ledger, "packed", 100.0)
    _wait_matches(engine, ledger, "low", 50.0)
    _wait_matches(engine, ledger, "level", 100.0)
    lines = {line["name"]: line for line in engine.request("trader", "traders")}
    assert (lines["packed"]["source"], lines["packed"]["trader_version"]) == ("of_mine", "1.5")
    assert lines["broken"]["state"] == "skipped"
    assert lines["broken"]["reason"].startswith("broken (of_nobody): does not import: ModuleNotFoundError")
    assert sys.path  # nothing of the package was imported here
    assert "of_mine" not in sys.modules
