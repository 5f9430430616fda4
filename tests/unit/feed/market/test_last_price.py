"""The last price, where candles and 24 h tickers come beside trades: they are said after the trade they end with."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TypeAlias

import pytest

from tests.support.markets.markets import NOON, kline_batch, open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.units import NS_PER_MS
from tickflag.services.feed.market.market import MarketWriter

NAN = float("nan")
Say: TypeAlias = Callable[[MarketWriter, int, int, float], float]


@pytest.fixture(params=["compiled", "plain"])
def market(request: pytest.FixtureRequest) -> Iterator[MarketWriter]:
    """One symbol, with compiled kernels and with their plain twins."""
    with (
        plain_kernels() if request.param == "plain" else nullcontext(),
        runtime_folder() as runtime,
        open_market(runtime, capacity=4, symbols=1) as market,
    ):
        yield market


def _trade(market: MarketWriter, ms: int, trade_id: int, price: float) -> float:
    market.apply(tick_batch([0], [price], NOON + ms * NS_PER_MS, trade_id=trade_id), 1)
    return _last(market)


def _candle(market: MarketWriter, ms: int, last_id: int, price: float) -> float:
    """What the source says of the candle that forms."""
    market.apply(
        kline_batch([0], [price], closed=False, event_ns=NOON + ms * NS_PER_MS, last_id=last_id, low=1.0, high=90.0), 1
    )
    return _last(market)


def _ticker(market: MarketWriter, ms: int, last_id: int, price: float) -> float:
    market.apply(tick_batch([0], [price], NOON + ms * NS_PER_MS, qty=NAN, trade_id=last_id), 1)
    return _last(market)


def _last(market: MarketWriter) -> float:
    return float(market.segment.arrays.tickers[0]["last"])


@pytest.mark.parametrize("say", [_candle, _ticker])
def test_a_trade_after_the_one_that_was_named_is_newer(market: MarketWriter, say: Say) -> None:
    """A trade of before the candle or ticker was said, which comes after it, is the last one where it has a higher id
    than the one they name."""
    assert _trade(market, 10, 1, 10.0) == 10.0
    assert say(market, 15, 2, 11.0) == 11.0
    assert _trade(market, 10, 2, 11.0) == 11.0
    assert _trade(market, 10, 3, 12.0) == 12.0
    assert _trade(market, 10, 4, 13.0) == 13.0
    assert _trade(market, 9, 5, 14.0) == 13.0  # an older one


@pytest.mark.parametrize("say", [_candle, _ticker])
def test_what_names_an_older_trade_is_older(market: MarketWriter, say: Say) -> None:
    """A trade that came before stays the last one, though candle or ticker were said later."""
    assert _trade(market, 10, 2, 11.0) == 11.0
    assert say(market, 15, 1, 10.0) == 11.0
    assert say(market, 16, 2, 11.0) == 11.0
    assert say(market, 17, 3, 12.0) == 12.0


@pytest.mark.parametrize("say", [_candle, _ticker])
def test_what_names_no_trade_is_as_new_as_it_was_said(market: MarketWriter, say: Say) -> None:
    """Without an id the time decides."""
    assert _trade(market, 10, 2, 11.0) == 11.0
    assert say(market, 9, 0, 9.0) == 11.0
    assert say(market, 15, 0, 10.0) == 10.0
    assert _trade(market, 14, 3, 12.0) == 10.0
    assert _trade(market, 15, 4, 13.0) == 13.0


def test_a_forming_candle_takes_the_trades_after_the_one_it_names(market: MarketWriter) -> None:
    """They are added until its next word."""
    _candle(market, 15, 2, 11.0)
    forming = market.segment.arrays.opens[0, 0]
    for trade_id, close, volume in ((1, 11.0, 1), (2, 11.0, 1), (3, 23.0, 2), (4, 24.0, 3)):
        _trade(market, 10, trade_id, 20.0 + trade_id)
        assert (forming["close"], forming["volume"]) == (close, volume)
    _candle(market, 20, 3, 23.0)
    assert (forming["close"], forming["volume"]) == (23, 1)
