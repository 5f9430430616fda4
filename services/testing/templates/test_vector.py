"""Tests of my_trader.py. `market` and `load_trader` come from tickflag's pytest plugin."""

from tickflag import LoadTrader, ManualMarket


def test_near_the_high_and_away_again(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.tick("BTCUSDT", last=100.0)  # trades make the 24 h figures
    market.tick("ETHUSDT", last=50.0)
    assert trader.step().entered == {"BTCUSDT": 0.0, "ETHUSDT": 0.0}
    market.tick("BTCUSDT", last=98.0)
    assert trader.step().left == {"BTCUSDT"}
    assert trader.matches == {"ETHUSDT": 0.0}


def test_a_symbol_that_never_traded_does_not_match(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.tick("BTCUSDT", bid=99.0, ask=101.0)
    trader.step()
    assert trader.matches == {}
