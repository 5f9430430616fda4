"""What a trader names and the market has not."""

from typing import Any

import pytest

from tickflag.common.traderapi import Trader
from tickflag.services.trader.evaluation.planning.absent_symbols import absent_symbols

NAMES = ("BTCUSDT", "ETHUSDT", "1INCHUSDT", "solbtc")


def _told(only_near: bool = False, **declared: Any) -> str:
    return absent_symbols(Trader(name="t", version="1", **declared), NAMES, only_near)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({}, ""),
        ({"watch": ["BTC*", "ETHUSDT"], "exclude": ["XRP*"]}, ""),
        ({"watch": ["btcusdt"]}, "`watch`: no symbol is named btcusdt (did you mean BTCUSDT?)"),
        ({"watch": ["ETHUSTD", "BTCUSDT"]}, "`watch`: no symbol is named ETHUSTD (did you mean ETHUSDT?)"),
        ({"watch": ["GOLD"]}, "`watch`: no symbol is named GOLD"),
        ({"watch": ["*usdt"]}, "`watch`: no symbol is named *usdt (did you mean *USDT?)"),
        ({"watch": ["*USDT", "*USDC"]}, ""),
        ({"watch": ["SOL*"]}, "`watch`: no symbol is named SOL* (did you mean sol*?)"),
        ({"exclude": ["ethusdt", "XRPUSDT"]}, "`exclude`: no symbol is named ethusdt (did you mean ETHUSDT?)"),
        (
            {"watch": ["btcusdt"], "scope": "references", "references": ["ethusdt", "GOLD"]},
            "`watch`: no symbol is named btcusdt (did you mean BTCUSDT?); "
            "`references`: no symbol is named ethusdt (did you mean ETHUSDT?), GOLD",
        ),
        ({"watch": ["W1", "W2", "W3", "W4", "W5"]}, "`watch`: no symbol is named W1, W2, W3 and 2 more"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(declared: dict[str, Any], told: str) -> None:
    """Names are told always, patterns where they match in other letters."""
    assert _told(**declared) == told


def test_of_a_market_that_is_not_the_whole_only_other_letters_are_told() -> None:
    """A name without anything near may exist elsewhere."""
    assert _told(only_near=True, watch=["GOLD", "ETHUSTD"]) == ""
    assert "BTCUSDT?" in _told(only_near=True, watch=["btcusdt"])
