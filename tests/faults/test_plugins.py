"""A plugin's fault hurts only itself, and its reason is shown by name."""

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import TRADERS, Ledger, check_signals, settled

EVALUATE = "@hookimpl\ndef evaluate(market):\n"


def test_broken_files(engine: Engine, ledger: Ledger) -> None:
    """Files that do not import, lack a name, repeat a name or miss a hook are skipped with their reason; others run."""
    folder = engine.plugins
    (folder / "bad_import.py").write_text("import nothing_of_this_name\n")
    (folder / "bad_syntax.py").write_text("def trader(:\n")
    (folder / "no_hook.py").write_text("x = 1\n")
    write_trader(folder, "no_name", EVALUATE + "    return market.last > 0\n", name="")
    write_trader(folder, "same_name", EVALUATE + "    return market.last > 0\n", name="by-array")
    write_trader(folder, "exits", "import sys\nsys.exit(3)\n")
    engine.start()
    engine.wait_ready()
    engine.wait(lambda: settled(engine, ledger), what="the good traders' matches")
    check_signals(engine, ledger)
    lines = {line["name"]: line for line in engine.request("collector", "traders")}
    for stem, words in {
        "bad_import": "nothing_of_this_name",
        "bad_syntax": "SyntaxError",
        "no_hook": "no hook `trader`",
        "no_name": "`name`",
        "exits": "SystemExit",
        "same_name": "by_array.py",
    }.items():
        assert lines[stem]["state"] == "skipped"
        assert words in lines[stem]["reason"]
        assert f"{stem}.py" in lines[stem]["reason"]
        assert words in engine.output("trader")
    assert lines["by-array"]["source"].endswith("by_array.py")


def test_wrong_answers(engine: Engine, ledger: Ledger) -> None:
    """A trader that raises or gives a wrong shape or type is failing, with hook and reason; others go on."""
    folder = engine.plugins
    write_trader(folder, "raises", EVALUATE + "    raise ValueError('out of luck')\n")
    write_trader(folder, "shape", EVALUATE + "    return np.zeros(len(market) + 1, bool)\n")
    write_trader(folder, "kind", EVALUATE + "    return 'yes'\n")
    engine.start()
    engine.wait(lambda: settled(engine, ledger), what="the good traders' matches")
    for name, words in {"raises": "out of luck", "shape": "wanted", "kind": "str"}.items():
        engine.wait(lambda name=name: engine.trader(name)["state"] == "failing", what=f"{name} is failing")  # type: ignore[misc] # a lambda's default
        error = engine.trader(name)["error"]
        assert words in error
        assert name in error
        assert "evaluate" in error
        assert engine.trader(name)["failures"] > 0


def test_dying_and_hanging(engine: Engine, ledger: Ledger) -> None:
    """os._exit, a segmentation fault and an endless loop: the trader is named and restarted with backoff; nobody else
    notices."""
    folder = engine.plugins
    write_trader(folder, "leaves", EVALUATE + "    os._exit(7)\n")
    write_trader(folder, "crashes", "import ctypes\n" + EVALUATE + "    ctypes.string_at(0)\n")
    write_trader(folder, "loops", EVALUATE + "    while True: pass\n")
    engine.start("feed", "collector")
    engine.start("trader", env={"TICKFLAG_TRADER__DEADLINE_S": "1"})
    engine.wait(lambda: settled(engine, ledger), what="the good traders' matches")
    for name, words in {"leaves": "status 7", "crashes": "SIGSEGV", "loops": "deadline"}.items():
        engine.wait(
            lambda name=name, words=words: words in engine.output("trader") and engine.trader(name)["restarts"] > 0,  # type: ignore[misc] # a lambda's defaults
            what=f"{name} is restarted",
        )
    assert "loops.py" in engine.trader_log("loops")  # the stack shows where it hung
    for name in TRADERS:
        assert engine.trader(name)["restarts"] == 0
    check_signals(engine, ledger)
    assert engine.stop("trader") == 0


def test_chunk_fails_after_another(engine: Engine, ledger: Ledger) -> None:
    """A cycle in which a later chunk fails moves nothing; the next cycle covers all of it."""
    body = """
    calls = 0

    @hookimpl
    def evaluate(market):
        global calls
        calls += 1
        if calls == 5 or calls % 13 == 11:
            raise ValueError("this chunk")
        return np.floor(market.last * 100) % 3 == 0, market.last
    """
    write_trader(engine.plugins, "fitful", body)
    engine.start("feed", "collector")
    # Without audits, in which the trader would fail as well.
    engine.start("trader", env={"TICKFLAG_TRADER__CHUNK": "16", "TICKFLAG_AUDIT__SHARE": "0"})
    engine.wait(lambda: settled(engine, ledger, (*TRADERS, "fitful")), what="matches equal a full evaluation")
    check_signals(engine, ledger, (*TRADERS, "fitful"))
    assert engine.trader("fitful")["failures"] > 0
