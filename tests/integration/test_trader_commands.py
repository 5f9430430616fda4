"""`tickflag trader`: what operators do with one trader while the engine runs; and an engine without traders."""

import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import zmq

from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import Ledger, check_signals, ledger_env, settled, write_ledger, write_ledger_traders
from tickflag.common.errors import TickflagError
from tickflag.common.wire.sockets import TRADER_COMMANDS_CLIENT, open_socket


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The recording that the feed plays: one second."""
    return write_ledger(tmp_path, ticks=600, seconds=1.0)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """A running engine at the recording's end."""
    with Engine(tmp_path, ledger_env(ledger), write_ledger_traders(tmp_path / "traders")) as engine:
        engine.start()
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        yield engine


def _said(done: CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _refused(done: CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_stop_start_restart(engine: Engine, ledger: Ledger) -> None:
    """Each command prints its outcome; matches stay, and no signal tells of it; the other trader does not notice."""
    signals = engine.signals()
    other = engine.trader("by-symbol")["pid"]
    assert _said(engine.cli("trader", "stop", "by-array")) == "by-array is stopped\n"
    engine.wait(lambda: engine.trader("by-array")["state"] == "stopped", what="the collector knows")
    assert engine.trader("by-array")["stale"] == len(ledger.matches())
    assert engine.trader("by-array")["reason"] == "by an operator"
    assert "by-array" in _said(engine.cli("traders"))
    assert _said(engine.cli("trader", "start", "by-array")).startswith("by-array runs (pid ")
    engine.wait(lambda: settled(engine, ledger), what="it is back")
    pid = engine.request("trader", "trader", trader="by-array")["pid"]
    assert _said(engine.cli("trader", "restart", "by_array.py")).startswith("by-array runs (pid ")
    assert engine.request("trader", "trader", trader="by-array")["pid"] != pid
    assert _said(engine.cli("trader", "start", "by-array")).startswith("by-array runs (pid ")
    engine.wait(lambda: settled(engine, ledger), what="it is back")
    assert engine.signals() == signals
    assert engine.trader("by-symbol")["pid"] == other
    # A stop lasts for this life of the service.
    assert _said(engine.cli("trader", "stop", "by-array"))
    engine.stop("trader")
    engine.start("trader")
    engine.wait(lambda: settled(engine, ledger), what="it is back")


def test_disable_and_enable_last(engine: Engine, ledger: Ledger) -> None:
    """A disabled trader's matches leave, and a new start of the service does not run it; enabled, all is as before."""
    assert _said(engine.cli("trader", "disable", "by-array")) == "by-array is disabled\n"
    engine.wait(lambda: engine.trader("by-array")["matches"] == 0, what="its matches leave")
    left = {s["symbol"] for s in engine.signals() if s["trader"] == "by-array" and s["event"] == "left"}
    assert left >= ledger.matches().keys()
    for word in ("start", "stop", "restart"):
        assert "'by-array' is disabled: `tickflag trader enable by-array`" in _refused(
            engine.cli("trader", word, "by-array")
        )
    assert "is disabled" in _refused(engine.cli("matches", "by-array"))
    engine.kill("trader", signal.SIGKILL)
    engine.start("trader")
    engine.wait(lambda: not engine.request("trader", "trader", trader="by-symbol")["busy"], what="the other is back")
    assert engine.request("trader", "trader", trader="by-array")["state"] == "disabled"
    path = engine.plugins / "by_array.py"
    path.write_text(path.read_text() + "# edited\n")
    assert _said(engine.cli("trader", "enable", "by-array")).startswith("by-array runs (pid ")
    engine.wait(lambda: settled(engine, ledger), what="it is back")
    check_signals(engine, ledger)


def test_what_does_not_come_about(engine: Engine) -> None:
    """An unknown name lists the known ones; a trader that does not load is reported with its reason."""
    assert _refused(engine.cli("trader", "stop", "nobody")) == (
        "tickflag: no trader 'nobody': known are by-array, by-symbol\n"
    )
    engine.send("trader", signal.SIGSTOP)  # the command has to find the file before the supervisor does
    (engine.plugins / "by_array.py").write_text("1 / 0\n")
    engine.send("trader", signal.SIGCONT)
    assert "new version refused: by_array.py: does not import: ZeroDivisionError" in _refused(
        engine.cli("trader", "restart", "by-array")
    )
    assert _said(engine.cli("trader", "stop", "by-array"))
    assert "'by-array' is skipped: by_array.py: does not import" in _refused(engine.cli("trader", "start", "by-array"))
    engine.stop("trader")
    assert "no trader is running" in _refused(engine.cli("trader", "stop", "by-array"))


def test_a_worker_that_does_not_listen(engine: Engine, ledger: Ledger) -> None:
    """Neither a replacement nor a stop waits long for a stopped worker."""
    for word in ("restart", "stop"):
        pid = engine.request("trader", "trader", trader="by-array")["pid"]
        worker = next(process for process in engine.processes() if process.pid == pid)
        worker.suspend()
        assert _said(engine.cli("trader", word, "by-array")).startswith("by-array ")
        assert not worker.is_running()
        if word == "restart":
            engine.wait(lambda: settled(engine, ledger), what="the new one found all by itself")


def test_requests_that_are_none(engine: Engine) -> None:
    """The supervisor says what is wrong with a request, and goes on."""
    with pytest.raises(TickflagError, match="no command 'explode': use one of supervisor, traders, trader, start"):
        engine.request("trader", "explode")
    with pytest.raises(TickflagError, match="argument 'trader' of 'stop' is missing"):
        engine.request("trader", "stop")
    with pytest.raises(TickflagError, match="'traders' has no argument 'trader'"):
        engine.request("trader", "traders", trader="x")
    context = zmq.Context()
    with open_socket(context, engine.runtime, TRADER_COMMANDS_CLIENT) as socket:
        socket.send(b"nonsense")
    context.term()
    assert len(engine.request("trader", "traders")) == 2


def test_safe_mode(engine: Engine, ledger: Ledger) -> None:
    """No trader is loaded and the rest runs; the traders' matches are stale and stay."""
    engine.stop("trader")
    engine.start("trader", env={"TICKFLAG_TRADER__SAFE": "true"})
    engine.wait(lambda: engine.request("trader", "supervisor")["safe"], what="safe mode")
    assert "safe mode: no trader is loaded" in _said(engine.cli("status"))
    assert "safe mode loads none" in _refused(engine.cli("trader", "start", "by-array"))
    path = engine.plugins / "by_array.py"
    path.write_text(path.read_text() + "# edited\n")
    assert engine.matches("by-array") == ledger.matches()
    assert engine.trader("by-array")["stale"] == len(ledger.matches())
    assert engine.request("trader", "traders") == []
    engine.stop("trader")
    engine.start("trader")
    engine.wait(lambda: settled(engine, ledger), what="it is back")
    check_signals(engine, ledger)
