"""A trader's own settings: model, values and faults; and which arguments its hooks get."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from common.errors import PluginError
from common.segment import Segment
from services.feed.market import Market
from services.trader.plugin import load_plugin
from tests.support.markets import swap, tick_batch
from tests.support.seats import Seat

Write = Callable[..., Path]

LEVEL = """
    from pydantic import BaseModel, Field, model_validator
    from common.traderapi import Trader, hookimpl

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


def _matches(path: Path, segment: Segment, market: Market, **settings: Any) -> set[str]:
    seat = Seat(segment, load_plugin(path, "", settings))
    market.apply(tick_batch((0, 1, 2), (5.0, 15.0, 25.0)), 1)
    swap(market)
    seat.step()
    return set(seat.view.matches)


def test_defaults_hold_where_nothing_is_set(write: Write, segment: Segment, market: Market) -> None:
    """Without a value the model's own holds, in declaration and rule."""
    assert load_plugin(write()).trader.name == "level"
    assert _matches(write(), segment, market) == {"S1", "S2"}


def test_values_reach_declaration_and_rule(write: Write, segment: Segment, market: Market) -> None:
    """The hooks see the values that were given, as the model has them."""
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
def test_arguments_come_by_name(write: Write, segment: Segment, market: Market, rule: str) -> None:
    """In whatever order a hook declares them."""
    head = textwrap.dedent(LEVEL).partition("@hookimpl\ndef evaluate(")[0]
    assert _matches(write(head + f"@hookimpl\ndef {rule}\n"), segment, market, above=20) == {"S2"}


def test_a_name_replaces_the_declared_one(write: Write) -> None:
    """An instance has a name of its own, and is otherwise as declared."""
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
    """Table, key and reason are named; an unknown key is refused though the model itself would pass over it."""
    assert words in _refusal(write(), "fast", settings)
    assert words.replace("traders.fast.settings", "settings") in _refusal(write(), settings=settings)


def test_a_model_may_take_any_key(write: Write) -> None:
    """Where it says so itself."""
    path = write(**{"class Level(BaseModel):": "class Level(BaseModel, extra='allow'):"})
    assert load_plugin(path, settings={"whatever": 1}).trader.name == "level"


def test_settings_for_a_trader_without_any(write: Write) -> None:
    """They would do nothing, so they are refused."""
    head, _, rule = LEVEL.partition("    @hookimpl\n    def settings")
    text = head + rule[rule.index("    @hookimpl") :].replace("(settings)", "()").replace("market, settings", "market")
    path = write(text.replace("settings.name", "'plain'").replace("settings.above", "1.0"))
    assert load_plugin(path, "fast").trader.name == "fast"
    assert _refusal(path, "fast", {"a": 1, "b": 2}) == (
        "traders.fast.settings: mine.py has no settings of its own: remove a, b"
    )


def test_hooks_that_do_not_fit_together(write: Write) -> None:
    """A hook that asks for settings nobody declares, and a hook `settings` that gives no model."""
    without = LEVEL.replace("    @hookimpl\n    def settings", "    def settings")
    assert "takes `settings`, but there is no hook `settings`" in _refusal(write(without))
    for given in ("Level()", "int", "None"):
        assert "hook `settings` gives no pydantic model" in _refusal(write(**{"return Level": f"return {given}"}))
    assert "hook `settings` raised KeyError" in _refusal(write(**{"return Level": "raise KeyError"}))


def test_the_version(write: Write) -> None:
    """As declared; else of the content, so that every edit shows, even two of one length within a second."""
    first = load_plugin(write()).version
    assert len(first) == 8
    assert load_plugin(write()).version == first
    path = write(**{"10.0": "30.0"})
    assert load_plugin(path).version != first
    assert load_plugin(write(**{"name=settings.name": "name='a', version='1.2'"})).version == "1.2"


def test_helpers_beside_the_file(tmp_path: Path, write: Write) -> None:
    """A file whose name begins with `_` can be imported; it hides no module, and the plugin tells of it."""
    (tmp_path / "_levels_of_mine.py").write_text("ABOVE = 3.0\n")
    (tmp_path / "_other.py").write_text("")
    (tmp_path / "json.py").write_text("raise RuntimeError\n")
    plugin = load_plugin(write("import json, _levels_of_mine\n" + textwrap.dedent(LEVEL)))
    assert plugin.helpers == ((tmp_path / "_levels_of_mine.py").resolve(),)
