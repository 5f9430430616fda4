"""The order in which processes come and go does not matter."""

from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import TRADERS, Ledger, check_signals, played, settled
from tests.support.processes.commands import PYTHON


def test_collector_comes_last(engine: Engine, ledger: Ledger) -> None:
    """Workers do not wait for a collector. A collector that comes later gets snapshots, and with them everything."""
    engine.start("feed", "trader")
    engine.wait(lambda: played(engine, ledger), what="the recording's end")
    engine.start("collector")
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)


def test_collector_goes_and_comes(engine: Engine, ledger: Ledger) -> None:
    """A collector that was away publishes the difference, once."""
    engine.start()
    engine.wait_ready()
    assert engine.stop("collector") == 0
    engine.wait(lambda: played(engine, ledger), what="the recording's end")
    engine.start("collector")
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)


def test_segment_grows(engine: Engine, ledger: Ledger) -> None:
    """A full segment is followed by larger generations while traders read; nothing is lost on the way."""
    engine.start("collector", "trader")
    engine.wait(lambda: all(engine.trader(name)["state"] == "waiting" for name in TRADERS), what="workers wait")
    engine.start("feed", env={"TICKFLAG_SEGMENT__CAPACITY": "8", "TICKFLAG_SEGMENT__GROWTH": "true"})
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    assert engine.output("feed").count("segment grew") == 4
    assert len(engine.runtime.segments()) == 1


def test_full_table(engine: Engine, ledger: Ledger) -> None:
    """Without growth a new symbol is refused with one clear error and a counter; the other symbols go on."""
    engine.start("collector", "trader")
    engine.start("feed", env={"TICKFLAG_SEGMENT__CAPACITY": "50"})
    known = dict(list(ledger.last.items())[:50])
    expected = {symbol: score for symbol, score in ledger.matches().items() if symbol in known}
    engine.wait(lambda: engine.matches("by-array") == expected, what="the known symbols' matches")
    assert engine.output("feed").count("symbol refused") == 1
    assert "segment.capacity" in engine.output("feed")
    assert engine.request("feed", "status")["refused_symbols"] == len(ledger.last) - 50


def test_second_service(engine: Engine) -> None:
    """A second process of a role exits with 75 and names the holder."""
    engine.start()
    engine.wait_ready()
    for service in ("feed", "collector", "trader"):
        engine.spawn(f"second-{service}", *PYTHON, "-m", f"tickflag.services.{service}")
        assert engine.wait_exit(f"second-{service}", 60) == 75
        assert str(engine.pid(service)) in engine.output(f"second-{service}")
        assert "Traceback" not in engine.output(f"second-{service}")


def test_too_little_memory(engine: Engine) -> None:
    """A segment that does not fit into memory refuses the start; the error has the needed and free bytes, and the
    setting to change."""
    engine.spawn(
        "feed",
        *PYTHON, "-m", "tickflag.services.feed",
        env={"TICKFLAG_SEGMENT__CAPACITY": "4000000", "TICKFLAG_SEGMENT__DEPTH": "100000"},
    )  # fmt: skip
    assert engine.wait_exit("feed", 90) == 1
    output = engine.output("feed")
    assert "segment.capacity" in output
    assert "free" in output
    assert "Traceback" not in output
    assert engine.runtime.segments() == []
