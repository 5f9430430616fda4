"""`tickflag replay --settings`: a trader's own settings, whichever way the trader was chosen."""

from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.generated import KLINES, TICKS
from tests.support.markets.replays import ReplayOutcome, replay
from tickflag.services.replay.traders import OwnSetting, parse_setting

PLUGINS = ROOT / "plugins"
RSI = ("--traders", str(PLUGINS / "rsi.py"))
TO = ("--to", "2024-03-04T14:15")


def _signals(*arguments: str) -> list[dict[str, object]]:
    outcome = replay(*arguments, *TO, KLINES, TICKS)
    assert outcome.status == 0
    return [{**signal, "seq": 0} for signal in outcome.signals if signal["trader"].startswith("rsi")]


def _refused(*arguments: str) -> ReplayOutcome:
    outcome = replay(*arguments, *TO, KLINES, TICKS)
    assert outcome.stdout == ""
    return outcome


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The signals of an instance with the settings in a file."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "traders.toml").write_text("[rsi]\nsettings.period = 7\nsettings.oversold = 40\n")
    settings = {"TICKFLAG_CONFIG": str(folder), "TICKFLAG_TRADER__PLUGINS": str(PLUGINS)}
    outcome = replay("--only", "rsi", *TO, KLINES, TICKS, settings=settings)
    return [{**signal, "seq": 0} for signal in outcome.signals]


@pytest.mark.parametrize(
    "arguments",
    [
        (*RSI, "--settings", "period=7", "--settings", "oversold=40"),
        (*RSI, "--settings", "rsi.period=7", "--settings", "oversold=40"),
        ("--traders", str(PLUGINS), "--only", "rsi", "--settings", "period=7", "--settings", "oversold=40"),
        ("--traders", str(PLUGINS), "--settings", "rsi.period=7", "--settings", "rsi.oversold=40"),
    ],
)
def test_the_settings_of_a_trader(arguments: tuple[str, ...], fast: list[dict[str, object]]) -> None:
    """They count as those of an instance do: of one trader with its name or without, of several with it."""
    assert _signals(*arguments) == fast
    assert _signals(*RSI) != fast


def test_an_instance_keeps_its_other_settings(tmp_path: Path, fast: list[dict[str, object]]) -> None:
    """A value replaces that of the instance; the instance's other values stay."""
    (tmp_path / "traders.toml").write_text('[quick]\nsource = "rsi"\nsettings.period = 9\nsettings.oversold = 40\n')
    settings = {"TICKFLAG_CONFIG": str(tmp_path), "TICKFLAG_TRADER__PLUGINS": str(PLUGINS)}
    outcome = replay("--settings", "quick.period=7", *TO, KLINES, TICKS, settings=settings)
    found = [{**signal, "seq": 0, "trader": "rsi"} for signal in outcome.signals if signal["trader"] == "quick"]
    assert found == fast


def test_a_name_of_the_trader_and_of_its_file(tmp_path: Path) -> None:
    """A trader is known by the name that it declares and by that of its file."""
    for name in ("ma-cross.interval=1m", "ma_cross.interval=1m"):
        outcome = replay("--traders", PLUGINS, "--settings", name, *TO, KLINES, TICKS)
        assert (outcome.status, outcome.stderr) == (0, "")


def test_sweep_and_comparison_have_them_too(fast: list[dict[str, object]]) -> None:
    """What is not swept keeps the value given; both sides of a comparison have it."""
    given = ("--settings", "oversold=40")
    [line] = replay(*RSI, *given, "--sweep", "rsi.period=7", *TO, KLINES, TICKS).lines
    entered = sum(signal["event"] == "entered" for signal in fast)
    assert line["combination"]["entered"] == entered
    told = replay(*RSI, *given, "--settings", "period=7", "--against", "full", *TO, KLINES, TICKS).lines[0]["against"]
    assert (told["identical"], told["signals"]) == (True, len(fast))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--traders", str(PLUGINS), "--settings", "period=7"), "name one, as rsi.period=7"),
        ((*RSI, "--settings", "rsy.period=7"), "no trader 'rsy' is replayed; there is rsi"),
        (
            ("--traders", str(PLUGINS), "--only", "spread", "--settings", "rsi.period=7"),
            "no trader 'rsi' is replayed; there is spread",
        ),
        ((*RSI, "--settings", "perod=7"), "settings.perod"),
        ((*RSI, "--settings", "period=-1"), "settings.period"),
        (("--traders", str(PLUGINS), "--settings", "rsi.period=x"), "settings.period"),
        (("--traders", str(PLUGINS), "--settings", "ma-cross.intervall=5m"), "settings.intervall"),
    ],
)
def test_wrong_settings(arguments: tuple[str, ...], words: str) -> None:
    """Nothing is played; the last line names the setting at fault."""
    outcome = _refused(*arguments)
    assert outcome.status == 1
    assert words in outcome.stderr.splitlines()[-1]


@pytest.mark.parametrize("text", ["period", "=7", ".period=7", "rsi.=7", ""])
def test_wrong_usage(text: str) -> None:
    """Exit code 2, with the form that is asked for."""
    outcome = _refused(*RSI, "--settings", text)
    assert outcome.status == 2
    assert "use SETTING=VALUE as period=20" in outcome.stderr


def test_values() -> None:
    """A value is JSON, or else a text; the setting comes after the last dot, as a trader's name may hold dots."""
    assert parse_setting("period=20") == OwnSetting("", "period", 20)
    assert parse_setting("my.rsi.on=true") == OwnSetting("my.rsi", "on", True)
    assert parse_setting("interval=5m") == OwnSetting("", "interval", "5m")
    assert parse_setting("rsi.list=[1, 2]") == OwnSetting("rsi", "list", [1, 2])
    assert parse_setting("text=a=b") == OwnSetting("", "text", "a=b")
