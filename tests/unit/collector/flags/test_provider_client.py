"""Feature flags from an OpenFeature provider: asked in a thread of its own, and never waited for."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openfeature", reason="needs openfeature-sdk: pip install 'tickflag[flags]'")

from openfeature import api

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.harnesses.flags_harness import FlagsHarness
from tests.support.stand_ins import flag_provider
from tickflag.common.errors import TickflagError
from tickflag.common.flags import Rule
from tickflag.services.collector.flags.provider_client import ProviderClient, ProviderQuery

SETTING = "tests.support.stand_ins.flag_provider:provider"
WANTED = ProviderQuery({"audit": True, "batch_mode": True, "symbol_rate_limit": True}, {"rsi": "desk", "macd": ""})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flag_provider.FILE, str(path))
    path.write_text(json.dumps({"audit": {"desk": False, "macd": True}, "symbol_rate_limit": {"else": False}}))
    return path


@pytest.fixture
def source(file: Path) -> Iterator[ProviderClient]:
    source = ProviderClient(SETTING)
    yield source
    source.close()
    api.clear_providers()


def _wait(condition: Callable[[], Any]) -> None:
    """Wait under a deadline; the other thread is at work."""
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not within 20 s")


def _asked(source: ProviderClient, condition: Callable[[], Any]) -> None:
    def met() -> Any:
        source.ask(WANTED)
        return condition()

    _wait(met)


def test_each_trader_is_asked_for(source: ProviderClient) -> None:
    """The provider is asked by name and owner. A feature flag that it does not know has its default; one by symbol is
    asked for once."""
    assert source.rules is None
    _asked(source, lambda: source.rules)
    assert source.trouble == ""
    assert source.rules == {
        "audit": Rule(default=True, force={"rsi": False}),
        "batch_mode": Rule(default=True),
        "symbol_rate_limit": Rule(default=False),
    }


def test_a_provider_that_is_away_keeps_the_last_answers(source: ProviderClient, file: Path) -> None:
    """The provider is asked again."""
    content = file.read_text()
    _asked(source, lambda: source.rules)
    rules = source.rules
    file.write_text("away")
    _asked(source, lambda: source.trouble)
    assert "feature flag 'audit'" in source.trouble
    assert source.rules == rules
    file.write_text(content.replace('"macd": true', '"macd": false'))
    _asked(source, lambda: source.rules != rules)
    assert source.trouble == ""


def test_one_that_cannot_be_made_is_told(file: Path) -> None:
    """The problem is reported until it is solved: each round tries again."""
    content = file.read_text()
    file.unlink()
    source = ProviderClient(SETTING)
    _asked(source, lambda: "FileNotFoundError" in source.trouble)
    assert source.rules is None
    file.write_text(content)
    _asked(source, lambda: source.rules)
    source.close()


def test_one_that_hangs_holds_up_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a question nor the collector's end waits for it."""
    release, asked = threading.Event(), threading.Event()

    def hang() -> Any:
        asked.set()
        release.wait(30)
        raise RuntimeError("late")

    monkeypatch.setattr(flag_provider, "provider", hang)
    source = ProviderClient(SETTING)
    source.ask(WANTED)
    assert asked.wait(20)
    source.ask(WANTED)
    assert (source.rules, source.trouble) == (None, "it has not answered yet")
    monkeypatch.setattr(source._thread, "join", lambda _timeout: None)
    source.close()
    release.set()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("flags", "write it as `package.module:name`"),
        ("no_such_module:provider", "cannot be imported: No module named 'no_such_module'"),
        ("tests.support.stand_ins.flag_provider:other", "cannot be imported: module .* has no attribute 'other'"),
        ("tests.support.stand_ins.flag_provider:not_callable", "cannot be called"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, words: str) -> None:
    with pytest.raises(TickflagError, match=f"setting `collector.flag_provider`: '{setting}'.*{words}"):
        ProviderClient(setting)


class TestFeatureFlags:
    """What the collector does with the provider's answers."""

    def test_its_answers_count_and_commands_are_refused(self, source: ProviderClient, tmp_path: Path) -> None:
        """The setting `flags` counts more; the provider is asked for a trader that comes later as well."""
        with FlagsHarness(tmp_path / "stored.json", {"batch_mode": False}, source) as harness:
            control, views = harness.control, harness.views

            def refreshed(trader: str) -> Any:
                harness.flags.refresh()
                return source.rules and trader in harness.ask("list")["flags"][5]["traders"]

            views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)
            _wait(lambda: refreshed("rsi") and control.features.get("audit", {}).get("force") == {"rsi": False})
            assert control.features["batch_mode"] == {"default": False}
            assert control.features["symbol_rate_limit"] == {"default": False}
            error = harness.reply("kill", flag="audit").error
            assert "come from the provider that `collector.flag_provider` names" in error
            assert harness.flags.roll_back_for("rsi", "it failed") == []
            own = FakeTrader("macd").heartbeat().model_copy(update={"flags": {"use_ema": True}})
            views.apply(own, 0)
            _wait(lambda: refreshed("macd") and "use_ema" in (source.rules or {}))
            harness.flags.refresh()
            assert "use_ema" in control.features
            views.apply(roster("rsi", "macd"), 0)
            views.apply(roster("rsi"), 0)  # the only trader that declares it is gone
            harness.flags.refresh()
            assert "use_ema" not in control.features
            assert harness.log.events().count("the provider of feature flags answers") == 1

    def test_trouble_is_listed_and_logged_once(self, source: ProviderClient, file: Path, tmp_path: Path) -> None:
        file.write_text("away")
        with FlagsHarness(tmp_path / "stored.json", provider=source) as harness:
            harness.views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)

            def told() -> bool:
                harness.flags.refresh()
                return "JSONDecodeError" in harness.ask("list")["trouble"]

            _wait(told)
            for _ in range(5):
                harness.flags.refresh()
            assert sum("JSONDecodeError" in str(fields) for _, _, fields in harness.log.lines) == 1
            assert harness.control.features == {}
