"""Tests of my_trader.py. `market` and `load_trader` come from tickflag's pytest plugin."""

from tickflag import LoadTrader, ManualMarket


def test_the_best_stay_and_the_others_leave(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    for symbol, gain in {"AUSDT": 0.1, "BUSDT": 0.2, "CUSDT": 0.3, "DUSDT": -0.4}.items():
        market.tick(symbol, last=100.0 * (1.0 + gain), open_24h=100.0)
    assert set(trader.step().entered) == {"AUSDT", "BUSDT", "CUSDT"}
    market.tick("DUSDT", last=150.0)
    step = trader.step()
    assert set(step.entered) == {"DUSDT"}
    assert step.left == {"AUSDT"}


def test_a_delisted_symbol_makes_room(market: ManualMarket, load_trader: LoadTrader) -> None:
    trader = load_trader("my_trader.py")
    for symbol, gain in {"AUSDT": 0.1, "BUSDT": 0.2, "CUSDT": 0.3, "DUSDT": 0.4}.items():
        market.tick(symbol, last=100.0 * (1.0 + gain), open_24h=100.0)
    assert "AUSDT" not in trader.step().entered
    market.delist("DUSDT")
    step = trader.step()
    assert set(step.entered) == {"AUSDT"}
    assert step.left == {"DUSDT"}
