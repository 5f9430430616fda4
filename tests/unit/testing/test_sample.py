"""The sample: the same every time, with everything that a market has."""

import numpy as np
import pytest

from tickflag import Trader
from tickflag.common.settings import load
from tickflag.services.testing.market import ManualMarket
from tickflag.services.testing.sample import MarketCall, Moment, otherwise, sample, symbols_of, watched_symbols, without
from tickflag.services.trader.evaluation.planning.watchlist import WatchList

TRADER = Trader(name="t", candles="5m", look_back=20, channel="1m")


def changes(moments: list[Moment]) -> list[MarketCall]:
    return [change for moment in moments for change in moment.changes]


def plain(moments: list[Moment]) -> str:
    with np.printoptions(threshold=10_000):
        return repr(moments)


def _prices(of: list[MarketCall]) -> dict[str, set[float]]:
    """The traded prices of each symbol that traded often."""
    prices: dict[str, list[float]] = {}
    for change in of:
        if "last" in change.arguments:
            prices.setdefault(change.symbol, []).append(change.arguments["last"])
    return {symbol: set(seen) for symbol, seen in prices.items() if len(seen) > 5}


def test_the_seed_gives_the_market() -> None:
    """A seed always gives the same market, another seed another one."""
    assert plain(sample(TRADER, 1)) == plain(sample(TRADER, 1)) != plain(sample(TRADER, 2))


@pytest.mark.parametrize("seed", range(5))
def test_it_has_everything(seed: int) -> None:
    """Young symbols, others without a trade or an ask, a delisting, symbols listed late, busy and quiet phases."""
    moments = sample(TRADER, seed)
    all_of_them = changes(moments)
    lengths = {len(change.arguments["close"]) for change in all_of_them if change.call == "candles"}
    assert min(lengths) < 4
    assert max(lengths) > 20
    incomplete = [np.isnan(change.arguments["open"]).sum() for change in all_of_them if change.call == "candles"]
    assert 0.1 < np.mean(np.array(incomplete) == 1) < 0.5
    assert set(incomplete) == {0, 1}
    ticks: dict[str, set[str]] = {}
    for change in all_of_them:
        if change.call == "tick":
            ticks.setdefault(change.symbol, set()).update(change.arguments)
    assert any("last" not in told for told in ticks.values())
    assert any("ask" not in told for told in ticks.values())
    assert any(len(prices) == 1 for prices in _prices(all_of_them).values())
    assert any("open_24h" in told for told in ticks.values())
    assert [change.call for change in all_of_them].count("delist") == 1
    assert len({change.symbol for change in moments[0].changes}) < len(symbols_of(moments))
    assert {0.0, 86_400.0} < {moment.after_s for moment in moments}
    counts = [len(moment.changes) for moment in moments]
    assert min(counts) == 1
    assert max(counts[3:]) > len(ticks) // 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "trader", [TRADER, Trader(name="t"), Trader(name="t", channel="1h", candles="1h", look_back=3)]
)
def test_the_feed_takes_it(trader: Trader, seed: int) -> None:
    """No value is refused, and candles close while the sample is played."""
    with ManualMarket(load()) as market:
        for moment in sample(trader, seed):
            market.advance(moment.after_s)
            for change in moment.changes:
                change.apply(market)
        counters = market.segment.counters()
    assert (counters["rejected_updates"], counters["late_ticks"]) == (0, 0)
    assert counters["candles_closed"] > 500


@pytest.mark.parametrize("watch", [["*"], ["BTC*", "ETH*"], ["?X[AB]*", "[!A]BC"], ["PEPEUSDC"], ["*\u00e4*"]])
def test_watched_symbols(watch: list[str]) -> None:
    """All names fit the patterns; there are many where the patterns allow it."""
    trader = Trader(name="t", watch=watch, exclude=["*9*"])
    names = watched_symbols(trader, 30)
    wants = WatchList(trader.watch, trader.exclude, 0).wants
    assert all(map(wants, names))
    assert len(names) == len(set(names))
    assert len(names) >= (10 if any("*" in pattern for pattern in watch) else 1)


def test_references_are_in_it() -> None:
    """References trade from the beginning, whether watched or not."""
    trader = Trader(name="t", watch=["ETH*"], scope="references", references=["INDEX"])
    first = sample(trader, 1)[1].changes
    assert "INDEX" in {change.symbol for change in first if "last" in change.arguments}


def test_others_absent_or_changed() -> None:
    """The other symbols stay as they are, moment by moment."""
    moments = sample(TRADER, 1)
    some = set(symbols_of(moments)[::2])
    assert not some & set(symbols_of(without(moments, some)))
    other = otherwise(moments, some)
    assert [moment.after_s for moment in other] == [moment.after_s for moment in moments]
    for one, two in zip(changes(moments), changes(other), strict=True):
        assert (one.call, one.symbol) == (two.call, two.symbol)
        assert (plain([Moment(0, (one,))]) != plain([Moment(0, (two,))])) == (
            one.symbol in some and one.call != "delist"
        )
