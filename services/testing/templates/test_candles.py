"""Tests of my_trader.py. `market` and `load_trader` come from tickflag's pytest plugin."""

from tickflag import LoadTrader, ManualMarket


def test_a_low_close_matches_until_the_next_one(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.candles("BTCUSDT", "5m", close=[100.0] * 19 + [98.0])
    market.candles("ETHUSDT", "5m", close=[100.0] * 20)
    assert set(trader.step().entered) == {"BTCUSDT"}
    market.tick("BTCUSDT", last=100.0)  # the candle that this trade begins closes after five minutes
    assert not trader.step().left
    market.advance("5m")
    assert trader.step().left == {"BTCUSDT"}


def test_a_young_symbol_does_not_match(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    market.candles("BTCUSDT", "5m", close=[100.0] * 18 + [98.0])
    trader.step()
    assert trader.matches == {}


def test_its_settings(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py", settings={"period": 3, "depth": 0.1})
    market.candles("BTCUSDT", "5m", close=[100.0, 100.0, 98.0])
    market.candles("ETHUSDT", "5m", close=[100.0, 100.0, 70.0])
    assert set(trader.step().entered) == {"ETHUSDT"}
