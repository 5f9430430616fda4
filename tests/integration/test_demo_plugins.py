"""The shipped traders on the synthetic market: each finds something, changes its mind, and is always right."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.runner_harness import RunnerHarness
from tests.support.markets.markets import NOON, open_market, swap, tick_batch
from tests.support.oracles.oracle_market import OracleCandle, OracleSymbol
from tests.support.oracles.oracle_rules import RULES
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.settings_schema.feed import SyntheticBlock
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.sources.source import Venue
from tickflag.services.feed.sources.synthetic import SyntheticSource
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

SYMBOLS = 60
INTERVALS_S = (60, 300, 900, 3_600)
MINUTES = 4
STEP_NS = NS_PER_S // 2
FILES = sorted(ROOT.glob("plugins/*.py"))


class ShippedTraders:
    """A feed with the synthetic source, and a runner harness for every shipped trader."""

    def __init__(self, market: MarketWriter, segment: Segment) -> None:
        self.market = market
        block = SyntheticBlock(symbols=SYMBOLS, rate=25.0, busy_factor=5.0, phase_s=60.0, seed=11, history=100)
        self._source = SyntheticSource(block)
        self.now_ns = NOON
        log = RecordedLog()
        venue = Venue(market.slot, INTERVALS_S, self.now_ns, self.now_ns, log)  # type: ignore[arg-type] # stands in
        for batch in self._source.open(venue):
            market.apply(batch, self.now_ns)
        self.harnesses = {path: RunnerHarness(segment, load_plugin(path)) for path in FILES}

    def run(self) -> Iterator[int]:
        """Yield after each half second of the market."""
        for step in range(MINUTES * 60 * NS_PER_S // STEP_NS):
            self.now_ns += STEP_NS
            for batch in self._source.drain(self.now_ns, self.now_ns):
                self.market.apply(batch, self.now_ns)
            self.market.close_due(self.now_ns, self.now_ns)
            swap(self.market, self.now_ns)
            for harness in self.harnesses.values():
                if harness.runner.pending(self.now_ns):
                    harness.step(self.now_ns)
            yield step

    def plain(self) -> list[OracleSymbol]:
        """Every symbol's row and candles from the segment, in the form that the oracle's rules need."""
        arrays = self.market.segment.arrays
        found = []
        for slot, name in enumerate(self.market.symbols._slots):
            row = arrays.tickers[slot]
            symbol = OracleSymbol(name, float(row["last"]), float(row["bid"]), float(row["ask"]))
            symbol.opening = {0: _candle([float(row["open_24h"])] * 6)}
            for k, interval_s in enumerate(INTERVALS_S[:2]):
                ring, head = arrays.rings[k, slot], int(arrays.heads[k, slot])
                depth = ring.shape[1]
                kept = [ring[1:, number % depth] for number in range(max(0, head - depth), head)]
                symbol.closed[interval_s] = [_candle(candle) for candle in kept]
                forming = arrays.opens[slot, k]
                if forming["trades"]:
                    fields = ("open", "high", "low", "close", "volume", "trades")
                    symbol.forming[interval_s] = _candle([forming[field] for field in fields])
            found.append(symbol)
        return found


def _candle(numbers: Sequence[Any]) -> OracleCandle:
    open_, high, low, close, volume, trades = map(float, numbers)
    return OracleCandle(0, open_, high, low, close, volume, trades)


@pytest.fixture(scope="module")
def played() -> Iterator[ShippedTraders]:
    """Four minutes of the market, quiet and busy ones. Every trader's matches are checked throughout."""
    with (
        runtime_folder() as runtime,
        open_market(runtime, SYMBOLS, 100, INTERVALS_S, watermark_ns=2 * NS_PER_S) as market,
        Segment.attach_current(runtime) as segment,
    ):
        shipped = ShippedTraders(market, segment)
        for step in shipped.run():
            if step % 16 == 0:
                _assert_right(shipped)
        yield shipped


def _assert_right(shipped: ShippedTraders) -> None:
    symbols = shipped.plain()
    rules = {rule.name: rule for rule in RULES}
    for harness in shipped.harnesses.values():
        name = harness.plugin.trader.name
        assert harness.matches.scores() == pytest.approx(rules[name].matches(symbols), rel=1e-9), name
        assert harness.view.matches == harness.matches.scores()


def test_six_are_shipped() -> None:
    """Six traders are shipped: the rules that a quant expects, each in a file of its own."""
    assert [path.stem for path in FILES] == ["breakout", "ma_cross", "rsi", "spread", "top_movers", "volume_surge"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_matches_appear_and_change(played: ShippedTraders, path: Path) -> None:
    """Every trader finds matches and lets some go; in the end its match set is what the rule gives for the last
    rows."""
    _assert_right(played)
    events = Counter(signal.event for signal in played.harnesses[path].signals)
    assert events["entered"] > 0
    assert events["left"] > 0
    assert events["entered"] - events["left"] == len(played.harnesses[path].matches.scores())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_quiet_market_costs_little(played: ShippedTraders, path: Path) -> None:
    """A trader of single symbols processes a small part of the market; its results are far smaller than full ones."""
    harness = played.harnesses[path]
    tally = harness.tally
    assert tally.processed + tally.skipped == tally.cycles * SYMBOLS
    if harness.plugin.trader.scope == "symbol":
        assert tally.skipped > tally.processed
    assert tally.fast > 0.9 * tally.cycles
    assert tally.bytes_sent < tally.bytes_full


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_trader_says_what_it_does(path: Path) -> None:
    """It declares a name, a description, and the candle columns that it uses: all of them and no others."""
    trader = load_plugin(path).trader
    assert trader.name == path.stem.replace("_", "-")
    assert trader.description.endswith(".")
    text = path.read_text()
    for column in trader.columns if trader.candles else ():
        assert f"candles.{column}" in text
    for column in layout.CANDLE_FIELDS:
        assert (f"candles.{column}" in text) == (trader.candles is not None and column in trader.columns)


def test_a_delisted_symbol_takes_no_place_among_the_top_movers() -> None:
    """The next symbol moves up."""
    with (
        runtime_folder() as runtime,
        open_market(runtime, symbols=12) as market,
        Segment.attach_current(runtime) as segment,
    ):
        slots = range(12)
        market.apply(tick_batch(slots, [100.0] * 12), 1)
        market.apply(tick_batch(slots, [100.0 + slot for slot in slots]), 1)
        swap(market)
        harness = RunnerHarness(segment, load_plugin(ROOT / "plugins" / "top_movers.py"))
        harness.step()
        assert set(harness.view.matches) == {f"S{slot}" for slot in range(2, 12)}
        market.apply(tick_batch([11], [111.0], status=layout.STATUS_DELISTED), 1)
        swap(market)
        harness.step()
        assert set(harness.view.matches) == {f"S{slot}" for slot in range(1, 11)}
