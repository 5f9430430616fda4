"""Feature flags of a real collector: what workers are told, and what its death leaves."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses.collector_process import CollectorProcess
from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import WITHIN_S, Deadline, allowed_s
from tickflag.common.flags import FlagTable
from tickflag.common.wire.codec import decode_as
from tickflag.common.wire.messages import Control


@pytest.fixture
def collector() -> Iterator[CollectorProcess]:
    with runtime_folder() as runtime:
        collector = CollectorProcess(runtime)
        yield collector
        collector.close()


def _told(collector: CollectorProcess, features: dict[str, Any]) -> Control:
    """The control state, once it has these features."""
    deadline = Deadline(WITHIN_S)
    while True:
        while not collector.controls.poll(100):
            assert collector.process.poll() is None, "the collector has ended"
            assert not deadline.over(), "no control state came"
        control = decode_as(Control, collector.controls.recv())
        if control.features == features:
            return control


def test_a_change_reaches_the_workers_and_outlives_the_collector(collector: CollectorProcess) -> None:
    """The collector is killed right after its answer. The next one publishes the same rule, under a higher version."""
    collector.ask("flags.set", flag="per_symbol_tracking", value=25, who="ann")
    expected = {"per_symbol_tracking": {"default": True, "percentage": 25.0}}
    before = _told(collector, expected)
    collector.end(signal.SIGKILL)
    collector.start()
    after = _told(collector, expected)
    while after.state_version == before.state_version:  # skip the document that was on its way
        after = _told(collector, expected)
    assert after.state_version > before.state_version
    assert [change["who"] for change in collector.ask("flags.history")] == ["ann"]
    table = FlagTable.of(after.features, "rsi")
    assert (
        table.on("per_symbol_tracking")
        == collector.ask("flags.explain", flag="per_symbol_tracking", name="rsi")["value"]
    )


def test_a_variable_counts_from_the_start(collector: CollectorProcess) -> None:
    """A variable counts more than what is stored."""
    collector.ask("flags.force", flag="per_symbol_tracking", trader="rsi", value=True)
    collector.end(signal.SIGTERM)
    collector.start(TICKFLAG_FLAGS__PER_SYMBOL_TRACKING="false")
    _told(collector, {"per_symbol_tracking": {"default": False}})


def test_a_variable_of_an_unknown_flag_ends_the_start(collector: CollectorProcess) -> None:
    """One line names the variable, and the feature flags there are."""
    collector.end(signal.SIGTERM)
    process = collector.start(TICKFLAG_FLAGS__PER_SYMBOL_TRAKING="false")
    _, err = process.communicate(timeout=allowed_s(WITHIN_S))
    assert process.returncode == 1
    assert err.count("\n") == 1
    where = "setting `flags.per_symbol_traking` (environment variable TICKFLAG_FLAGS__PER_SYMBOL_TRAKING)"
    assert err.startswith(f"collector: {where}: no such feature flag: known are per_symbol_tracking, ")


def test_time_and_editors_are_followed(collector: CollectorProcess) -> None:
    """A ramp moves on, and an edited file is read, without any command."""
    collector.ask("flags.ramp", flag="audit", steps=[[10, 0.2], [20, 0]])
    _told(collector, {"audit": {"default": True, "percentage": 20.0}})
    fresh = collector.runtime.folder / "edited"
    fresh.write_text(json.dumps({"flags": {"batch_mode": {"default": False}}}))
    (path,) = collector.runtime.folder.glob("*.flags.json")
    fresh.replace(path)
    _told(collector, {"batch_mode": {"default": False}})


def test_a_damaged_file_does_not_end_the_start(collector: CollectorProcess) -> None:
    """The last good document counts, and the log says so."""
    collector.ask("flags.kill", flag="audit")
    collector.end(signal.SIGTERM)
    (path,) = collector.runtime.folder.glob("*.flags.json")
    path.write_text("{")
    collector.start()
    _told(collector, {"audit": {"default": True, "killed": True}})
    assert "cannot be used" in collector.ask("flags.list")["trouble"]
    code, out, _ = collector.end(signal.SIGTERM)
    assert code == 0
    assert "cannot be used: no JSON" in out


def test_a_provider_takes_the_place_of_the_file(collector: CollectorProcess, tmp_path: Path) -> None:
    """The provider's answers reach the workers, and their changes too. A wrong setting ends the start with one line."""
    pytest.importorskip("openfeature", reason="needs openfeature-sdk: pip install 'tickflag[flags]'")
    from tests.support.stand_ins import flag_provider

    collector.end(signal.SIGTERM)
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"symbol_rate_limit": {"else": False}}))
    variable = "TICKFLAG_COLLECTOR__FLAG_PROVIDER"
    named = {variable: "tests.support.stand_ins.flag_provider:provider"}
    collector.start(**named, **{flag_provider.FILE: str(file)})
    _told(collector, {"symbol_rate_limit": {"default": False}})
    file.write_text(json.dumps({"symbol_rate_limit": {"else": True}}))
    _told(collector, {})
    collector.end(signal.SIGTERM)
    collector.start(**{variable: "nowhere:provider"})
    status, _, err = collector.end(signal.SIGCONT)
    assert status == 1
    assert err.startswith("collector: setting `collector.flag_provider`: 'nowhere:provider' cannot be imported")
