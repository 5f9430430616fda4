"""A real collector process, a trader that speaks the real sockets, and what happens when either dies."""

import ast
import random
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.runtime import JOURNAL
from tests.support.collector_site import ROOT, WITHIN_S, Site, Worker
from tests.support.fake_trader import FakeTrader, roster
from tests.support.folders import runtime_folder


@pytest.fixture
def site() -> Iterator[Site]:
    with runtime_folder() as runtime:
        site = Site(runtime)
        yield site
        site.close()


@pytest.fixture
def worker(site: Site) -> Worker:
    return Worker(FakeTrader(score_step=0.5), site.results, site.controls)


def synced(site: Site, worker: Worker) -> bool:
    """The collector shows the trader's present set."""
    worker.beat()
    if worker.trader.name not in site.ask("snapshot")["matches"]:
        return False
    answer = site.ask("matches", trader=worker.trader.name)
    return bool(answer["synced"] and answer["seq"] == worker.trader.seq)


def test_kill_and_restart_repeat_and_swallow_nothing(site: Site, worker: Worker) -> None:
    """Killed again and again under load: numbers have no holes, signals add up, nothing was published that is not
    journalled, and after the resync the match set is the trader's."""
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
        site.wait_for(lambda: synced(site, worker))
        for _ in range(random_source.randint(200, 1_000)):
            cycle()
        site.end(signal.SIGKILL)
        for _ in range(50):
            cycle()
        site.follow()
        site.start()

    site.wait_for(lambda: synced(site, worker))
    trader = worker.trader
    assert site.ask("matches", trader=trader.name)["matches"] == trader.matches
    journalled = site.journalled()
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
    assert site.ask("snapshot") == {"last_seq": len(journalled), "matches": {trader.name: held}}
    site.follow()
    numbers = [s.seq for s in site.published]
    assert len(numbers) > 100
    assert numbers == sorted(set(numbers))
    assert all(s == journalled[s.seq - 1] for s in site.published)


def test_control_version_grows_over_restarts(site: Site, worker: Worker) -> None:
    """A subscriber that keeps the highest version is never stuck with an old document."""
    versions = []
    for _ in range(3):
        site.wait_for(lambda: synced(site, worker))
        versions.append(site.ask("control")["state_version"])
        site.end(signal.SIGKILL)
        site.start()
    versions.append(site.ask("control")["state_version"])
    assert versions == sorted(set(versions))


def test_lost_result_is_noticed_and_resynced(site: Site, worker: Worker) -> None:
    """GapVisible, on the real wire: a delta that never came, then silence but for heartbeats."""
    site.wait_for(lambda: synced(site, worker))
    worker.trader.change(LOST=1.0)
    site.wait_for(lambda: synced(site, worker))
    assert site.ask("matches", trader="breakout")["matches"] == {"LOST": 1.0}
    _, out, _ = site.end(signal.SIGTERM)
    assert "gap, resync wanted" in out


def test_dead_trader_goes_stale_and_a_removed_one_leaves(site: Site, worker: Worker) -> None:
    """No signal for the first, `left` for the second."""
    site.end(signal.SIGTERM)
    site.start(TICKFLAG_COLLECTOR__STALE_AFTER_MS="50")
    worker.change({"A": 1.0})
    site.wait_for(lambda: synced(site, worker))
    site.wait_for(lambda: bool(site.ask("matches", trader="breakout")["stale"]))
    assert site.ask("traders")[0]["state"] == "stale"
    worker.send(roster("breakout"))
    worker.send(roster())
    site.wait_for(lambda: site.ask("traders") == [])
    assert [(s.symbol, s.event) for s in site.journalled()] == [("A", "entered"), ("A", "left")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly_within_a_second(site: Site, worker: Worker, number: signal.Signals) -> None:
    """Exit code 0, a last line, no traceback."""
    site.wait_for(lambda: synced(site, worker))
    began = time.monotonic()
    code, out, err = site.end(number)
    assert time.monotonic() - began < 3.0  # a second, and room for a busy machine
    assert (code, err) == (0, "")
    assert "stopped" in out.splitlines()[-1]


def test_reader_of_the_log_goes_away(site: Site) -> None:
    """The collector ends with whoever started it, without a word to nobody."""
    site.ask("status")
    site.end(signal.SIGTERM)
    process = site.start()
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(WITHIN_S) == 1
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    site.start()


def test_second_collector_names_the_first(site: Site) -> None:
    """Exit status 75, one line, and the first is not disturbed."""
    first, status = site.process, site.ask("status")
    second = site.start()
    _, err = second.communicate(timeout=WITHIN_S)
    assert second.returncode == 75
    assert err.count("\n") == 1
    assert f"pid {first.pid}" in err
    site.process = first
    assert site.ask("status")["collector"]["pid"] == status["collector"]["pid"]


def test_damaged_journal_is_a_clear_refusal(site: Site) -> None:
    """Exit status 1 and one line with the file's name and what to do."""
    site.ask("status")
    site.end(signal.SIGTERM)
    journal = site.runtime.folder / JOURNAL
    journal.write_bytes(b"no database at all, but something" * 1_000)
    process = site.start()
    _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert err.count("\n") == 1
    assert str(journal) in err
    assert "move it" in err


def test_the_journal_lies_where_it_is_said(site: Site, tmp_path: Path) -> None:
    """Its folder is made; where that cannot be, one line names the setting. Others may not look into it."""
    path = tmp_path / "state" / "here" / "signals.sqlite"
    site.end(signal.SIGTERM)
    site.start(TICKFLAG_COLLECTOR__JOURNAL=str(path))
    assert site.ask("status")["collector"]["journal"] == str(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    site.end(signal.SIGTERM)
    process = site.start(TICKFLAG_COLLECTOR__JOURNAL=str(path / "below" / "signals.sqlite"))
    _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    below = path / "below"
    assert err == f"collector: journal {below}/signals.sqlite: {below}: Not a directory: set `collector.journal`\n"


def test_metrics_over_http(site: Site, worker: Worker) -> None:
    """Prometheus reads what the collector knows, at the port that is set or, where that is taken, at the next; the
    collector ends while somebody is connected."""
    site.end(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.start(TICKFLAG_COLLECTOR__METRICS_PORT=str(port))
        site.wait_for(lambda: synced(site, worker))
        url = site.ask("status")["collector"]["metrics"]
        worker.change({"A": 1.0, "B": 2.0})
        site.wait_for(lambda: synced(site, worker))
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
            code, out, err = site.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    assert out.count("warning") == out.count("metrics port taken") == 1
    assert url in out


def test_collector_stays_light() -> None:
    """No compiler in its process, and no array library in its own code: it starts fast and stays small."""
    program = "import sys, services.collector.service; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["False", "False"]
    for path in (ROOT / "services" / "collector").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module] if module else [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] in ("numpy", "numba") for name in names), path
            assert not any(name.startswith("services.") and "collector" not in name for name in names), path
