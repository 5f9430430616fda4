"""Economy: what a trader declares without need, and what it costs."""

from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.trader_files import vector, written
from tickflag.common.settings import load
from tickflag.services.testing.check.cost import measure
from tickflag.services.testing.check.cost_checks import HEAVY, cost_of, needs
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.check.reload import FreshLoader
from tickflag.services.testing.sample import sample

CANDLES = ', candles="1m", look_back=5'
BY_SYMBOL = "@hookimpl\ndef evaluate_symbol(symbol):\n    return {}\n"


def needless(file: Path) -> dict[str, Finding]:
    fresh = FreshLoader(file, {})
    trader = fresh.load().trader
    return {one.check: one for one in needs(load(), fresh, trader, sample(trader, 1), lambda: None)}


def test_columns_that_nobody_looks_at(tmp_path: Path) -> None:
    """The columns are named, with what to declare instead; so is a needless wake-up."""
    found = needless(written(tmp_path, vector("market.candles.close[:, -1] > market.candles.high[:, -2]"), CANDLES))
    assert {one.level for one in found.values()} == {"warn"}
    assert found["columns"].found == "never looked at open, low, volume"
    assert "columns=('high', 'close')" in found["columns"].do
    assert 'channel="1m"' in found["channel"].do


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        (BY_SYMBOL.format("symbol.last > symbol.candles.close[-1]"), ', columns=("close",)'),
        (vector("market.age_ns > market.candles.close[:, -1]"), ', columns=("close",), every=1.0'),
        (vector("market.candles.close[:, -1] > 1.0"), ', columns=("close",), forming=True'),
        (vector("market.trading & (market.candles.close[:, -1] > 1.0)"), ', columns=("close",)'),
        (vector("(market.candles.close[:, -1] > 1.0)", "market.to_pandas()"), ', columns=("close",)'),
        (vector("(market.candles.count > 1)"), ""),
    ],
)
def test_what_is_used_is_not_called_needless(body: str, declared: str, tmp_path: Path) -> None:
    """Uses are found in columns of one symbol or of all, data frames, timers and the forming candle."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    assert needless(written(tmp_path, body, CANDLES + declared)) == {}


def test_a_heavy_loop(tmp_path: Path) -> None:
    """The finding has the cost and the way out."""
    fresh = FreshLoader(written(tmp_path, BY_SYMBOL.format("sum(range(5_000)) and symbol.last > 1.0")), {})
    cost, finding = cost_of(load(), fresh, lambda: None)
    assert cost.symbols == 5_000
    assert cost.share > HEAVY
    assert (finding.level, "`evaluate`" in finding.do) == ("warn", True)
    loop = "for _ in range(len(market)): sum(range(5_000))"
    _, finding = cost_of(load(), FreshLoader(written(tmp_path, vector("market.last > 1.0", loop)), {}), lambda: None)
    assert (finding.level, "loops" in finding.do) == ("warn", True)


def test_a_light_rule_on_closed_candles(tmp_path: Path) -> None:
    """The cost is measured at closes, on the watched symbols; there is nothing to do."""
    file = ROOT / "plugins" / "ma_cross.py"
    turns: list[None] = []
    cost = measure(load(), FreshLoader(file, {}).load, lambda: turns.append(None))
    assert cost.changed_ms > 0.0
    assert cost.share == pytest.approx(cost.full_ms / 100.0)
    assert cost.symbol_us == pytest.approx(cost.full_ms * 1e3 / cost.symbols)
    assert turns
    narrow = written(tmp_path, vector("market.last > 1.0"), ', watch=["BTC*", "E?H[!x]*"], exclude=["*9*"]')
    assert 1 < measure(load(), FreshLoader(narrow, {}).load).symbols < 10_000
