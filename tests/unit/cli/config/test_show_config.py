"""`show-config`: every setting, and where its value comes from."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings


def test_the_text_is_a_configuration_file(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """It parses as TOML and has every setting with its value."""
    (tmp_path / "traders.toml").write_text("['rsi.fast']\n['rsi.fast'.settings]\n'a key' = [1, 2]\n")
    parsed = tomllib.loads(run("show-config").stdout)
    table = {"source": "", "enabled": True, "group": "", "settings": {"a key": [1, 2]}}
    assert parsed == Settings().model_dump(mode="json") | {"traders": {"rsi.fast": table}}
    (tmp_path / "traders.toml").unlink()
    (tmp_path / "engine.toml").write_text("[flags]\naudit = false\n")
    text = run("show-config").stdout
    assert tomllib.loads(text) == Settings().model_dump(mode="json") | {"flags": {"audit": False}}
    assert f"audit = false                             # {tmp_path / 'engine.toml'}" in text


def test_where_each_value_comes_from(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The origin is a file, a variable, a part of a block in a variable, or the default."""
    (tmp_path / "feed.toml").write_text("[feed]\nheartbeat_ms = 250\nwatermark_ms = 100\n")
    monkeypatch.setenv("TICKFLAG_FEED__WATERMARK_MS", "300")
    monkeypatch.setenv("TICKFLAG_SEGMENT", '{"capacity": 64}')
    found = json.loads(run("show-config", "--json").stdout)
    assert found["feed.heartbeat_ms"] == {"value": 250.0, "set_by": str(tmp_path / "feed.toml")}
    assert found["feed.watermark_ms"] == {"value": 300.0, "set_by": "environment variable TICKFLAG_FEED__WATERMARK_MS"}
    assert found["segment.capacity"] == {"value": 64, "set_by": "environment variable TICKFLAG_SEGMENT"}
    assert found["segment.depth"] == {"value": 100, "set_by": "default"}
    assert found["instance"] == {"value": "test", "set_by": "environment variable TICKFLAG_INSTANCE"}
    assert f"heartbeat_ms = 250.0                      # {tmp_path / 'feed.toml'}" in run("show-config").stdout


def test_a_wrong_setting_is_one_line(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the key and where it was set."""
    monkeypatch.setenv("TICKFLAG_SEGMENT__CAPACITY", "none")
    result = run("show-config")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "tickflag: setting `segment.capacity` (environment variable TICKFLAG_SEGMENT__CAPACITY)"
    )
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("api_key", True), ("apikey", True), ("private-key", True), ("Password", True), ("db_passwd", True),
        ("token", True), ("client_secret", True), ("authorization", True), ("key", False), ("author", False),
        ("period", False),
    ],
)  # fmt: skip
def test_secrets_of_traders_are_masked(runtime: Runtime, run: Run, tmp_path: Path, name: str, masked: bool) -> None:
    """A trader's own setting is masked by its name or by the name above it; an empty one is shown as empty."""
    text = f"[a.settings]\n{name} = 'value'\n[b.settings]\n{name} = ''\n[c.settings.{name}]\nx = [1, 2]\n"
    (tmp_path / "traders.toml").write_text(text)
    found = json.loads(run("show-config", "--json").stdout)
    assert found[f"traders.a.settings.{name}"]["value"] == ("**********" if masked else "value")
    assert found[f"traders.b.settings.{name}"]["value"] == ""
    assert found[f"traders.c.settings.{name}.x"]["value"] == ("**********" if masked else [1, 2])


def test_a_trader_with_a_telling_name_shows_its_settings(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """Only the names of settings count."""
    (tmp_path / "traders.toml").write_text("[token.settings]\nperiod = 3\n")
    assert json.loads(run("show-config", "--json").stdout)["traders.token.settings.period"]["value"] == 3
