"""Swap events are hints: any share of them may be lost."""

import sys

import pytest

from tests.support.harnesses.engine import Engine
from tests.support.markets.ledger import Ledger, check_signals, settled


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_lost_events(engine: Engine, ledger: Ledger, share: float) -> None:
    """EventsAreHints: where half or all of the events are lost, the matches are those of a full evaluation."""
    engine.start("collector", "trader")
    engine.spawn("feed", sys.executable, "-m", "tests.support.harnesses.lossy_feed", str(share))
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)


def test_no_event_lost(engine: Engine, ledger: Ledger) -> None:
    """With every event delivered the traders go by the flags: most cycles take the fast path."""
    engine.start("collector", "trader")
    engine.wait(lambda: engine.trader("by-array")["state"] == "waiting", what="workers wait for a feed")
    engine.start("feed")
    engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
    check_signals(engine, ledger)
    trader = engine.trader("by-array")
    assert trader["fast"] > trader["cycles"] // 2
    assert trader["processed"] < trader["cycles"] * len(ledger.last) // 2
