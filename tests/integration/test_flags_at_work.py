"""Feature flags in a whole engine: whatever is off, the matches are the same; a ramp adds traders and moves none."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import (
    BY_ARRAY,
    check_signals,
    ledger_env,
    settled,
    write_ledger,
    write_ledger_traders,
)
from tickflag.common.flags import BUILT_IN

TRADERS = 40
GROUPS = 4


@pytest.mark.parametrize("off", [*([flag] for flag in BUILT_IN), list(BUILT_IN)], ids="+".join)
def test_whatever_is_off_the_matches_are_the_same(tmp_path: Path, off: list[str]) -> None:
    """The feature flag is off from the first cycle on, set by the environment."""
    ledger = write_ledger(tmp_path, ticks=3_000, seconds=2.0)
    folder = write_ledger_traders(tmp_path / "traders")
    switched = {f"TICKFLAG_FLAGS__{flag.upper()}": "false" for flag in off}
    env = {**ledger_env(ledger), **switched, "TICKFLAG_TRADER__COMPRESS_FROM_BYTES": "200"}
    with Engine(tmp_path, env, folder) as engine:
        engine.start()
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        check_signals(engine, ledger)
        if "per_symbol_tracking" in off:
            assert [engine.trader(name)["skipped"] for name in ("by-array", "by-symbol")] == [0, 0]
        deferred = engine.request("feed", "status")["deferred"]
        assert deferred == 0 if "symbol_rate_limit" in off else deferred > 0


def _lines(engine: Engine) -> dict[str, dict[str, Any]]:
    return {line["name"]: line for line in engine.request("collector", "traders")}


def _wait_followed(engine: Engine, flag: str) -> set[str]:
    """Wait until every worker does as the collector says; gives the traders that have it on."""
    traders = next(one for one in engine.request("collector", "flags.list")["flags"] if one["flag"] == flag)["traders"]
    assert len(traders) == TRADERS
    before = _lines(engine)
    moved = {"since": before}

    def followed() -> bool:
        now = _lines(engine)
        for name, on in traders.items():
            cycles = now[name]["cycles"] - moved["since"][name]["cycles"]
            spared = now[name]["skipped"] > moved["since"][name]["skipped"]
            if cycles >= 2 and spared != on:
                moved["since"] = now  # this cycle may be from before the worker heard of it: count from here
                return False
            if cycles < 2:
                return False
        return True

    engine.wait(followed, what=f"all workers follow {flag}")
    return {name for name, on in traders.items() if on}


def test_a_ramp_adds_traders_and_moves_none(tmp_path: Path) -> None:
    """A ramp goes from 0 over 10 and 50 to 100 % with 40 traders at work.

    Whoever is on stays on; in the end the matches are those of a full evaluation; a trader started meanwhile follows
    too.
    """
    ledger = write_ledger(tmp_path, symbols=60, ticks=12_000, seconds=40.0)
    folder = tmp_path / "traders"
    write_trader(folder, "rule", BY_ARRAY)
    names = [f"t{number:02}" for number in range(TRADERS)]
    with Engine(tmp_path, {**ledger_env(ledger), "TICKFLAG_AUDIT__SHARE": "0"}, folder) as engine:
        tables = "".join(f'[{name}]\nsource = "rule"\ngroup = "g{i % GROUPS}"\n' for i, name in enumerate(names))
        (tmp_path / "configs" / "traders.toml").write_text(tables)
        engine.start()
        engine.wait_ready()
        engine.wait(lambda: len(_lines(engine)) == TRADERS, what="all traders report")
        flag, on = "per_symbol_tracking", set[str]()
        for percentage in (0, 10, 50, 100):
            outcome = engine.cli("flags", "set", flag, str(percentage))
            assert outcome.returncode == 0, outcome.stderr
            now_on = _wait_followed(engine, flag)
            assert on <= now_on
            assert percentage in (0, 100) or 0 < len(now_on) < TRADERS
            on = now_on
            if percentage == 50:
                engine.request("trader", "stop", trader="t05")
                engine.wait(lambda: engine.trader("t05")["state"] == "stopped", what="one is stopped")
                engine.request("trader", "start", trader="t05")
                engine.wait(lambda: engine.trader("t05")["state"] == "running", what="it runs again")
                assert _wait_followed(engine, flag) == on
        assert on == set(names)
        engine.wait(lambda: settled(engine, ledger, tuple(names)), what="matches equal a full evaluation")
        check_signals(engine, ledger, tuple(names))
        assert {line["restarts"] for line in _lines(engine).values()} == {0}
