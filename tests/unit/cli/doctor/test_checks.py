"""`doctor`: each check finds what it is for, and says what to do."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from common import layout
from common.requests import Unreachable
from common.runtime import Role, Runtime
from common.segment import Segment
from common.settings import load
from services.cli import checks
from services.cli.checks import Finding, Findings

from .conftest import Answers, Run, trader_line


def only(findings: Findings) -> Finding:
    (finding,) = findings
    return finding


def test_a_machine_without_an_engine_is_well(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails; each finding is a line, and JSON has them all."""
    result = run("doctor")
    assert result.exit_code == 0
    assert all(line.startswith(("ok   ", "warn ")) for line in result.stdout.splitlines())
    report = json.loads(run("doctor", "--json").stdout)
    assert report["ok"]
    assert len(report["checks"]) == len(result.stdout.splitlines())
    assert {finding["check"] for finding in report["checks"]} >= {
        "python", "packages", "settings", "folder", "socket paths", "space", "clock", "kernels", "plugins", "remains",
        "processes",
    }  # fmt: skip


def test_a_check_that_fails_is_exit_code_1(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here: settings that do not load, which ends the checks; each fault is a line."""
    monkeypatch.setenv("TICKFLAG_SEGMENT__CAPACITY", "none")
    monkeypatch.setenv("TICKFLAG_SEGMENT__DEPTH", "none")
    result = run("doctor")
    assert result.exit_code == 1
    assert [line[:4] for line in result.stdout.splitlines()[-2:]] == ["fail", "fail"]
    assert json.loads(run("doctor", "--json").stdout)["ok"] is False


def test_a_folder_too_long_for_sockets(run: Run, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails with the setting to change."""
    monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", "/tmp/" + "x" * 90)
    result = run("doctor")
    assert result.exit_code == 1
    assert "runtime.root" in result.stdout.splitlines()[-1]


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older than what we support."""
    monkeypatch.setattr(checks, "OLDEST_PYTHON", (9, 9))
    assert only(checks.python())._replace(found="") == Finding("python", "fail", "", "use 9.9 or newer")


def test_a_package_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the others are not."""
    monkeypatch.setattr(checks, "PACKAGES", ("json", "no_such_package"))
    finding = only(checks.packages())
    assert finding.level == "fail"
    assert finding.found.startswith("no_such_package does not import")


def test_a_folder_others_may_look_into(runtime: Runtime) -> None:
    """A warning with the mode."""
    assert only(checks.folder(load(), runtime)).level == "ok"
    runtime.folder.chmod(0o755)
    finding = only(checks.folder(load(), runtime))
    assert (finding.level, "755" in finding.found) == ("warn", True)


def test_too_little_space(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needed and free bytes and the settings, unless the feed has its segment already."""

    class Usage:
        free = 1_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage)
    finding = only(checks.space(load(), runtime))
    assert finding.level == "fail"
    assert "1.0 MB free" in finding.found
    assert "segment.capacity" in finding.do
    with Role(runtime, "feed"):
        assert only(checks.space(load(), runtime)).level == "ok"
    Usage.free = 2 * layout.plan(1024, 100, (60, 300, 900, 3600)).total_bytes
    assert only(checks.space(load(), runtime)).level == "ok"
    monkeypatch.setenv("TICKFLAG_SEGMENT__GROWTH", "true")
    assert only(checks.space(load(), runtime)).level == "warn"


def test_a_clock_that_was_never_set(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candles follow it, so it fails."""
    assert only(checks.clocks(load(), runtime)).level == "ok"
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert only(checks.clocks(load(), runtime)).level == "fail"


def test_kernels_that_are_not_compiled(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A warning: the first start takes longer."""
    monkeypatch.setattr("common.jit.cache_folder", lambda: tmp_path)
    assert only(checks.kernels(load(), runtime)).level == "warn"
    (tmp_path / "feed.warm").touch()
    assert "for trader" in only(checks.kernels(load(), runtime)).found
    (tmp_path / "trader.warm").touch()
    assert only(checks.kernels(load(), runtime)).level == "ok"


def test_no_trader_files(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A warning with the folder that was looked into."""
    monkeypatch.setenv("TICKFLAG_TRADER__PLUGINS", str(tmp_path))
    (tmp_path / "_private.py").touch()
    assert only(checks.plugins(load(), runtime)).level == "warn"
    (tmp_path / "rule.py").touch()
    assert only(checks.plugins(load(), runtime)).level == "ok"


def test_remains_of_a_crash(runtime: Runtime) -> None:
    """Only of those who do not run."""
    (runtime.folder / "feed-events").touch()
    assert "feed-events" in only(checks.left_behind(load(), runtime)).found
    with Role(runtime, "feed"):
        assert only(checks.left_behind(load(), runtime)).level == "ok"


def test_half_an_engine(runtime: Runtime) -> None:
    """Those that are missing are warnings, each with how to start it."""
    assert only(checks.roles(load(), runtime)).level == "ok"
    with Role(runtime, "collector"):
        found = list(checks.roles(load(), runtime))
    assert [finding.level for finding in found] == ["warn", "ok", "warn"]
    assert "services.feed" in found[0].do


def test_the_feeds_heartbeat(runtime: Runtime) -> None:
    """None without a feed; a warning before the first segment; a failure when it stands still."""
    assert list(checks.heartbeat(load(), runtime)) == []
    with Role(runtime, "feed"):
        assert only(checks.heartbeat(load(), runtime)).level == "warn"
        with Segment.create(runtime, layout.plan(40, 2, (60,))) as segment:
            segment.publish(runtime)
            assert only(checks.heartbeat(load(), runtime)).level == "fail"
            segment.arrays.living[layout.HEARTBEAT] = time.monotonic_ns()
            assert only(checks.heartbeat(load(), runtime)).level == "ok"
            segment.arrays.living[layout.COUNTER["refused_symbols"]] = 3
            assert [finding.check for finding in checks.heartbeat(load(), runtime)] == ["heartbeat", "symbols"]


def test_traders_in_trouble(runtime: Runtime, answers: Answers) -> None:
    """Those that fail are failures, those that are skipped or silent warnings; each names its log."""
    assert list(checks.traders(load(), runtime)) == []
    traders = [
        trader_line("good"),
        trader_line("bad", state="failing", error="it raised", log="bad_file"),
        trader_line("out", state="skipped", reason="no hook"),
    ]
    answers["status"] = {"collector": {"metrics": "http://127.0.0.1:9465/metrics"}, "traders": traders}
    answers["flags.list"] = {"trouble": ""}
    with Role(runtime, "collector"):
        found = list(checks.traders(load(), runtime))
    assert [(finding.check, finding.level) for finding in found] == [
        ("collector", "ok"),
        ("metrics", "ok"),
        ("traders", "fail"),
        ("traders", "warn"),
        ("traders", "ok"),
    ]
    assert found[1].found == "at http://127.0.0.1:9465/metrics"
    assert found[2].found == "bad is failing (it raised)"
    assert found[2].do == "`tickflag logs bad_file`"
    assert found[4].found == "1 of 3 are well"


def test_a_collector_with_trouble_of_its_own(
    runtime: Runtime, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file of the feature flags, and metrics that are not served though they should be, are warnings."""
    answers["status"] = {"collector": {"metrics": ""}, "traders": []}
    answers["flags.list"] = {"trouble": "the file cannot be used"}
    with Role(runtime, "collector"):
        found = {finding.check: finding for finding in checks.traders(load(), runtime)}
        assert (found["flags"].level, found["flags"].found) == ("warn", "the file cannot be used")
        assert (found["metrics"].level, "127.0.0.1, port 9464" in found["metrics"].found) == ("warn", True)
        monkeypatch.setenv("TICKFLAG_COLLECTOR__METRICS_PORT", "0")
        answers["flags.list"] = {"trouble": ""}
        assert [finding.check for finding in checks.traders(load(), runtime)] == ["collector", "traders"]


def test_a_collector_that_does_not_answer(runtime: Runtime, answers: Answers) -> None:
    """It holds its role and is silent: a failure."""

    def silent() -> Any:
        raise Unreachable("it did not answer")

    answers["status"] = silent
    with Role(runtime, "collector"):
        assert only(checks.traders(load(), runtime)).level == "fail"


def test_keys_of_other_machines(runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at where the engine is open to others: its own, who is allowed, and what is left out."""
    assert list(checks.keys(load(), runtime)) == []
    monkeypatch.setenv("TICKFLAG_REMOTE__COMMANDS", "tcp://0.0.0.0:7711")
    assert [finding.level for finding in checks.keys(load(), runtime)] == ["fail", "warn"]
    run("keys", "new-server")
    run("keys", "new-client", "ann")
    assert only(checks.keys(load(), runtime)).do == "`tickflag keys allow FILE`"
    keys = runtime.folder / "keys"
    run("keys", "allow", str(keys / "ann.key"))
    assert only(checks.keys(load(), runtime)) == Finding("keys", "ok", "allowed are ann")
    (keys / "allowed" / "bad.key").write_text("?")
    assert [finding.level for finding in checks.keys(load(), runtime)] == ["warn", "ok"]
