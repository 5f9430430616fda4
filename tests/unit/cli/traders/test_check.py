"""`check`: its output for people and for programs, and exit codes."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.trader_files import vector, written
from tests.unit.cli.conftest import Run
from tickflag.common.jit import cache_folder
from tickflag.common.runtime import Runtime
from tickflag.services.cli.traders.check import _compile_kernels

BREAKOUT = ROOT / "plugins" / "breakout.py"


def test_a_good_trader(runtime: Runtime, run: Run) -> None:
    """JSON has every check and the cost; exit code 0."""
    result = run("check", str(BREAKOUT), "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["ok"], document["file"]) == (True, str(BREAKOUT))
    checks = ["contract", "runs", "sample", "repeatable", "others", "order", "time", "tracking", "cost"]
    assert [check["check"] for check in document["checks"]] == checks
    assert document["cost"].keys() == {"symbols", "full_ms", "changed_ms", "symbol_us", "share"}


def test_a_bad_trader(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """A line for each check, with what the trader does and what to do; exit code 1. A trader that cannot run has no
    cost."""
    result = run("check", str(written(tmp_path, vector("market.last > len(market)"))))
    assert result.exit_code == 1
    assert "ok   contract    trader 't' loads\n" in result.stdout
    assert "fail others      a match depends on other symbols: " in result.stdout
    assert ': declare `scope="market"`' in result.stdout
    document = json.loads(run("check", str(written(tmp_path, "")), "--json").stdout)
    assert (document["ok"], document["cost"]) == (False, None)


def test_settings_of_its_own(runtime: Runtime, run: Run) -> None:
    """Settings are read as JSON where possible; one that the trader does not have, or refuses, is a failed check."""
    rsi = str(ROOT / "plugins" / "rsi.py")
    for own, said in (("window=3", "settings.window: no such setting"), ("period=often", "settings.period: ")):
        result = run("check", rsi, "--settings", own)
        assert result.exit_code == 1
        assert said in result.stdout
    result = run("check", rsi, "--settings", "period=5", "--settings", "interval=7m")
    assert "no channel" in result.stdout or "keeps no '7m'" in result.stdout


def test_debugging(runtime: Runtime, run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The trader runs in this process: its output is shown, and an exception with its traceback."""
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


def test_a_trader_is_not_blamed_for_the_first_compilation(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels that nobody compiled yet are compiled before the deadlines begin, which is said; else nothing is."""
    began: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", lambda command, check: began.append(command[-1]))
    _compile_kernels()
    assert began == ["tickflag.services.feed.warmup", "tickflag.services.trader.warmup"]
    for service in ("feed", "trader"):
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache_folder() / f"{service}.warm").touch()
    _compile_kernels()
    assert len(began) == 2
