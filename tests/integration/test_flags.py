"""Feature flags of a real collector: what workers are told, and what is left after its death."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.codec import decode_as
from common.flags import FlagTable
from common.messages import Control
from tests.support.collector_site import Site
from tests.support.folders import runtime_folder


@pytest.fixture
def site() -> Iterator[Site]:
    with runtime_folder() as runtime:
        site = Site(runtime)
        yield site
        site.close()


def _told(site: Site, features: dict[str, Any]) -> Control:
    """The control state, once it has these features."""
    while True:
        assert site.controls.poll(30_000), "no control state came"
        control = decode_as(Control, site.controls.recv())
        if control.features == features:
            return control


def test_a_change_reaches_the_workers_and_outlives_the_collector(site: Site) -> None:
    """Killed right after the answer, the next collector publishes the same, under a higher version."""
    site.ask("flags.set", flag="per_symbol_tracking", value=25, who="ann")
    expected = {"per_symbol_tracking": {"default": True, "percentage": 25.0}}
    before = _told(site, expected)
    site.end(signal.SIGKILL)
    site.start()
    after = _told(site, expected)
    while after.state_version == before.state_version:  # one that was on its way
        after = _told(site, expected)
    assert after.state_version > before.state_version
    assert [change["who"] for change in site.ask("flags.history")] == ["ann"]
    table = FlagTable.of(after.features, "rsi")
    assert table.on("per_symbol_tracking") == site.ask("flags.explain", flag="per_symbol_tracking", name="rsi")["value"]


def test_a_variable_counts_from_the_start(site: Site) -> None:
    """More than what is stored."""
    site.ask("flags.force", flag="per_symbol_tracking", trader="rsi", value=True)
    site.end(signal.SIGTERM)
    site.start(TICKFLAG_FLAGS__PER_SYMBOL_TRACKING="false")
    _told(site, {"per_symbol_tracking": {"default": False}})


def test_a_variable_of_an_unknown_flag_ends_the_start(site: Site) -> None:
    """One line names it, and the flags there are."""
    site.end(signal.SIGTERM)
    process = site.start(TICKFLAG_FLAGS__PER_SYMBOL_TRAKING="false")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.count("\n") == 1
    where = "setting `flags.per_symbol_traking` (environment variable TICKFLAG_FLAGS__PER_SYMBOL_TRAKING)"
    assert err.startswith(f"collector: {where}: no such feature flag: known are per_symbol_tracking, ")


def test_time_and_editors_are_followed(site: Site) -> None:
    """A ramp goes on and an edited file is taken, without any command."""
    site.ask("flags.ramp", flag="audit", steps=[[10, 0.2], [20, 0]])
    _told(site, {"audit": {"default": True, "percentage": 20.0}})
    fresh = site.runtime.folder / "edited"
    fresh.write_text(json.dumps({"flags": {"batch_mode": {"default": False}}}))
    (path,) = site.runtime.folder.glob("*.flags.json")
    fresh.replace(path)
    _told(site, {"batch_mode": {"default": False}})


def test_a_damaged_file_does_not_end_the_start(site: Site) -> None:
    """The last good one counts, and the log says so."""
    site.ask("flags.kill", flag="audit")
    site.end(signal.SIGTERM)
    (path,) = site.runtime.folder.glob("*.flags.json")
    path.write_text("{")
    site.start()
    _told(site, {"audit": {"default": True, "killed": True}})
    assert "cannot be used" in site.ask("flags.list")["trouble"]
    code, out, _ = site.end(signal.SIGTERM)
    assert code == 0
    assert "cannot be used: no JSON" in out


def test_a_provider_takes_the_place_of_the_file(site: Site, tmp_path: Path) -> None:
    """Its answers reach the workers, and follow it; a wrong setting ends the start with one line."""
    pytest.importorskip("openfeature", reason="needs openfeature-sdk: pip install 'tickflag[flags]'")
    from tests.support import flag_provider

    site.end(signal.SIGTERM)
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"symbol_rate_limit": {"else": False}}))
    variable = "TICKFLAG_COLLECTOR__FLAG_PROVIDER"
    site.start(**{variable: "tests.support.flag_provider:provider", flag_provider.FILE: str(file)})
    _told(site, {"symbol_rate_limit": {"default": False}})
    file.write_text(json.dumps({"symbol_rate_limit": {"else": True}}))
    _told(site, {})
    site.end(signal.SIGTERM)
    site.start(**{variable: "nowhere:provider"})
    status, _, err = site.end(signal.SIGCONT)
    assert status == 1
    assert err.startswith("collector: setting `collector.flag_provider`: 'nowhere:provider' cannot be imported")
