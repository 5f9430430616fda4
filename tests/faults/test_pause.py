"""SIGSTOP: a process that does not run for a while loses nothing but that while."""

import os
import signal
import time

from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import Ledger, check_signals, played, settled
from tickflag.common.segment.layout import COUNTER

ASLEEP_S = 5.0


def test_stopped_worker(engine: Engine, ledger: Ledger) -> None:
    """A worker that is stopped while thousands of updates pass catches up in one exact cycle."""
    engine.start()
    engine.wait_ready()
    pid = engine.trader("by-array")["pid"]
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + ASLEEP_S
    try:
        engine.wait(lambda: played(engine, ledger) and time.monotonic() >= until, what="the recording's end, and 5 s")
        before = engine.trader("by-array")["cycles"]
    finally:
        os.kill(pid, signal.SIGCONT)
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    after = engine.trader("by-array")
    # One cycle covers all that it missed. Another one may come where it was stopped within a cycle, or where an
    # announcement was due.
    assert after["cycles"] - before <= 3
    assert after["pid"] == pid


def test_stopped_feed(engine: Engine, ledger: Ledger) -> None:
    """A feed that stands still is noticed after three heartbeats; nobody loses anything; it goes on where it stood."""
    engine.start()
    engine.wait_ready()
    engine.send("feed", signal.SIGSTOP)
    until = time.monotonic() + ASLEEP_S
    try:
        engine.wait(lambda: engine.trader("by-array")["state"] == "waiting", what="the worker notices")
        engine.wait(lambda: time.monotonic() >= until, what="5 s")
        assert engine.trader("by-array")["synced"]
    finally:
        engine.send("feed", signal.SIGCONT)
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    with engine.segment() as segment:
        assert segment.arrays.living[COUNTER["swaps"]] > 0
