"""kill -9 at random moments: what was killed comes back, and the matches are those of a full evaluation."""

import os
import random
import signal

import psutil
import pytest

from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import TRADERS, Ledger, check_signals, played, settled


def wait_cycles(engine: Engine, ledger: Ledger, more: int) -> None:
    """Wait until a trader has seen some cycles more, or the recording is over: a busy machine covers many cycles at
    once."""
    seen = engine.trader("by-array")["cycles"]
    engine.wait(
        lambda: engine.trader("by-array")["cycles"] - seen >= more or played(engine, ledger),
        what=f"{more} more cycles",
    )


@pytest.mark.parametrize("victim", ["feed", "collector", "trader"])
def test_killed_service(engine: Engine, ledger: Ledger, victim: str) -> None:
    """A service is killed while updates flow, and started again: nothing is lost, no signal is repeated or
    swallowed."""
    engine.start_feed_last()
    wait_cycles(engine, ledger, random.Random(victim).randint(1, 4))
    workers = [engine.trader(name)["pid"] for name in TRADERS]
    engine.kill(victim)
    if victim == "trader":
        engine.wait(lambda: not any(map(psutil.pid_exists, workers)), 10, "the workers end with their supervisor")
    engine.start(victim)
    if victim == "trader":  # until then the collector tells of the killed workers
        engine.wait(lambda: all(engine.trader(name)["pid"] not in workers for name in TRADERS), what="new workers")
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)


def test_killed_workers(engine: Engine, ledger: Ledger) -> None:
    """The supervisor restarts workers that are killed again and again; the others do not notice."""
    engine.start()
    engine.wait_ready()
    other = engine.trader("by-symbol")["pid"]
    for restarts in range(1, 4):
        os.kill(engine.trader("by-array")["pid"], signal.SIGKILL)
        engine.wait(lambda restarts=restarts: engine.trader("by-array")["restarts"] >= restarts, what="a restart")  # type: ignore[misc] # a lambda's default
        engine.wait(lambda: engine.trader("by-array")["state"] == "running", what="running again")
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    assert engine.trader("by-symbol")["pid"] == other
    assert engine.trader("by-symbol")["restarts"] == 0


def test_everything_killed_at_once(engine: Engine, ledger: Ledger) -> None:
    """All three services killed at once leave files that the next start removes; no signal is repeated or swallowed."""
    engine.start()
    engine.wait_ready()
    wait_cycles(engine, ledger, 2)
    for service in ("collector", "feed", "trader"):
        engine.send(service, signal.SIGKILL)
    for service in ("collector", "feed", "trader"):
        engine.wait_exit(service)
    engine.wait(lambda: not engine.processes(), 10, "no process is left")
    assert len(engine.runtime.segments()) == 1
    engine.start()
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    assert len(engine.runtime.segments()) == 1
