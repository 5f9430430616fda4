"""`check`: what a person reads, what a program reads, and exit codes."""

import json
from pathlib import Path

import pytest

from common.runtime import Runtime
from tests.support.pages import ROOT
from tests.support.trader_files import vector, written

from .conftest import Run

BREAKOUT = ROOT / "plugins" / "breakout.py"


def test_a_good_trader(runtime: Runtime, run: Run) -> None:
    """Every check and the cost, for programs; exit code 0."""
    result = run("check", str(BREAKOUT), "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["ok"], document["file"]) == (True, str(BREAKOUT))
    checks = ["contract", "runs", "sample", "repeatable", "others", "order", "time", "tracking", "cost"]
    assert [check["check"] for check in document["checks"]] == checks
    assert document["cost"].keys() == {"symbols", "full_ms", "changed_ms", "symbol_us", "share"}


def test_a_bad_trader(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """A line for each check, with what it does and what to do; exit code 1. No cost where it cannot run."""
    result = run("check", str(written(tmp_path, vector("market.last > len(market)"))))
    assert result.exit_code == 1
    assert "ok   contract    trader 't' loads\n" in result.stdout
    assert "fail others      a match depends on other symbols: " in result.stdout
    assert ': declare `scope="market"`' in result.stdout
    document = json.loads(run("check", str(written(tmp_path, "")), "--json").stdout)
    assert (document["ok"], document["cost"]) == (False, None)


def test_settings_of_its_own(runtime: Runtime, run: Run) -> None:
    """As JSON where they can be; one that it does not have, or refuses, is a failed check."""
    rsi = str(ROOT / "plugins" / "rsi.py")
    for own, said in (("window=3", "settings.window: no such setting"), ("period=often", "settings.period: ")):
        result = run("check", rsi, "--settings", own)
        assert result.exit_code == 1
        assert said in result.stdout
    result = run("check", rsi, "--settings", "period=5", "--settings", "interval=7m")
    assert "no channel" in result.stdout or "keeps no '7m'" in result.stdout


def test_debugging(runtime: Runtime, run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In this process: what it prints is shown, and what it raises with its traceback."""
    file = written(tmp_path, vector("market.nothing > 1.0", "print('in the hook')"))
    result = run("check", str(file), "--debug")
    assert result.exit_code == 1
    assert "in the hook" in result.stdout
    assert "return market.nothing > 1.0" in result.stderr + capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.py",), "no such file: nowhere.py"),
        ((str(BREAKOUT), "--settings", "period"), "use KEY=VALUE"),
        ((str(BREAKOUT), "--debug", "--json"), "do not go together"),
    ],
)
def test_wrong_usage(runtime: Runtime, run: Run, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2."""
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
