"""`doctor`: each check finds its fault, and says what to do."""

import json
import re
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.pages import ROOT
from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.runtime import Role, Runtime, ServedAddress
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import load
from tickflag.common.wire.requests import Unreachable
from tickflag.services.cli.doctor import engine_checks, instance_checks, machine_checks
from tickflag.services.cli.engine.stale_files import remove_stale


def only(diagnoses: Iterable[Diagnosis]) -> Diagnosis:
    (diagnosis,) = diagnoses
    return diagnosis


def test_a_machine_without_an_engine_is_well(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails; each diagnosis is a line, and JSON has them all."""
    result = run("doctor")
    assert result.exit_code == 0
    assert all(line.startswith(("ok   ", "warn ")) for line in result.stdout.splitlines())
    report = json.loads(run("doctor", "--json").stdout)
    assert report["ok"]
    assert len(report["checks"]) == len(result.stdout.splitlines())
    assert {diagnosis["check"] for diagnosis in report["checks"]} >= {
        "python", "packages", "settings", "folder", "socket paths", "space", "clock", "kernels", "plugins", "remains",
        "processes",
    }  # fmt: skip


def test_a_check_that_fails_is_exit_code_1(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the settings do not load, which ends the checks; each fault is a line."""
    monkeypatch.setenv("TICKFLAG_SEGMENT__CAPACITY", "none")
    monkeypatch.setenv("TICKFLAG_SEGMENT__DEPTH", "none")
    result = run("doctor")
    assert result.exit_code == 1
    assert [line[:4] for line in result.stdout.splitlines()[-2:]] == ["fail", "fail"]
    assert json.loads(run("doctor", "--json").stdout)["ok"] is False


def test_a_folder_too_long_for_sockets(run: Run, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails and names the setting to change."""
    monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", "/tmp/" + "x" * 90)
    result = run("doctor")
    assert result.exit_code == 1
    assert "runtime.root" in result.stdout.splitlines()[-1]


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails for a version older than the oldest supported one."""
    monkeypatch.setattr(machine_checks, "OLDEST_PYTHON", (9, 9))
    assert only(machine_checks.python())._replace(found="") == Diagnosis("python", "fail", "", "use 9.9 or newer")


def test_a_package_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names that package and no other."""
    monkeypatch.setattr(machine_checks, "PACKAGES", ("json", "no_such_package"))
    diagnosis = only(machine_checks.packages())
    assert diagnosis.level == "fail"
    assert diagnosis.found.startswith("no_such_package does not import")


def test_every_dependency_is_looked_for() -> None:
    """The doctor imports each package that the engine is installed with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[><=]", dependency)[0].replace("-", "_") for dependency in project["dependencies"]}
    imported = {"pyzmq": "zmq"}
    assert {imported.get(name, name) for name in named} == set(machine_checks.PACKAGES)


def test_a_folder_others_may_look_into(runtime: Runtime) -> None:
    """A warning has the mode."""
    assert only(instance_checks.folder(load(), runtime)).level == "ok"
    runtime.folder.chmod(0o755)
    diagnosis = only(instance_checks.folder(load(), runtime))
    assert (diagnosis.level, "755" in diagnosis.found) == ("warn", True)


def test_too_little_space(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names needed and free bytes and the settings, unless the feed has its segment already."""

    class Usage:
        free = 1_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage)
    diagnosis = only(instance_checks.space(load(), runtime))
    assert diagnosis.level == "fail"
    assert "1.0 MB free" in diagnosis.found
    assert "segment.capacity" in diagnosis.do
    with Role(runtime, "feed"):
        assert only(instance_checks.space(load(), runtime)).level == "ok"
    Usage.free = 2 * layout.plan(1024, 100, (60, 300, 900, 3600)).total_bytes
    assert only(instance_checks.space(load(), runtime)).level == "ok"
    monkeypatch.setenv("TICKFLAG_SEGMENT__GROWTH", "true")
    assert only(instance_checks.space(load(), runtime)).level == "warn"


def test_a_clock_that_was_never_set(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candles follow the clock, so the check fails."""
    assert only(machine_checks.clocks()).level == "ok"
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert only(machine_checks.clocks()).level == "fail"


def test_kernels_that_are_not_compiled(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A warning says that the first start takes longer."""
    monkeypatch.setattr("tickflag.common.jit.cache_folder", lambda: tmp_path)
    assert only(machine_checks.kernels()).level == "warn"
    (tmp_path / "feed.warm").touch()
    assert "for trader" in only(machine_checks.kernels()).found
    (tmp_path / "trader.warm").touch()
    assert only(machine_checks.kernels()).level == "ok"


def test_no_trader_files(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A warning names the searched folder."""
    monkeypatch.setenv("TICKFLAG_TRADER__PLUGINS", str(tmp_path))
    (tmp_path / "_private.py").touch()
    assert only(instance_checks.plugins(load(), runtime)).level == "warn"
    (tmp_path / "rule.py").touch()
    assert only(instance_checks.plugins(load(), runtime)).level == "ok"


def test_remains_of_a_crash(runtime: Runtime) -> None:
    """The files of services that run do not count."""
    (runtime.folder / "feed-events").touch()
    assert "feed-events" in only(instance_checks.stale_files(load(), runtime)).found
    with Role(runtime, "feed"):
        assert only(instance_checks.stale_files(load(), runtime)).level == "ok"


def test_half_an_engine(runtime: Runtime) -> None:
    """Each missing service is a warning that says how to start it."""
    assert only(engine_checks.roles(load(), runtime)).level == "ok"
    with Role(runtime, "collector"):
        found = list(engine_checks.roles(load(), runtime))
    assert [diagnosis.level for diagnosis in found] == ["warn", "ok", "warn"]
    assert "tickflag.services.feed" in found[0].do


def test_the_feeds_heartbeat(runtime: Runtime) -> None:
    """There is no diagnosis without a feed, a warning before the first segment, and a failure when the feed stands
    still."""
    assert list(engine_checks.heartbeat(load(), runtime)) == []
    with Role(runtime, "feed"):
        assert only(engine_checks.heartbeat(load(), runtime)).level == "warn"
        with Segment.create(runtime, layout.plan(40, 2, (60,))) as segment:
            segment.publish(runtime)
            assert only(engine_checks.heartbeat(load(), runtime)).level == "fail"
            segment.arrays.living[layout.HEARTBEAT] = time.monotonic_ns()
            assert only(engine_checks.heartbeat(load(), runtime)).level == "ok"
            segment.arrays.living[layout.COUNTER["refused_symbols"]] = 3
            assert [diagnosis.check for diagnosis in engine_checks.heartbeat(load(), runtime)] == [
                "heartbeat",
                "symbols",
            ]


def test_traders_in_trouble(runtime: Runtime, answers: Answers) -> None:
    """Failing traders are failures; skipped and silent ones are warnings; each diagnosis names the trader's log."""
    assert list(engine_checks.traders(load(), runtime)) == []
    traders = [
        trader_line("good"),
        trader_line("near", reason="`watch`: no symbol is named btcusdt (did you mean BTCUSDT?)"),
        trader_line("off", state="disabled", reason="disabled by ann"),
        trader_line("bad", state="failing", error="it raised", log="bad_file"),
        trader_line("out", state="skipped", reason="no hook"),
    ]
    answers["status"] = {"collector": {"metrics": "http://127.0.0.1:9465/metrics"}, "traders": traders}
    answers["flags.list"] = {"trouble": ""}
    with Role(runtime, "collector"):
        found = list(engine_checks.traders(load(), runtime))
    assert [(diagnosis.check, diagnosis.level) for diagnosis in found] == [
        ("collector", "ok"),
        ("metrics", "ok"),
        ("traders", "warn"),
        ("traders", "fail"),
        ("traders", "warn"),
        ("traders", "ok"),
    ]
    assert found[1].found == "at http://127.0.0.1:9465/metrics"
    assert found[2].found == "near: `watch`: no symbol is named btcusdt (did you mean BTCUSDT?)"
    assert found[3].found == "bad is failing (it raised)"
    assert found[3].do == "`tickflag logs bad_file`"
    assert found[5].found == "3 of 5 are well"


def test_a_collector_with_trouble_of_its_own(
    runtime: Runtime, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file of the feature flags is a warning, and so are metrics that should be served and are not."""
    answers["status"] = {"collector": {"metrics": ""}, "traders": []}
    answers["flags.list"] = {"trouble": "the file cannot be used"}
    with Role(runtime, "collector"):
        found = {diagnosis.check: diagnosis for diagnosis in engine_checks.traders(load(), runtime)}
        assert (found["flags"].level, found["flags"].found) == ("warn", "the file cannot be used")
        assert (found["metrics"].level, "127.0.0.1, port 9464" in found["metrics"].found) == ("warn", True)
        monkeypatch.setenv("TICKFLAG_COLLECTOR__METRICS_PORT", "0")
        answers["flags.list"] = {"trouble": ""}
        assert [diagnosis.check for diagnosis in engine_checks.traders(load(), runtime)] == ["collector", "traders"]


def test_a_collector_that_does_not_answer(runtime: Runtime, answers: Answers) -> None:
    """A collector that holds its role and is silent is a failure."""

    def silent() -> Any:
        raise Unreachable("it did not answer")

    answers["status"] = silent
    with Role(runtime, "collector"):
        assert only(engine_checks.traders(load(), runtime)).level == "fail"


def test_keys_of_other_machines(runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine is open to others, the check shows its own key, who is allowed, and what is left out."""
    assert list(instance_checks.keys(load(), runtime)) == []
    monkeypatch.setenv("TICKFLAG_REMOTE__COMMANDS", "tcp://0.0.0.0:7711")
    assert [diagnosis.level for diagnosis in instance_checks.keys(load(), runtime)] == ["fail", "warn"]
    run("keys", "new-server")
    run("keys", "new-client", "ann")
    assert only(instance_checks.keys(load(), runtime)).do == "`tickflag keys allow FILE`"
    keys = runtime.folder / "keys"
    run("keys", "allow", str(keys / "ann.key"))
    assert only(instance_checks.keys(load(), runtime)) == Diagnosis("keys", "ok", "allowed are ann")
    (keys / "allowed" / "bad.key").write_text("?")
    assert [diagnosis.level for diagnosis in instance_checks.keys(load(), runtime)] == ["warn", "ok"]


def test_where_the_dashboard_is(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address; else why there is none, and what to do."""
    settings, served = load(), ServedAddress(runtime, "dashboard")

    def found() -> tuple[str, str, str]:
        diagnosis = only(engine_checks.dashboard(settings, runtime))
        return diagnosis.level, diagnosis.found, diagnosis.do

    assert found() == ("ok", "it can be started", "")
    with Role(runtime, "feed"):
        assert found()[:2] == ("warn", "it does not run")
    with Role(runtime, "dashboard"):
        served.write("")
        assert found()[:2] == ("warn", "it runs, and is not served anywhere")
        served.write("http://127.0.0.1:8087")
        assert found() == ("ok", "at http://127.0.0.1:8087", "")
    assert "dashboard-address" in only(instance_checks.stale_files(settings, runtime)).found
    remove_stale(runtime)
    assert only(instance_checks.stale_files(settings, runtime)).level == "ok"
    monkeypatch.setattr(engine_checks, "DASHBOARD_PACKAGES", ("starlette", "no_such_package"))
    assert found() == ("warn", "no_such_package is missing", "`pip install 'tickflag[dashboard]'`")
    monkeypatch.setenv("TICKFLAG_DASHBOARD__ENABLED", "false")
    settings = load()
    assert found() == ("ok", "it is switched off", "")
