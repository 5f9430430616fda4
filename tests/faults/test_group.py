"""Traders of a group share the fate of one process, and nothing else."""

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.harnesses.workers import line, pids, runs
from tests.support.markets.ledger import BY_ARRAY, Ledger, check_signals, settled

GROUPED = ("by-array", "by-symbol", "third")
ALL = (*GROUPED, "alone")
LEVEL = "import _levels\n@hookimpl\ndef evaluate(market):\n    return market.last > _levels.LEVEL\n"


def _assign(engine: Engine, **others: str) -> None:
    """Write the tables: the ledger's traders and `third` in one group, `alone` by itself. `others` gives groups to
    further traders, each named after its file; an empty group is none."""
    sources = {"by-array": "by_array", "by-symbol": "by_symbol", "third": "by_array", "alone": "by_array"}
    groups = {**dict.fromkeys(GROUPED, "g"), "alone": "", **others}
    tables = engine.folder / "configs" / "traders.toml"
    tables.write_text(
        "".join(
            f'[{name}]\nsource = "{sources.get(name, name)}"\ngroup = "{group}"\n' for name, group in groups.items()
        )
    )


def test_matches_counters_and_processes(engine: Engine, ledger: Ledger) -> None:
    """All traders find what they would find alone, on either channel; each reports for itself; they share a process and
    a log."""
    engine.env["TICKFLAG_SEGMENT__INTERVALS"] = '["1s", "1m"]'
    write_trader(engine.plugins, "closes", BY_ARRAY, channel="1s")
    _assign(engine, closes="g")
    engine.start_feed_last()
    engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
    check_signals(engine, ledger, ALL)
    engine.wait(lambda: engine.matches("closes"), what="matches on another channel")
    assert len(set(pids(engine, *GROUPED, "closes"))) == 1
    assert pids(engine, "alone") != pids(engine, "third")
    lines = {name: engine.trader(name) for name in (*ALL, "closes")}
    assert {one["state"] for one in lines.values()} == {"running"}
    assert {one["log"] for one in lines.values()} == {"group-g", "alone"}
    for one in lines.values():
        assert one["cycles"] > 0
        assert one["matches"] > 0
    assert lines["closes"]["cycles"] < lines["third"]["cycles"]
    assert engine.stop("trader") == 0


def test_one_raises(engine: Engine, ledger: Ledger) -> None:
    """A trader that raises is the only one failing; the process goes on."""
    write_trader(engine.plugins, "raises", "@hookimpl\ndef evaluate(market):\n    raise ValueError('out of luck')\n")
    _assign(engine, raises="g")
    engine.start()
    engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
    engine.wait(lambda: engine.trader("raises")["state"] == "failing", what="it is failing")
    assert engine.trader("raises")["error"].startswith(
        "trader 'raises': hook `evaluate` raised ValueError: out of luck (line "
    )
    for name in ALL:
        assert (engine.trader(name)["restarts"], engine.trader(name)["failures"]) == (0, 0)


def test_one_ends_the_process(engine: Engine, ledger: Ledger) -> None:
    """The process's end names the culprit for every member; all come back; the trader outside the group never
    notices."""
    order = engine.folder / "order"
    body = f"""
        import ctypes, itertools
        from pathlib import Path

        order = Path({str(order)!r})

        def obey(word):
            order.unlink()
            if word == "crash":
                ctypes.string_at(0)
            if word == "exit":
                os._exit(7)
            if word == "loop":
                while True: pass
            all(itertools.repeat(1))

        @hookimpl
        def evaluate(market):
            if order.exists():
                obey(order.read_text())
            return np.zeros(len(market), bool)
    """
    write_trader(engine.plugins, "bad", body, every=0.05)
    _assign(engine, bad="g")
    engine.env["TICKFLAG_TRADER__DEADLINE_S"] = "1"
    engine.env["TICKFLAG_TRADER__RESTART_MS"] = engine.env["TICKFLAG_TRADER__RESTART_LIMIT_MS"] = "500"
    engine.start()
    engine.wait(lambda: settled(engine, ledger, ALL) and runs(engine, "bad"), what="all run")
    alone = pids(engine, "alone")
    late = "a cycle took longer than 1 s (`trader.deadline_s`), at bad.py line"
    reasons = {"crash": "ended by SIGSEGV, at __init__.py", "exit": "ended with status 7", "loop": late, "c": late}
    for number, (word, reason) in enumerate(reasons.items(), 1):
        before = pids(engine, *GROUPED)
        fresh = order.with_suffix(".new")
        fresh.write_text(word)
        fresh.rename(order)
        engine.wait(lambda reason=reason: reason in line(engine, "bad")["reason"], what=f"the culprit: {reason}")  # type: ignore[misc] # a lambda's default
        if word != "exit":
            assert "in obey, from bad.py line" in line(engine, "bad")["reason"]
        engine.wait(lambda: all(runs(engine, name) for name in (*ALL, "bad")), what="all come back")
        engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
        after = pids(engine, *GROUPED)
        assert len(set(after)) == 1
        assert after != before
        ended = [one for one in engine.output("trader").splitlines() if "its group 'g' ended at work on" in one]
        assert len(ended) == number * len(GROUPED)
        assert all("ended at work on trader 'bad'" in one for one in ended)
    check_signals(engine, ledger, ALL)
    assert pids(engine, "alone") == alone
    assert [line(engine, name)["restarts"] for name in ALL] == [4, 4, 4, 0]


def test_innocents_wait_no_longer_each_time(engine: Engine) -> None:
    """Only the culprit's wait is doubled: the other members wait the least time, again and again."""
    write_trader(engine.plugins, "bad", "@hookimpl\ndef evaluate(market):\n    os._exit(7)\n")
    _assign(engine, bad="g")
    engine.start()
    engine.wait(lambda: line(engine, "bad")["restarts"] >= 4, what="it ends again and again")
    output = engine.output("trader").splitlines()
    waits = {name: [one for one in output if f"trader={name}" in one and "again_in_s" in one] for name in ALL}
    assert len([one for one in output if "again_in_s=0.4" in one and "status 7" in one]) == 1
    assert all("again_in_s=0.05" in one for name in GROUPED for one in waits[name])
    assert waits["third"]
    assert not waits["alone"]


def test_operators_and_edits_concern_one_member(engine: Engine, ledger: Ledger) -> None:
    """Stop, start, restart, disable, enable, an edit, a helper's edit, leaving: the other members keep process and
    matches."""
    (engine.plugins / "_levels.py").write_text("LEVEL = 1000.0\n")
    write_trader(engine.plugins, "level", LEVEL)
    write_trader(engine.plugins, "level2", LEVEL)
    _assign(engine, level="g", level2="g")
    engine.start()
    engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
    process = pids(engine, *GROUPED)
    for order, state in (
        ("stop", "stopped"),
        ("start", "running"),
        ("restart", "running"),
        ("disable", "disabled"),
        ("enable", "running"),
    ):
        assert engine.cli("trader", order, "third").returncode == 0
        engine.wait(lambda state=state: line(engine, "third")["state"] == state, what=order)  # type: ignore[misc] # a lambda's default
        engine.wait(lambda: not line(engine, "third")["busy"], what=f"{order} has come about")
    engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
    assert pids(engine, *GROUPED) == process

    # The new version gets nothing that was imported in this process before.
    versions = {name: line(engine, name) for name in ALL}
    assert engine.matches("level") == engine.matches("level2") == {}
    (engine.plugins / "_levels.py").write_text("LEVEL = 0.0\n")
    engine.wait(lambda: engine.matches("level") and engine.matches("level2"), what="matches by the helper's new level")
    path = engine.plugins / "level.py"
    version = line(engine, "level")["trader_version"]
    path.write_text(path.read_text().replace(" > ", " < "))
    engine.wait(lambda: runs(engine, "level", version), what="the edit runs")
    engine.wait(lambda: engine.matches("level") == {}, what="matches by the edit")
    path.write_text(path.read_text() + "1 / 0\n")
    engine.wait(lambda: "new version refused" in line(engine, "level")["reason"], what="the broken edit is refused")
    assert pids(engine, *GROUPED, "level", "level2") == [process[0]] * 5
    assert {name: line(engine, name) for name in ALL} == versions

    # One member gets a process of its own, one leaves for good.
    _assign(engine, level="g", third="")
    (engine.plugins / "level2.py").unlink()
    engine.wait(lambda: runs(engine, "third") and pids(engine, "third") != process[2:], what="it is by itself")
    engine.wait(
        lambda: "level2" not in {one["name"] for one in engine.request("collector", "traders")}, what="one is gone"
    )
    engine.wait(lambda: settled(engine, ledger, ALL), what="matches equal a full evaluation")
    assert pids(engine, "by-array", "by-symbol") == process[:2]
    check_signals(engine, ledger, ("by-array", "by-symbol", "alone"))
