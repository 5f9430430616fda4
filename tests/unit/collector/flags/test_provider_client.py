"""Feature flags from an OpenFeature provider: asked in a thread of its own, and never waited for."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("openfeature", reason="needs openfeature-sdk: pip install 'tickflag[flags]'")

from openfeature import api

from common.clock import ReplayClock
from common.errors import TickflagError
from common.flags import Rule
from common.log import Logger
from services.collector.commands import Arguments
from services.collector.control import ControlState
from services.collector.flagdesk import FlagDesk
from services.collector.flagsource import FlagSource, Wanted
from services.collector.flagstore import FlagStore
from services.collector.views import Views
from tests.support import flag_provider
from tests.support.fake_trader import FakeTrader, roster
from tests.support.recorded_log import RecordedLog

SETTING = "tests.support.flag_provider:provider"
WANTED = Wanted({"audit": True, "batch_mode": True, "symbol_rate_limit": True}, {"rsi": "desk", "macd": ""})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flag_provider.FILE, str(path))
    path.write_text(json.dumps({"audit": {"desk": False, "macd": True}, "symbol_rate_limit": {"else": False}}))
    return path


@pytest.fixture
def source(file: Path) -> Iterator[FlagSource]:
    source = FlagSource(SETTING)
    yield source
    source.close()
    api.clear_providers()


def _wait(condition: Callable[[], Any]) -> None:
    """Under a deadline; the other thread is at work."""
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not within 20 s")


def _asked(source: FlagSource, condition: Callable[[], Any]) -> None:
    def met() -> Any:
        source.ask(WANTED)
        return condition()

    _wait(met)


def test_each_trader_is_asked_for(source: FlagSource) -> None:
    """By name and owner; a flag that the provider does not know has its default, one by symbol is asked for once."""
    assert source.rules is None
    _asked(source, lambda: source.rules)
    assert source.trouble == ""
    assert source.rules == {
        "audit": Rule(default=True, force={"rsi": False}),
        "batch_mode": Rule(default=True),
        "symbol_rate_limit": Rule(default=False),
    }


def test_a_provider_that_is_away_keeps_the_last_answers(source: FlagSource, file: Path) -> None:
    """And is asked again."""
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
    """Until it can: the next round tries again."""
    content = file.read_text()
    file.unlink()
    source = FlagSource(SETTING)
    _asked(source, lambda: "FileNotFoundError" in source.trouble)
    assert source.rules is None
    file.write_text(content)
    _asked(source, lambda: source.rules)
    source.close()


def test_one_that_hangs_holds_up_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the question nor the end waits for it."""
    release, asked = threading.Event(), threading.Event()

    def hang() -> Any:
        asked.set()
        release.wait(30)
        raise RuntimeError("late")

    monkeypatch.setattr(flag_provider, "provider", hang)
    source = FlagSource(SETTING)
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
        ("tests.support.flag_provider:other", "cannot be imported: module .* has no attribute 'other'"),
        ("tests.support.flag_provider:not_callable", "cannot be called"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, words: str) -> None:
    with pytest.raises(TickflagError, match=f"setting `collector.flag_provider`: '{setting}'.*{words}"):
        FlagSource(setting)


class TestDesk:
    """What the collector makes of it."""

    def test_its_answers_count_and_commands_are_refused(self, source: FlagSource, tmp_path: Path) -> None:
        """The setting `flags` counts more; a trader that comes later is asked for as well."""
        control, log = ControlState(), RecordedLog()
        views = Views(control, 5_000_000_000)
        store = FlagStore(tmp_path / "stored.json")
        desk = FlagDesk(store, views, control, ReplayClock(0), cast(Logger, log), {"batch_mode": False}, source)

        def refreshed(trader: str) -> Any:
            desk.refresh()
            return (
                source.rules
                and trader in desk.commands["flags.list"](Arguments("flags.list", {}))["flags"][5]["traders"]
            )

        views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)
        _wait(lambda: refreshed("rsi") and control.features.get("audit", {}).get("force") == {"rsi": False})
        assert control.features["batch_mode"] == {"default": False}
        assert control.features["symbol_rate_limit"] == {"default": False}
        with pytest.raises(TickflagError, match=r"come from the provider that `collector\.flag_provider` names"):
            desk.commands["flags.kill"](Arguments("flags.kill", {"flag": "audit"}))
        assert desk.roll_back_for("rsi", "it failed") == []
        own = FakeTrader("macd").heartbeat().model_copy(update={"flags": {"use_ema": True}})
        views.apply(own, 0)
        _wait(lambda: refreshed("macd") and "use_ema" in (source.rules or {}))
        desk.refresh()
        assert "use_ema" in control.features
        views.apply(roster("rsi", "macd"), 0)
        views.apply(roster("rsi"), 0)  # the only one that declares it is gone
        desk.refresh()
        assert "use_ema" not in control.features
        assert log.events().count("the provider of feature flags answers") == 1

    def test_trouble_is_listed_and_logged_once(self, source: FlagSource, file: Path, tmp_path: Path) -> None:
        control, log = ControlState(), RecordedLog()
        views = Views(control, 5_000_000_000)
        views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)
        file.write_text("away")
        store = FlagStore(tmp_path / "stored.json")
        desk = FlagDesk(store, views, control, ReplayClock(0), cast(Logger, log), {}, source)

        def told() -> bool:
            desk.refresh()
            return "JSONDecodeError" in desk.commands["flags.list"](Arguments("flags.list", {}))["trouble"]

        _wait(told)
        for _ in range(5):
            desk.refresh()
        assert sum("JSONDecodeError" in str(fields) for _, _, fields in log.lines) == 1
        assert control.features == {}
