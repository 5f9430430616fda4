"""Experiments of a real collector: heartbeats and audits that came over the wire, and what its death leaves."""

import contextlib
import json
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harnesses.collector_process import CollectorProcess, FakeWorker
from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.processes.folders import runtime_folder
from tickflag.common.runtime import JOURNAL
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Audit
from tickflag.common.wire.sockets import try_send

ON, OFF = ("bands", "t2"), ("vwap", "t5")
"""Traders with buckets of `batch_mode` below and above 50,000."""


@pytest.fixture
def collector() -> Iterator[CollectorProcess]:
    with runtime_folder() as runtime:
        collector = CollectorProcess(runtime)
        yield collector
        collector.close()


class TradersOfBothArms:
    """Traders in both arms; those with the feature flag on need half the processor time."""

    def __init__(self, collector: CollectorProcess) -> None:
        self.collector = collector
        self.workers = {name: FakeWorker(FakeTrader(name), collector.results, collector.controls) for name in ON + OFF}
        self.cycles = 0

    def work(self) -> None:
        """Send a cycle of each trader, an audit of it, and a heartbeat."""
        self.cycles += 1
        for name, worker in self.workers.items():
            worker.beat()
            cost = 1_000 if name in ON else 2_000
            counts = {"cycles": self.cycles, "cpu_ns": self.cycles * cost, "processed": self.cycles * 5}
            worker.send(worker.trader.heartbeat().model_copy(update=counts))
            audit = Audit(
                trader=name, incarnation=1, cycle=self.cycles, time_ms=1, symbols=9, part_ns=cost, full_ns=10_000
            )
            try_send(self.collector.results, encode(audit))

    def report(self) -> dict[str, Any]:
        found = self.collector.ask("experiments", flag="batch_mode")
        assert isinstance(found, dict)
        (one,) = found["experiments"]
        assert isinstance(one, dict)
        return one

    def measured(self) -> dict[str, int]:
        """Arm -> cycles."""
        self.work()
        return {arm["arm"]: arm["cycles"] for arm in self.report()["arms"]}


def _saved(collector: CollectorProcess) -> dict[str, Any]:
    """The document in the file."""
    with contextlib.closing(sqlite3.connect(collector.runtime.folder / JOURNAL)) as database:
        row = database.execute("SELECT content FROM documents WHERE name = 'experiments'").fetchone()
    found = json.loads(row[0]) if row else {}
    assert isinstance(found, dict)
    return found


def test_kill_and_restart_keep_the_sums(collector: CollectorProcess) -> None:
    """The next life has what was saved, and goes on from its first heartbeats. An end in order loses nothing."""
    collector.ask("flags.set", flag="batch_mode", value=50)
    traders = TradersOfBothArms(collector)
    collector.wait_for(lambda: min(traders.measured().values()) >= 10)
    one = traders.report()
    assert [(arm["arm"], arm["traders"], arm["present"]) for arm in one["arms"]] == [("on", 2, 2), ("off", 2, 2)]
    cpu = next(metric for metric in one["comparisons"][0]["metrics"] if metric["metric"] == "cpu_ns")
    assert (cpu["value"], cpu["against"], cpu["ratio"]) == (1_000.0, 2_000.0, 0.5)
    assert cpu["low"] == pytest.approx(0.5)
    saving = collector.ask("status")["saving"]
    assert saving["saving"] == pytest.approx(0.85, abs=0.02)
    assert saving["low"] < saving["saving"] < saving["high"]

    assert collector.end(signal.SIGTERM)[0] == 0
    ended = _saved(collector)
    kept = ended["experiments"]["batch_mode"]["arms"]
    before = {arm: sum(sums["cycles"] for sums in kept[arm]["traders"].values()) for arm in kept}
    assert min(before.values()) >= 10
    audits = sum(moments["n"] for moments in ended["saving"]["traders"].values())

    collector.start()
    assert {arm["arm"]: arm["cycles"] for arm in traders.report()["arms"]} == before
    assert collector.ask("status")["saving"]["audits"] == audits
    collector.wait_for(lambda: min(traders.measured().values()) > max(before.values()))
    collector.end(signal.SIGKILL)

    collector.start()
    after = {arm["arm"]: arm["cycles"] for arm in traders.report()["arms"]}
    assert after.keys() == before.keys()
    assert all(after[arm] >= before[arm] for arm in before)
    assert collector.ask("status")["saving"]["audits"] >= audits
    assert traders.report()["since_ms"] == one["since_ms"]


def test_reset_is_for_good(collector: CollectorProcess) -> None:
    """A reset holds over a restart."""
    collector.ask("flags.set", flag="batch_mode", value=50)
    traders = TradersOfBothArms(collector)
    collector.wait_for(lambda: min(traders.measured().values()) >= 3)
    assert collector.ask("status")["saving"] is not None
    for flag in ("batch_mode", "per_symbol_tracking"):
        collector.ask("experiments.reset", flag=flag)
    assert collector.end(signal.SIGTERM)[0] == 0
    collector.start()
    assert [arm["cycles"] for arm in traders.report()["arms"]] == [0, 0]
    assert collector.ask("status")["saving"] is None
