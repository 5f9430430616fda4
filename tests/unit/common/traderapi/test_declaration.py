from typing import Any

import pytest
from pydantic import ValidationError

from common.layout import CANDLE_FIELDS
from common.traderapi import CANDLE_COLUMNS, Trader


def test_a_name_is_enough() -> None:
    """Such a trader watches every symbol's ticker, without candles."""
    trader = Trader(name="plain")
    assert (trader.watch, trader.exclude, trader.channel, trader.scope) == (["*"], [], "ticker", "symbol")
    assert (trader.candles, trader.look_back, trader.forming, trader.score_step) == (None, 0, False, 0.0)


@pytest.mark.parametrize("name", ["a", "0", "rsi-14", "ma_cross.fast", "x" * 64])
def test_names(name: str) -> None:
    """Lower-case letters, digits and three marks, beginning with letter or digit, up to 64 of them."""
    assert Trader(name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "x" * 65, "ä", "a\n"])
def test_names_that_are_refused(name: str) -> None:
    """A name is part of files, metrics and commands."""
    with pytest.raises(ValidationError, match="name"):
        Trader(name=name)


def test_all_candle_columns_can_be_declared() -> None:
    """Those of the segment, under the same names."""
    assert CANDLE_COLUMNS == CANDLE_FIELDS
    declaration: dict[str, Any] = {"candles": "1m", "look_back": 1, "columns": CANDLE_COLUMNS}
    assert Trader(name="all", **declaration).columns == CANDLE_FIELDS


def test_a_declaration_is_final() -> None:
    """It cannot be changed while the trader runs."""
    with pytest.raises(ValidationError, match="frozen"):
        Trader(name="a").name = "b"
