"""The shipped traders beside candles that began before the data: of these only the close is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.documents.pages import ROOT
from tickflag.common.arrays import Floats
from tickflag.common.protocol.rows import Rows
from tickflag.common.segment import layout
from tickflag.services.trader.evaluation.plugin.plugin import Plugin, load_plugin

NAN = float("nan")
OF_CLOSES = {"rsi", "ma-cross"}
"""Traders that look at closes only, which an incomplete candle has."""
PLUGINS = [plugin for plugin in map(load_plugin, sorted((ROOT / "plugins").glob("*.py"))) if plugin.trader.candles]


def _scores(plugin: Plugin, last: float, candles: dict[str, Floats]) -> Floats:
    """The scores for symbols with these candles, NaN where one does not match."""
    n, look_back = candles["close"].shape
    tickers = np.zeros(n, layout.TICKER)
    tickers["last"], tickers["status"] = last, layout.STATUS_TRADING
    columns = np.stack([candles[name] for name in plugin.trader.columns])
    count = np.full(n, look_back, np.int32)
    rows = Rows(np.arange(n, dtype=np.int32), np.ones(n, np.int64), tickers, columns, count, 0)
    out = np.full(n, -1.0)
    plugin.evaluate(rows, lambda: [f"S{place}" for place in range(n)], 5, out)
    return out


def _market(plugin: Plugin, seed: int, symbols: int = 400) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    shape = (symbols, plugin.trader.look_back)
    close = 100.0 * np.exp(np.cumsum(rng.normal(rng.choice([-2e-4, 0.0, 2e-4], (symbols, 1)), 1e-3, shape), axis=1))
    volume = rng.lognormal(0.0, 0.3, shape)
    volume[:, -1] *= rng.choice([1.0, 5.0], symbols)
    return {"close": close, "open": close, "high": 1.001 * close, "low": 0.999 * close, "volume": volume}


def _with_gap(candles: dict[str, Floats], at: int) -> dict[str, Floats]:
    """The candles, of which each symbol's one at `at` is incomplete."""
    found = {name: column.copy() for name, column in candles.items()}
    for name in found.keys() - {"close"}:
        found[name][:, at] = NAN
    return found


def test_there_are_traders_of_each_kind() -> None:
    """Of closes, of highs and of volumes."""
    assert {plugin.trader.name for plugin in PLUGINS} == OF_CLOSES | {"breakout", "volume-surge"}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.trader.name)
def test_an_incomplete_candle_makes_no_match(plugin: Plugin) -> None:
    """A trader of highs or volumes waits until the candle has left its view; to one of closes it is like any other."""

    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 1_000), st.integers(0, plugin.trader.look_back - 1))
    def check(seed: int, at: int) -> None:
        candles = _market(plugin, seed)
        whole, partial = (_scores(plugin, 110.0, one) for one in (candles, _with_gap(candles, at)))
        assert np.isfinite(whole).any(), "the market has matches"
        expected = whole if plugin.trader.name in OF_CLOSES else np.full(len(whole), NAN)
        np.testing.assert_array_equal(partial, expected)

    check()
