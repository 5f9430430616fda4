from typing import Any

import pytest
from pydantic import ValidationError

from tickflag import API_VERSION, CANDLE_COLUMNS, Trader
from tickflag.common.segment.layout import CANDLE_FIELDS


def test_a_name_is_enough() -> None:
    """Such a trader watches every symbol's ticker, without candles."""
    trader = Trader(name="plain")
    assert (trader.watch, trader.exclude, trader.channel, trader.scope) == (["*"], [], "ticker", "symbol")
    assert (trader.candles, trader.look_back, trader.forming, trader.score_step) == (None, 0, False, 0.0)


@pytest.mark.parametrize("name", ["a", "0", "rsi-14", "ma_cross.fast", "x" * 64])
def test_names(name: str) -> None:
    """A name has up to 64 lower-case letters, digits and three marks, and begins with a letter or digit."""
    assert Trader(name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "x" * 65, "ä", "a\n"])
def test_names_that_are_refused(name: str) -> None:
    """A name is part of files, metrics and commands."""
    with pytest.raises(ValidationError, match="name"):
        Trader(name=name)


def test_all_candle_columns_can_be_declared() -> None:
    """The columns are those of the segment, under the same names."""
    assert CANDLE_COLUMNS == CANDLE_FIELDS
    declaration: dict[str, Any] = {"candles": "1m", "look_back": 1, "columns": CANDLE_COLUMNS}
    assert Trader(name="all", **declaration).columns == CANDLE_FIELDS


def test_a_declaration_is_final() -> None:
    """A declaration cannot be changed while the trader runs."""
    with pytest.raises(ValidationError, match="frozen"):
        Trader(name="a").name = "b"


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ({"flags": {"Use": True}}, "flags.Use"),
        ({"flags": {"use": 1}}, "flags.use"),
        ({"look_back": 3}, "`candles` and `look_back` go together"),
        ({"candles": "1m"}, "`candles` and `look_back` go together"),
        ({"candles": "1m", "look_back": 3, "columns": ()}, "`columns` names no candle column"),
        ({"every_close": True}, "`every_close` is for closed"),
        ({"every_close": True, "channel": "1m"}, "`every_close` is for closed"),
        (
            {"every_close": True, "channel": "1m", "candles": "5m", "look_back": 1},
            "`every_close` is for closed",
        ),
        (
            {"every_close": True, "channel": "1m", "candles": "1m", "look_back": 1, "forming": True},
            "`every_close` is for closed",
        ),
        ({"references": ["A"]}, 'the scope "references" go together'),
        ({"scope": "references"}, 'the scope "references" go together'),
        ({"scope": "market", "state": {"n": 0}}, 'the scope "market" has neither `state`'),
        (
            {"scope": "market", "every_close": True, "channel": "1m", "candles": "1m", "look_back": 1},
            'the scope "market" has neither `state`',
        ),
        ({"min_interval": -1.0}, "min_interval"),
        ({"every": 90_000.0}, "every"),
        ({"api": API_VERSION + 1}, f"version {API_VERSION + 1} is not known here"),
        ({"api": 0}, "version 0 is not known here"),
        ({"state": {"a b": 0}}, "'a b' is no name for a number"),
        ({"state": {"_a": 0}}, "'_a' is no name for a number"),
        ({"state": {"class": 0}}, "'class' is no name for a number"),
        ({"state": {"a": "0"}}, r"state\.a"),
        ({"state": {"a": None}}, r"state\.a"),
    ],
)
def test_what_does_not_go_together_is_refused(declaration: dict[str, Any], words: str) -> None:
    """The error names the fields at fault."""
    with pytest.raises(ValidationError, match=words):
        Trader(name="a", **declaration)


def test_the_version_of_the_interface() -> None:
    """A trader may name the version, so that another one is refused; see above."""
    assert Trader(name="a", api=API_VERSION).api == Trader(name="a").api == API_VERSION


def test_every_close_of_an_interval() -> None:
    """Channel and candles have one interval, with any scope but `market`."""
    declaration: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": 2, "every_close": True}
    assert Trader(name="a", **declaration).every_close
    assert Trader(name="a", **declaration, scope="references", references=["B"], state={"n": 0}).every_close


def test_numbers_keep_their_kind() -> None:
    """A truth value, whole number or fraction (NaN included) stays one; nothing becomes another kind."""
    state = Trader(name="a", state={"yes": True, "count": 1, "mean": 0.0, "none": float("nan")}).state
    assert {name: type(value) for name, value in state.items()} == {
        "yes": bool,
        "count": int,
        "mean": float,
        "none": float,
    }
