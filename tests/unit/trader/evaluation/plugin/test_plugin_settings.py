"""A trader's own settings: model, values and faults; and the arguments that its hooks get."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses.runner_harness import RunnerHarness
from tests.support.markets.markets import swap, tick_batch
from tickflag.common.errors import PluginError
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

Write = Callable[..., Path]

LEVEL = """
    from pydantic import BaseModel, Field, model_validator
    from tickflag import Trader, hookimpl

    class Level(BaseModel):
        above: float = Field(10.0, gt=0)
        name: str = "level"

        @model_validator(mode="after")
        def check(self):
            if self.name == "worst":
                raise SystemExit("too much")
            if self.name == "bad":
                raise ValueError("a bad name")
            return self

    @hookimpl
    def settings():
        return Level

    @hookimpl
    def trader(settings):
        return Trader(name=settings.name)

    @hookimpl
    def evaluate(market, settings):
        return market.last > settings.above
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the file `mine.py`, with replacements of parts of its text."""

    def write(text: str = LEVEL, **replaced: str) -> Path:
        for old, new in replaced.items():
            text = text.replace(old, new)
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def _refusal(path: Path, name: str = "", settings: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(PluginError) as raised:
        load_plugin(path, name, settings)
    return str(raised.value)


def _matches(path: Path, segment: Segment, market: MarketWriter, **settings: Any) -> set[str]:
    harness = RunnerHarness(segment, load_plugin(path, "", settings))
    market.apply(tick_batch((0, 1, 2), (5.0, 15.0, 25.0)), 1)
    swap(market)
    harness.step()
    return set(harness.view.matches)


def test_defaults_hold_where_nothing_is_set(write: Write, segment: Segment, market: MarketWriter) -> None:
    """Without a value the model's default holds, in declaration and rule."""
    assert load_plugin(write()).trader.name == "level"
    assert _matches(write(), segment, market) == {"S1", "S2"}


def test_values_reach_declaration_and_rule(write: Write, segment: Segment, market: MarketWriter) -> None:
    """The hooks get the given values, converted by the model."""
    assert load_plugin(write(), settings={"name": "other"}).trader.name == "other"
    assert _matches(write(), segment, market, above="20") == {"S2"}


@pytest.mark.parametrize(
    "rule",
    [
        "evaluate(settings, market):\n    return market.last > settings.above",
        "evaluate_symbol(symbol, settings):\n    return symbol.last > settings.above",
        "evaluate_symbol(settings, symbol):\n    return symbol.last > settings.above",
    ],
)
def test_arguments_come_by_name(write: Write, segment: Segment, market: MarketWriter, rule: str) -> None:
    """The order in which a hook declares its arguments does not matter."""
    head = textwrap.dedent(LEVEL).partition("@hookimpl\ndef evaluate(")[0]
    assert _matches(write(head + f"@hookimpl\ndef {rule}\n"), segment, market, above=20) == {"S2"}


def test_a_name_replaces_the_declared_one(write: Write) -> None:
    """An instance has a name of its own; the rest is as declared."""
    path = write()
    plugin = load_plugin(path, "instance", {"name": "other"})
    assert plugin.trader == load_plugin(path).trader.model_copy(update={"name": "instance"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"above": 0}, "traders.fast.settings.above: Input should be greater than 0"),
        ({"above": "x"}, "traders.fast.settings.above: Input should be a valid number"),
        ({"above": 0, "name": 3}, "; traders.fast.settings.name: Input should be a valid string"),
        ({"nmae": 2}, "traders.fast.settings.nmae: no such setting; mine.py has above, name"),
        ({"name": "bad"}, "traders.fast.settings: Value error, a bad name"),
        ({"name": "worst"}, "traders.fast.settings: mine.py raised SystemExit: too much"),
    ],
)  # fmt: skip
def test_values_that_the_model_refuses(write: Write, settings: dict[str, Any], words: str) -> None:
    """The error has table, key and reason. An unknown key is refused though the model itself would ignore it."""
    assert words in _refusal(write(), "fast", settings)
    assert words.replace("traders.fast.settings", "settings") in _refusal(write(), settings=settings)


def test_a_model_may_take_any_key(write: Write) -> None:
    """A model that allows extra keys gets them."""
    path = write(**{"class Level(BaseModel):": "class Level(BaseModel, extra='allow'):"})
    assert load_plugin(path, settings={"whatever": 1}).trader.name == "level"


def test_settings_for_a_trader_without_any(write: Write) -> None:
    """Settings that would do nothing are refused."""
    head, _, rule = LEVEL.partition("    @hookimpl\n    def settings")
    text = head + rule[rule.index("    @hookimpl") :].replace("(settings)", "()").replace("market, settings", "market")
    path = write(text.replace("settings.name", "'plain'").replace("settings.above", "1.0"))
    assert load_plugin(path, "fast").trader.name == "fast"
    assert _refusal(path, "fast", {"a": 1, "b": 2}) == (
        "traders.fast.settings: mine.py has no settings of its own: remove a, b"
    )


def test_hooks_that_do_not_fit_together(write: Write) -> None:
    """A hook that asks for settings which nobody declares is refused, and so is a hook `settings` that gives no
    model."""
    without = LEVEL.replace("    @hookimpl\n    def settings", "    def settings")
    assert "takes `settings`, but there is no hook `settings`" in _refusal(write(without))
    for given in ("Level()", "int", "None"):
        assert "hook `settings` gives no pydantic model" in _refusal(write(**{"return Level": f"return {given}"}))
    assert "hook `settings` raised KeyError" in _refusal(write(**{"return Level": "raise KeyError"}))


def test_the_version(write: Write) -> None:
    """The version is the declared one, else a digest of the content: every edit shows, even two of one length within a
    second."""
    first = load_plugin(write()).version
    assert len(first) == 8
    assert load_plugin(write()).version == first
    path = write(**{"10.0": "30.0"})
    assert load_plugin(path).version != first
    assert load_plugin(write(**{"name=settings.name": "name='a', version='1.2'"})).version == "1.2"


def test_helpers_beside_the_file(tmp_path: Path, write: Write) -> None:
    """A file whose name begins with `_` can be imported. It hides no module, and the plugin lists it."""
    (tmp_path / "_levels_of_mine.py").write_text("ABOVE = 3.0\n")
    (tmp_path / "_other.py").write_text("")
    (tmp_path / "json.py").write_text("raise RuntimeError\n")
    plugin = load_plugin(write("import json, _levels_of_mine\n" + textwrap.dedent(LEVEL)))
    assert plugin.helpers == ((tmp_path / "_levels_of_mine.py").resolve(),)


@pytest.mark.parametrize(
    ("hooks", "reason"),
    [
        ("@hookimpl\ndef evaluate(market, mkt): return None\n", "hook `evaluate` has no argument 'mkt'"),
        ("@hookimpl\ndef evaluat(market): return None\n", "'evaluat' is no hook: hooks are evaluate, evaluate_symbol"),
        ("@hookimpl(wrapper=True)\ndef evaluate(market): return None\n", "is not a generator function"),
    ],
)
def test_hooks_and_arguments_that_are_none(tmp_path: Path, hooks: str, reason: str) -> None:
    """The name at fault is told; what else is wrong with a hook is told in the words of pluggy."""
    path = tmp_path / "mine.py"
    path.write_text("from tickflag import Trader, hookimpl\n@hookimpl\ndef trader(): return Trader(name='a')\n" + hooks)
    assert reason in _refusal(path)
