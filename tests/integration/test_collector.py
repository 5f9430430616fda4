"""A real collector process, a fake worker on the real sockets, and what happens when either dies."""

import ast
import contextlib
import random
import signal
import socket
import sqlite3
import stat
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.documents.pages import ROOT
from tests.support.harnesses.collector_process import CollectorProcess, FakeWorker
from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.processes.commands import run_command
from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import WITHIN_S, allowed_s
from tickflag.common.runtime import JOURNAL


@pytest.fixture
def collector() -> Iterator[CollectorProcess]:
    with runtime_folder() as runtime:
        collector = CollectorProcess(runtime)
        yield collector
        collector.close()


@pytest.fixture
def worker(collector: CollectorProcess) -> FakeWorker:
    return FakeWorker(FakeTrader(score_step=0.5), collector.results, collector.controls)


def synced(collector: CollectorProcess, worker: FakeWorker) -> bool:
    """Whether the collector shows the trader's present match set."""
    worker.beat()
    if worker.trader.name not in collector.ask("snapshot")["matches"]:
        return False
    answer = collector.ask("matches", trader=worker.trader.name)
    return bool(answer["synced"] and answer["seq"] == worker.trader.seq)


def test_kill_and_restart_repeat_and_swallow_nothing(collector: CollectorProcess, worker: FakeWorker) -> None:
    """A collector that is killed again and again under load repeats and swallows nothing.

    The numbers have no holes, the signals add up, every published signal is journalled, and after the resync the match
    set is the trader's.
    """
    random_source = random.Random(5)
    symbols = [f"S{n}" for n in range(40)]

    def cycle() -> None:
        matches = dict(worker.trader.matches)
        for symbol in random_source.sample(symbols, 4):
            if symbol in matches and random_source.random() < 0.6:
                del matches[symbol]
            else:
                matches[symbol] = float(random_source.randint(0, 5))
        worker.change(matches)

    for _ in range(4):
        collector.wait_for(lambda: synced(collector, worker))
        for _ in range(random_source.randint(200, 1_000)):
            cycle()
        collector.end(signal.SIGKILL)
        for _ in range(50):
            cycle()
        collector.follow()
        collector.start()

    collector.wait_for(lambda: synced(collector, worker))
    trader = worker.trader
    assert collector.ask("matches", trader=trader.name)["matches"] == trader.matches
    journalled = collector.journalled()
    assert len(journalled) > 500
    assert [s.seq for s in journalled] == list(range(1, len(journalled) + 1))
    held: dict[str, float] = {}
    for s in journalled:
        assert (s.symbol in held) == (s.event != "entered"), f"{s} does not follow from the signals before"
        if s.event == "left":
            del held[s.symbol]
        else:
            held[s.symbol] = s.score
    assert held.keys() == trader.matches.keys()
    assert all(abs(held[symbol] - score) <= trader.score_step for symbol, score in trader.matches.items())
    snapshot = collector.ask("snapshot")
    assert (snapshot["last_seq"], snapshot["matches"]) == (len(journalled), {trader.name: held})
    collector.follow()
    numbers = [s.seq for s in collector.published]
    assert len(numbers) > 100
    assert numbers == sorted(set(numbers))
    assert all(s == journalled[s.seq - 1] for s in collector.published)


def test_control_version_grows_over_restarts(collector: CollectorProcess, worker: FakeWorker) -> None:
    """A subscriber that keeps the highest version is never stuck with an old document."""
    versions = []
    for _ in range(3):
        collector.wait_for(lambda: synced(collector, worker))
        versions.append(collector.ask("control")["state_version"])
        collector.end(signal.SIGKILL)
        collector.start()
    versions.append(collector.ask("control")["state_version"])
    assert versions == sorted(set(versions))


def test_lost_result_is_noticed_and_resynced(collector: CollectorProcess, worker: FakeWorker) -> None:
    """GapVisible, on the real wire: a delta never came, and only heartbeats follow it."""
    collector.wait_for(lambda: synced(collector, worker))
    worker.trader.change(LOST=1.0)
    collector.wait_for(lambda: synced(collector, worker))
    assert collector.ask("matches", trader="breakout")["matches"] == {"LOST": 1.0}
    _, out, _ = collector.end(signal.SIGTERM)
    assert "gap, resync wanted" in out


def test_dead_trader_goes_stale_and_a_removed_one_leaves(collector: CollectorProcess, worker: FakeWorker) -> None:
    """A dead trader gives no signal; a removed one's matches give `left`."""
    collector.end(signal.SIGTERM)
    collector.start(TICKFLAG_COLLECTOR__STALE_AFTER_MS="50")
    worker.change({"A": 1.0})
    collector.wait_for(lambda: synced(collector, worker))
    collector.wait_for(lambda: bool(collector.ask("matches", trader="breakout")["stale"]))
    assert collector.ask("traders")[0]["state"] == "stale"
    worker.send(roster("breakout"))
    worker.send(roster())
    collector.wait_for(lambda: collector.ask("traders") == [])
    assert [(s.symbol, s.event) for s in collector.journalled()] == [("A", "entered"), ("A", "left")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly_within_a_second(collector: CollectorProcess, worker: FakeWorker, number: signal.Signals) -> None:
    """Exit code 0, a last line, no traceback."""
    collector.wait_for(lambda: synced(collector, worker))
    began = time.monotonic()
    code, out, err = collector.end(number)
    assert time.monotonic() - began < 3.0  # the promised second, and room for a busy machine
    assert (code, err) == (0, "")
    assert "stopped" in out.splitlines()[-1]


def test_reader_of_the_log_goes_away(collector: CollectorProcess) -> None:
    """A collector whose log nobody reads any more ends, with nothing on standard error."""
    collector.ask("status")
    collector.end(signal.SIGTERM)
    process = collector.start()
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(allowed_s(WITHIN_S)) == 1
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    collector.start()


def test_second_collector_names_the_first(collector: CollectorProcess) -> None:
    """Exit code 75 and one line; the first collector is not disturbed."""
    first, status = collector.process, collector.ask("status")
    second = collector.start()
    _, err = second.communicate(timeout=allowed_s(WITHIN_S))
    assert second.returncode == 75
    assert err.count("\n") == 1
    assert f"pid {first.pid}" in err
    collector.process = first
    assert collector.ask("status")["collector"]["pid"] == status["collector"]["pid"]


def test_a_damaged_journal_is_set_aside(collector: CollectorProcess) -> None:
    """Its bytes are kept under another name, which a warning tells. The collector goes on with another journal id."""
    before = collector.ask("status")["collector"]["journal_id"]
    collector.end(signal.SIGTERM)
    journal, harmed = collector.runtime.folder / JOURNAL, b"no database at all, but something" * 1_000
    journal.write_bytes(harmed)
    collector.start()
    assert collector.ask("status")["collector"]["journal_id"] != before
    [kept] = (path for path in journal.parent.glob(f"{JOURNAL}-damaged-*") if path.read_bytes() == harmed)
    _, out, _ = collector.end(signal.SIGTERM)
    assert str(kept) in out


def test_the_journal_lies_where_it_is_said(collector: CollectorProcess, tmp_path: Path) -> None:
    """The journal's folder is made; where that cannot be, one line names the setting. Other users may not look into
    it."""
    path = tmp_path / "state" / "here" / "signals.sqlite"
    collector.end(signal.SIGTERM)
    collector.start(TICKFLAG_COLLECTOR__JOURNAL=str(path))
    assert collector.ask("status")["collector"]["journal"] == str(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    collector.end(signal.SIGTERM)
    process = collector.start(TICKFLAG_COLLECTOR__JOURNAL=str(path / "below" / "signals.sqlite"))
    _, err = process.communicate(timeout=allowed_s(WITHIN_S))
    assert process.returncode == 1
    below = path / "below"
    assert err == f"collector: journal {below}/signals.sqlite: {below}: Not a directory: set `collector.journal`\n"


def test_metrics_over_http(collector: CollectorProcess, worker: FakeWorker) -> None:
    """Prometheus reads what the collector knows, at the set port or, where that is taken, at the next one. The
    collector ends while somebody is connected."""
    collector.end(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        collector.start(TICKFLAG_COLLECTOR__METRICS_PORT=str(port))
        collector.wait_for(lambda: synced(collector, worker))
        url = collector.ask("status")["collector"]["metrics"]
        worker.change({"A": 1.0, "B": 2.0})
        collector.wait_for(lambda: synced(collector, worker))
        with urllib.request.urlopen(url, timeout=WITHIN_S) as answer:
            samples = {
                (sample.name, sample.labels.get("trader")): sample.value
                for family in text_string_to_metric_families(answer.read().decode())
                for sample in family.samples
            }
        assert samples["tickflag_trader_matches", worker.trader.name] == 2
        assert samples["tickflag_trader_synced", worker.trader.name] == 1
        assert samples["tickflag_collector_signals_total", None] == 2
        used = urllib.parse.urlsplit(url).port
        assert used != port
        with socket.create_connection(("127.0.0.1", used or 0)):
            code, out, err = collector.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    assert out.count("warning") == out.count("metrics port taken") == 1
    assert url in out


def test_collector_stays_light() -> None:
    """The collector's process has no compiler, and its own code uses no array library: it starts fast and stays
    small."""
    program = (
        "import sys, tickflag.services.collector.service; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    )
    done = run_command([sys.executable, "-c", program])
    assert (done.stdout.split(), done.stderr) == (["False", "False"], "")
    for path in (ROOT / "services" / "collector").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module] if module else [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] in ("numpy", "numba") for name in names), path
            assert not any(name.startswith("tickflag.services.") and "collector" not in name for name in names), path


def test_another_writers_lock_ends_nothing(collector: CollectorProcess, worker: FakeWorker) -> None:
    """While another program has the journal locked, results become signals as before. The log says so; the end comes in
    order, and nothing is lost."""
    collector.wait_for(lambda: synced(collector, worker))
    with contextlib.closing(sqlite3.connect(collector.runtime.folder / JOURNAL)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(20):
            worker.change({f"S{number}": 1.0})
        collector.wait_for(lambda: synced(collector, worker))
        assert {signal.seq for signal in collector.journalled()} == set(range(1, 2 * 20))
        until_s = collector.ask("status")["collector"]["uptime_s"] + 0.5  # some heartbeats
        collector.wait_for(lambda: collector.ask("status")["collector"]["uptime_s"] > until_s)
        code, out, err = collector.end(signal.SIGTERM)
        other.execute("ROLLBACK")
    assert (code, err) == (0, "")
    assert "journal hindered" in out
    collector.start()
    assert [signal.seq for signal in collector.journalled()] == list(range(1, 2 * 20))
