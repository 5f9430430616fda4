"""Every command against a running engine that `tickflag start` started."""

import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from click.testing import CliRunner, Result

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import MATCH_ALL, Engine, write_trader
from tests.support.processes.commands import tickflag_command
from tests.support.processes.waiting import allowed_s
from tickflag.common.segment import layout
from tickflag.services.cli.group import tickflag

SYMBOLS = 60
SHIPPED = {"breakout", "ma-cross", "rsi", "spread", "top-movers", "volume-surge"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with the shipped traders, a file that cannot be loaded, and a trader that matches all symbols and
    prints."""
    folder = tmp_path_factory.mktemp("cli")
    plugins = folder / "plugins"
    shutil.copytree(ROOT / "plugins", plugins, ignore=shutil.ignore_patterns("__pycache__"))
    (plugins / "broken.py").write_text("import nothing_of_this_name\n")
    write_trader(plugins, "talks", 'print("the talker is here", flush=True)\n' + MATCH_ALL, name="talker")
    env = {"TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS), "TICKFLAG_SEGMENT__CAPACITY": "64"}
    with Engine(folder, env, plugins) as engine:
        engine.spawn("start", *tickflag_command("start"))
        engine.wait_ready()
        yield engine


def run(engine: Engine, *arguments: str) -> Result:
    """Run a command in this process: the same code without the start of an interpreter."""
    with patch.dict(os.environ, engine.env, clear=True):
        return CliRunner().invoke(tickflag, arguments)


def text(engine: Engine, *arguments: str) -> str:
    """What a command prints that succeeds."""
    result = run(engine, *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.exception
    return result.stdout


def ask(engine: Engine, *arguments: str) -> Any:
    """What a command prints with --json."""
    return json.loads(text(engine, *arguments, "--json"))


def refusal(engine: Engine, *arguments: str, status: int = 1) -> str:
    """The one line of a command that fails."""
    result = run(engine, *arguments)
    assert result.exit_code == status
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("tickflag: ")
    return result.stderr


def test_status_shows_every_part(running: Engine) -> None:
    """Feed, collector and supervisor run, and the overall numbers are the sums of all traders."""
    status = ask(running, "status")
    assert status["instance"] == "test"
    assert {part: status[part]["state"] for part in ("feed", "collector", "supervisor")} == dict.fromkeys(
        ("feed", "collector", "supervisor"), "running"
    )
    assert status["feed"]["pid"] == running.holder("feed")
    assert status["feed"]["symbols"] == SYMBOLS
    assert status["feed"]["capacity"] == 64
    assert status["feed"]["updates"] > 0
    assert status["feed"]["swaps"] > 0
    assert status["feed"]["heartbeat_age_ms"] < 1_500
    assert {trader["name"] for trader in status["traders"]} == SHIPPED | {"talker", "broken"}
    overall = status["overall"]
    assert overall["processed"] == sum(trader["processed"] for trader in status["traders"])
    assert overall["bytes_saved"] == sum(trader["bytes_full"] - trader["bytes_sent"] for trader in status["traders"])
    assert 0.0 <= overall["efficiency"] <= 1.0


def test_status_fits_one_screen(running: Engine) -> None:
    """The text names the parts and has a line for each trader."""
    lines = text(running, "status").splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith("instance   test")
    for name in SHIPPED:
        assert any(line.startswith(name) and "running" in line for line in lines)


def test_traders_says_why_one_does_not_run(running: Engine) -> None:
    """A file that cannot be loaded is listed as skipped, with the reason; the others run."""
    traders = {trader["name"]: trader for trader in ask(running, "traders")}
    assert traders["broken"]["state"] == "skipped"
    assert "nothing_of_this_name" in traders["broken"]["reason"]
    assert traders["talker"]["state"] == "running"
    assert traders["talker"]["source"].endswith("/talks.py")
    shown = text(running, "traders")
    assert "nothing_of_this_name" in shown
    assert "talks.py" in shown


def test_matches_of_a_trader(running: Engine) -> None:
    """A trader that matches every symbol shows them all, ranked in the text."""
    found = ask(running, "matches", "talker")
    assert found["synced"]
    assert len(found["matches"]) == SYMBOLS
    assert f"{SYMBOLS} matches of talker" in text(running, "matches", "talker")


@pytest.mark.parametrize("command", [("matches",), ("logs",), ("signals", "--trader")])
def test_an_unknown_trader_is_told_with_the_known_ones(running: Engine, command: tuple[str, ...]) -> None:
    """One line names the mistake and lists all traders."""
    line = refusal(running, *command, "nobody")
    assert "'nobody'" in line
    assert all(name in line for name in SHIPPED)


def test_signals_of_the_journal(running: Engine) -> None:
    """A page after any number, the newest signals, and those of one trader."""
    page = text(running, "signals", "--since", "3", "--limit", "4", "--json").splitlines()
    assert [json.loads(line)["seq"] for line in page] == [4, 5, 6, 7]
    newest = [json.loads(line)["seq"] for line in text(running, "signals", "--json").splitlines()]
    assert len(newest) == 20
    assert newest == list(range(newest[0], newest[0] + 20))
    talker = text(running, "signals", "--trader", "talker", "--limit", "10", "--json").splitlines()
    assert {json.loads(line)["trader"] for line in talker} == {"talker"}
    assert len(talker) == 10
    assert len(text(running, "signals", "--limit", "2").splitlines()) == 2
    assert "is not of this journal" in refusal(running, "signals", "--since", "99999999")


def test_following_signals_begins_in_the_journal_and_has_no_hole(running: Engine) -> None:
    """Journalled and live signals each come once, in order."""
    until = running.request("collector", "status")["collector"]["last_seq"] + 30
    lines = text(running, "signals", "--since", "0", "--follow", "--json", "--limit", str(until)).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, until + 1))


@pytest.mark.parametrize("how", ["ctrl-c", "closed pipe"])
def test_a_follower_ends_cleanly(running: Engine, how: str) -> None:
    """Ctrl-C, or a closed pipe, ends the follower at once, with status 0 and without a word."""
    command = tickflag_command("signals", "--since", "0", "--follow")
    with subprocess.Popen(
        command, cwd=ROOT, env=running.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        assert follower.stderr is not None
        follower.stdout.readline()
        if how == "ctrl-c":
            follower.send_signal(signal.SIGINT)
            follower.stdout.read()
        else:
            follower.stdout.close()
        assert follower.stderr.read() == ""
        assert follower.wait(allowed_s(10)) == 0


def test_segment_ls(running: Engine) -> None:
    """There is one file: ready, current, owned by the feed."""
    (file,) = ask(running, "segment", "ls")
    assert file["state"] == "ready"
    assert file["current"] is True
    assert file["owner_pid"] == running.holder("feed")
    assert file["capacity"] == 64
    assert file["bytes"] == (running.runtime.folder / file["file"]).stat().st_size
    assert file["file"] in text(running, "segment", "ls")


def test_segment_dump(running: Engine) -> None:
    """The dump has header, counters, channels, and the rows of the named symbols or of all."""
    with running.segment() as segment:
        first, second = (segment.names[slot].decode() for slot in (0, 1))
        generation = f"{segment.generation:016x}"
    document = ask(running, "segment", "dump", second, first)
    assert document["header"]["generation"] == generation
    assert document["symbol_count"] == SYMBOLS
    assert set(document["counters"]) == set(layout.COUNTERS)
    assert [channel["channel"] for channel in document["channels"]] == ["ticker", "1m", "5m", "15m", "1h"]
    assert all(channel["open"] == channel["closed"] + 1 for channel in document["channels"])
    assert [row["symbol"] for row in document["symbols"]] == [second, first]
    for row in document["symbols"]:
        assert row["version"] % 2 == 0
        assert row["last"] > 0
        assert row["bid"] is None or row["bid"] < row["ask"]
        assert set(row["candles"]) == {"1m", "5m", "15m", "1h"}
        assert row["candles"]["1m"] >= 100
    assert len(ask(running, "segment", "dump", "--all")["symbols"]) == SYMBOLS
    shown = text(running, "segment", "dump")
    assert first in shown
    assert f"and {SYMBOLS - 20} more" in shown
    assert f"did you mean {first}" in refusal(running, "segment", "dump", first[:-1] + "_")


def test_the_debug_ring_is_switched_at_run_time(running: Engine) -> None:
    """Off, the ring stays empty; on, the dump shows a burst of all symbols."""
    assert text(running, "segment", "debug", "on")
    try:
        assert text(running, "synthetic", "burst", str(SYMBOLS))
        running.wait(lambda: len(ask(running, "segment", "dump", "--debug")["debug"]) >= SYMBOLS, 30)
        document = ask(running, "segment", "dump", "--debug")
        assert document["header"]["debug"] is True
        assert {entry["kind"] for entry in document["debug"]} <= {"tick", "close"}
        assert len(document["debug"]) <= layout.DEBUG_RING
    finally:
        assert text(running, "segment", "debug", "off")
    assert ask(running, "segment", "dump")["header"]["debug"] is False


def test_segment_clean_leaves_a_running_feed_alone(running: Engine) -> None:
    """Exit code 75, naming the feed; nothing is removed."""
    before = running.leftovers()
    line = refusal(running, "segment", "clean", status=75)
    assert str(running.holder("feed")) in line
    assert running.leftovers() == before


def test_a_second_start_is_refused(running: Engine) -> None:
    """Exit code 75, naming the process that runs."""
    line = refusal(running, "start", status=75)
    assert str(running.holder("feed")) in line
    assert "'test'" in line


def test_a_burst_too_large_is_refused_by_the_feed(running: Engine) -> None:
    """The feed's own words come through; what is no number is wrong usage."""
    assert f"1 to {SYMBOLS}" in refusal(running, "synthetic", "burst", str(SYMBOLS + 1))
    assert run(running, "synthetic", "burst", "some").exit_code == 2


def test_the_bundle_of_a_running_engine(running: Engine, tmp_path: Path) -> None:
    """The bundle has all answers of the services, the logs and the segment's figures.

    Symbols appear only in signals and in the text of traders' logs; the bundle holds no row and no match set.
    """
    path = tmp_path / "engine.tar.gz"
    lines = text(running, "doctor", "--bundle", str(path)).splitlines()
    assert lines[-1].startswith(f"{path} (")
    with tarfile.open(path) as archive:
        found = {
            member.name.partition("/")[2]: (archive.extractfile(member) or io.BytesIO()).read().decode()
            for member in archive
        }
    absent = found.pop("absent.txt", "")
    assert {line.partition(": ")[0] for line in absent.splitlines()} <= {
        "collector/circuits.json", "collector/errors.json", "collector/notices.json"
    }  # fmt: skip
    assert json.loads(found["collector/status.json"])["collector"]["instance"] == "test"
    assert {trader["name"] for trader in json.loads(found["collector/traders.json"])} == SHIPPED | {"talker", "broken"}
    assert {trader["label"] for trader in json.loads(found["supervisor/traders.json"])} >= {"talks.py", "broken.py"}
    assert json.loads(found["collector/flags.list.json"])["flags"]
    assert isinstance(json.loads(found["collector/flags.history.json"]), list)
    assert json.loads(found["feed/status.json"])["updates"] > 0
    assert json.loads(found["segment.json"])["symbol_count"] == SYMBOLS
    signals = [json.loads(line) for line in found["collector/signals.jsonl"].splitlines()]
    assert 0 < len(signals) <= 1_000
    assert signals[-1]["seq"] - signals[0]["seq"] == len(signals) - 1
    assert "the talker is here" in found["logs/talks.log"]
    assert "nothing_of_this_name" in found["supervisor/traders.json"]
    assert "journal.sqlite" in found["files.txt"]
    assert tomllib.loads(found["settings.toml"])["synthetic"]["symbols"] == SYMBOLS
    symbols = {signal["symbol"] for signal in signals}
    others = [content for name, content in found.items() if not name.startswith(("logs/", "collector/signals"))]
    assert not any(f'"{symbol}"' in content for symbol in symbols for content in others)


def test_doctor_finds_the_engine_well(running: Engine) -> None:
    """Every check is ok but one: the skipped trader is a warning that says what to do."""
    report = ask(running, "doctor")
    assert report["ok"]
    assert {finding["check"] for finding in report["checks"] if finding["level"] != "ok"} == {"traders"}
    shown = text(running, "doctor")
    assert "ok   heartbeat" in shown
    assert "broken is skipped" in shown


def test_show_config_tells_where_a_setting_comes_from(running: Engine) -> None:
    """The text is a configuration file; JSON says who set each value."""
    config = ask(running, "show-config")
    assert config["segment.capacity"] == {
        "value": 64,
        "set_by": "environment variable TICKFLAG_SEGMENT__CAPACITY",
    }
    assert config["segment.depth"] == {"value": 100, "set_by": "default"}
    parsed = tomllib.loads(text(running, "show-config"))
    assert parsed["synthetic"]["symbols"] == SYMBOLS


def test_logs_by_name_and_by_file(running: Engine) -> None:
    """A trader's output is found by its name and by its file's."""
    for name in ("talker", "talks"):
        assert text(running, "logs", name, "--lines", "1") == "the talker is here\n"


def test_logs_can_be_followed(running: Engine) -> None:
    """New lines come as they are written, until Ctrl-C."""
    command = tickflag_command("logs", "talker", "--follow", "--lines", "0")
    path = running.runtime.logs / "talks.log"
    with subprocess.Popen(
        command, cwd=ROOT, env=running.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        assert follower.stderr is not None

        def opened() -> bool:
            return any(file.path == str(path) for file in process.open_files())

        process = psutil.Process(follower.pid)
        running.wait(opened, 30, "the log is open")
        with path.open("a") as log:
            log.write("one more line\n")
        assert follower.stdout.readline() == "one more line\n"
        follower.send_signal(signal.SIGINT)
        assert follower.stderr.read() == ""
        assert follower.wait(allowed_s(10)) == 0
