"""Trader files that come, change and go while the engine runs concern their own trader only."""

import os
from pathlib import Path

import pytest

from tests.support.harnesses import workers
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import (
    BY_ARRAY,
    TRADERS,
    Ledger,
    apply_signal,
    check_signals,
    ledger_env,
    played,
    settled,
    write_ledger,
    write_ledger_traders,
)
from tickflag.common.segment.layout import CLOSED

NEVER = "@hookimpl\ndef evaluate(market):\n    return np.zeros(len(market), bool)\n"


def _pids(engine: Engine) -> dict[str, int]:
    return {name: workers.line(engine, name)["pid"] for name in TRADERS}


def _holds(engine: Engine, matches: dict[str, float], last: Ledger) -> bool:
    """Whether the trader has these matches at the end of the recording `last`."""
    found = engine.matches("by-array") if played(engine, last) else {}
    if not last.matches():
        matches = {symbol: score for symbol, score in matches.items() if symbol not in last.last}
    return found == matches


def _replace(path: Path, text: str) -> None:
    """Write as editors do: a new file, renamed to the old one's name."""
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_text(text)
    os.replace(fresh, path)


@pytest.mark.parametrize("watched", [True, False], ids=["hints", "looks-only"])
def test_a_file_comes_changes_and_goes_under_load(tmp_path: Path, watched: bool) -> None:
    """A file starts, replaces and ends only its own worker; the others miss nothing and keep their processes."""
    ledger = write_ledger(tmp_path, ticks=12_000, seconds=8.0)
    folder = write_ledger_traders(tmp_path / "traders")
    env = ledger_env(ledger)
    if not watched:
        (tmp_path / "without" / "watchfiles").mkdir(parents=True)
        (tmp_path / "without" / "watchfiles" / "__init__.py").write_text("raise ImportError\n")
        env["PYTHONPATH"] = str(tmp_path / "without")
    with Engine(tmp_path, env, folder) as engine:
        engine.start()
        engine.wait_ready()
        before = _pids(engine)
        path = write_trader(folder, "late", BY_ARRAY)
        first = engine.wait(lambda: workers.runs(engine, "late"), what="the new file runs")
        engine.wait(lambda: engine.matches("late"), what="it has matches")

        path.write_text(path.read_text() + "# edited\n")
        second = engine.wait(lambda: workers.runs(engine, "late", first["trader_version"]), what="the edit runs")
        assert second["pid"] != first["pid"]

        _replace(path, path.read_text() + "1 / 0\n")
        engine.wait(lambda: workers.line(engine, "late")["reason"], what="the broken edit is refused")
        line = workers.line(engine, "late")
        at = len(path.read_text().splitlines())
        assert line["reason"] == (
            f"new version refused: late.py: does not import: ZeroDivisionError: division by zero (line {at})"
        )
        assert (line["state"], line["pid"]) == ("running", second["pid"])
        engine.wait(lambda: engine.trader("late")["reason"], what="the collector knows")
        assert "new version refused: late.py" in engine.cli("traders").stdout

        path.unlink()
        engine.wait(lambda: "late" not in {one["name"] for one in engine.request("collector", "traders")}, what="gone")
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        check_signals(engine, ledger)
        assert _pids(engine) == before
        with engine.segment() as segment:
            closed = int(segment.arrays.control[CLOSED])
        for name in TRADERS:
            assert (engine.trader(name)["restarts"], engine.trader(name)["failures"]) == (0, 0)
            engine.wait(lambda name=name: engine.trader(name)["cycle"] == closed, what=f"{name} covered every cycle")  # type: ignore[misc] # a lambda's default
        held: dict[str, float] = {}
        for signal in engine.signals():
            if signal["trader"] == "late":
                apply_signal(held, signal)
        assert held == {}
        assert engine.stop("trader") == 0


def test_what_still_matches_gives_no_signal(engine: Engine, ledger: Ledger) -> None:
    """An edit that does not change the rule changes nothing for followers; so too where the feed is away."""
    engine.start()
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    signals = engine.signals()
    path = engine.plugins / "by_array.py"
    for away in (False, True):
        if away:
            engine.stop("feed")
        was = workers.line(engine, "by-array")
        path.write_text(path.read_text() + "# edited\n")
        now = engine.wait(lambda was=was: workers.runs(engine, "by-array", was["trader_version"]), what="the edit runs")  # type: ignore[misc] # a lambda's default
        assert now["pid"] != was["pid"]
        engine.wait(lambda pid=now["pid"]: engine.trader("by-array")["pid"] == pid, what="it reports")  # type: ignore[misc] # as above
        assert engine.matches("by-array") == ledger.matches()
        assert engine.signals() == signals
    # In a market of one symbol the other matches have no data. Had the new version not begun with the matches of the
    # old one, they would leave with its first snapshot.
    (engine.folder / "other").mkdir()
    other = write_ledger(engine.folder / "other", symbols=1, ticks=50, seconds=0.5)
    engine.start("feed", env={"TICKFLAG_REPLAY__RECORDINGS": f'["{other.path}"]'})
    engine.wait(lambda: _holds(engine, ledger.matches() | other.matches(), other), what="the old matches and one")


def test_another_rule_and_another_name(engine: Engine, ledger: Ledger) -> None:
    """Another rule gives the difference. Another name is another trader: the matches under the old name leave."""
    engine.start()
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    path = write_trader(engine.plugins, "by_symbol", NEVER, name="by-symbol")
    engine.wait(lambda: engine.matches("by-symbol") == {}, what="the other rule's matches")
    path.write_text(path.read_text().replace("'by-symbol'", "'renamed'"))
    engine.wait(lambda: workers.runs(engine, "renamed"), what="the other name runs")
    engine.wait(
        lambda: {one["name"] for one in engine.request("collector", "traders")} == {"by-array", "renamed"},
        what="only the other name is left",
    )
    path.write_text(path.read_text().replace("'renamed'", "'by-array'"))
    engine.wait(lambda: workers.line(engine, "renamed")["reason"], what="a name that is taken is refused")
    assert workers.line(engine, "renamed")["reason"] == (
        "new version refused: by_symbol.py: the name 'by-array' is already that of by_array.py"
    )
    assert engine.matches("by-array") == ledger.matches()


def test_a_second_file_of_a_name_waits_for_the_first_to_go(engine: Engine) -> None:
    """A second file takes nobody's name, though it comes first in order; it runs once the name is free."""
    engine.start()
    engine.wait_ready()
    write_trader(engine.plugins, "a_copy", BY_ARRAY, name="by-array")
    engine.wait(lambda: workers.line(engine, "a_copy.py")["state"] == "skipped", what="the second is refused")
    assert "already that of by_array.py" in workers.line(engine, "a_copy.py")["reason"]
    assert workers.line(engine, "by-array")["source"].endswith("/by_array.py")
    (engine.plugins / "by_array.py").unlink()
    engine.wait(lambda: workers.runs(engine, "by-array").get("label") == "a_copy.py", what="the second runs")


def test_a_helper_changes(engine: Engine) -> None:
    """A helper's edit reloads the traders that import it, and no others."""
    helper = engine.plugins / "_levels.py"
    helper.write_text("LEVEL = 1000.0\n")
    body = "import _levels\n@hookimpl\ndef evaluate(market):\n    return market.last > _levels.LEVEL\n"
    write_trader(engine.plugins, "level", body)
    engine.start()
    engine.wait_ready()
    before = _pids(engine)
    assert engine.matches("level") == {}
    helper.write_text("LEVEL = 0.0\n")
    engine.wait(lambda: engine.matches("level"), what="matches by the helper's new level")
    assert _pids(engine) == before


def test_broken_files_do_not_keep_removed_traders(engine: Engine, ledger: Ledger) -> None:
    """A trader whose file was removed while nothing ran leaves, though another file does not load; the matches of that
    one stay."""
    engine.start()
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    engine.stop("trader")
    (engine.plugins / "by_array.py").unlink()
    (engine.plugins / "by_symbol.py").write_text("1 / 0\n")
    (engine.plugins / "never_loaded.py").write_text("1 / 0\n")
    engine.start("trader")
    engine.wait(
        lambda: {one["name"] for one in engine.request("collector", "traders")} == {"by-symbol", "never_loaded"},
        what="the removed one is gone",
    )
    engine.wait(lambda: engine.trader("by-symbol")["state"] == "skipped", what="the broken file is told of")
    assert engine.trader("by-symbol")["stale"] == len(ledger.matches())


def test_a_plugin_folder_that_comes_later(engine: Engine, ledger: Ledger) -> None:
    """A plugin folder that is missing at the start is no fault."""
    kept = engine.plugins.rename(engine.folder / "kept")
    engine.start()
    engine.wait(lambda: played(engine, ledger), what="the recording's end")
    assert engine.request("trader", "traders") == []
    kept.rename(engine.plugins)
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
