"""Tests of my_trader.py. `market` and `load_trader` come from tickflag's pytest plugin."""

from tickflag import LoadTrader, ManualMarket


def test_a_wide_spread_matches_until_it_closes(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.tick("BTCUSDT", bid=100.0, ask=101.0)
    market.tick("ETHUSDT", bid=100.0, ask=100.1)
    assert set(trader.step().entered) == {"BTCUSDT"}
    market.tick("BTCUSDT", ask=100.1)
    assert trader.step().left == {"BTCUSDT"}


def test_a_symbol_without_a_quote_does_not_match(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.tick("BTCUSDT", last=100.0)
    trader.step()
    assert trader.matches == {}
