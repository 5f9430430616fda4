"""Experiments of a real collector: heartbeats and audits that came over the wire, and what is left after its death."""

import contextlib
import json
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from common.codec import encode
from common.messages import Audit
from common.runtime import JOURNAL
from common.sockets import try_send
from tests.support.collector_site import Site, Worker
from tests.support.fake_trader import FakeTrader
from tests.support.folders import runtime_folder

ON, OFF = ("bands", "t2"), ("vwap", "t5")
"""Traders with buckets of `batch_mode` below and above 50,000."""


@pytest.fixture
def site() -> Iterator[Site]:
    with runtime_folder() as runtime:
        site = Site(runtime)
        yield site
        site.close()


class Crowd:
    """Traders in both arms; those that have the flag on take half the processor time."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.workers = {name: Worker(FakeTrader(name), site.results, site.controls) for name in ON + OFF}
        self.cycles = 0

    def work(self) -> None:
        """A cycle of each, an audit of it, and a heartbeat."""
        self.cycles += 1
        for name, worker in self.workers.items():
            worker.beat()
            cost = 1_000 if name in ON else 2_000
            counts = {"cycles": self.cycles, "cpu_ns": self.cycles * cost, "processed": self.cycles * 5}
            worker.send(worker.trader.heartbeat().model_copy(update=counts))
            audit = Audit(
                trader=name, incarnation=1, cycle=self.cycles, time_ms=1, symbols=9, part_ns=cost, full_ns=10_000
            )
            try_send(self.site.results, encode(audit))

    def report(self) -> dict[str, Any]:
        found = self.site.ask("experiments", flag="batch_mode")
        assert isinstance(found, dict)
        (one,) = found["experiments"]
        assert isinstance(one, dict)
        return one

    def measured(self) -> dict[str, int]:
        """Arm -> cycles."""
        self.work()
        return {arm["arm"]: arm["cycles"] for arm in self.report()["arms"]}


def _saved(site: Site) -> dict[str, Any]:
    """The document, as the file has it."""
    with contextlib.closing(sqlite3.connect(site.runtime.folder / JOURNAL)) as database:
        row = database.execute("SELECT content FROM documents WHERE name = 'experiments'").fetchone()
    found = json.loads(row[0]) if row else {}
    assert isinstance(found, dict)
    return found


def test_kill_and_restart_keep_the_sums(site: Site) -> None:
    """What was saved is there in the next life, which goes on from its first heartbeats; what ended in order lost
    nothing."""
    site.ask("flags.set", flag="batch_mode", value=50)
    crowd = Crowd(site)
    site.wait_for(lambda: min(crowd.measured().values()) >= 10)
    one = crowd.report()
    assert [(arm["arm"], arm["traders"], arm["present"]) for arm in one["arms"]] == [("on", 2, 2), ("off", 2, 2)]
    cpu = next(metric for metric in one["comparisons"][0]["metrics"] if metric["metric"] == "cpu_ns")
    assert (cpu["value"], cpu["against"], cpu["ratio"]) == (1_000.0, 2_000.0, 0.5)
    assert cpu["low"] == pytest.approx(0.5)
    saving = site.ask("status")["saving"]
    assert saving["saving"] == pytest.approx(0.85, abs=0.02)
    assert saving["low"] < saving["saving"] < saving["high"]

    assert site.end(signal.SIGTERM)[0] == 0
    ended = _saved(site)
    kept = ended["experiments"]["batch_mode"]["arms"]
    before = {arm: sum(sums["cycles"] for sums in kept[arm]["traders"].values()) for arm in kept}
    assert min(before.values()) >= 10
    audits = sum(moments["n"] for moments in ended["saving"]["traders"].values())

    site.start()
    assert {arm["arm"]: arm["cycles"] for arm in crowd.report()["arms"]} == before
    assert site.ask("status")["saving"]["audits"] == audits
    site.wait_for(lambda: min(crowd.measured().values()) > max(before.values()))
    site.end(signal.SIGKILL)

    site.start()
    after = {arm["arm"]: arm["cycles"] for arm in crowd.report()["arms"]}
    assert after.keys() == before.keys()
    assert all(after[arm] >= before[arm] for arm in before)
    assert site.ask("status")["saving"]["audits"] >= audits
    assert crowd.report()["since_ms"] == one["since_ms"]


def test_reset_is_for_good(site: Site) -> None:
    """Also over a restart."""
    site.ask("flags.set", flag="batch_mode", value=50)
    crowd = Crowd(site)
    site.wait_for(lambda: min(crowd.measured().values()) >= 3)
    assert site.ask("status")["saving"] is not None
    for flag in ("batch_mode", "per_symbol_tracking"):
        site.ask("experiments.reset", flag=flag)
    assert site.end(signal.SIGTERM)[0] == 0
    site.start()
    assert [arm["cycles"] for arm in crowd.report()["arms"]] == [0, 0]
    assert site.ask("status")["saving"] is None
