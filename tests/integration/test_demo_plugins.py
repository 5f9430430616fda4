"""The shipped traders on the synthetic market: each finds something, changes its mind, and is always right."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import layout
from common.blocks import SyntheticBlock
from common.segment import Segment
from services.feed.market import Market
from services.feed.sources.base import Venue
from services.feed.sources.synthetic import SyntheticSource
from services.trader.plugin import load_plugin
from tests.support.folders import runtime_folder
from tests.support.markets import NOON, SECOND, open_market, swap, tick_batch
from tests.support.oracle_market import Candle, Symbol
from tests.support.oracle_rules import RULES
from tests.support.recorded_log import RecordedLog
from tests.support.replays import ROOT
from tests.support.seats import Seat

SYMBOLS = 60
INTERVALS_S = (60, 300, 900, 3_600)
MINUTES = 4
STEP_NS = SECOND // 2
FILES = sorted(ROOT.glob("plugins/*.py"))


class Demo:
    """A feed with the synthetic source, and a seat for every shipped trader."""

    def __init__(self, market: Market, segment: Segment) -> None:
        self.market = market
        block = SyntheticBlock(symbols=SYMBOLS, rate=25.0, busy_factor=5.0, phase_s=60.0, seed=11, history=100)
        self._source = SyntheticSource(block)
        self.now_ns = NOON
        log = RecordedLog()
        venue = Venue(market.slot, INTERVALS_S, self.now_ns, self.now_ns, log)  # type: ignore[arg-type] # stands in
        for batch in self._source.open(venue):
            market.apply(batch, self.now_ns)
        self.seats = {path: Seat(segment, load_plugin(path)) for path in FILES}

    def run(self) -> Iterator[int]:
        """Half a second of the market after the other."""
        for step in range(MINUTES * 60 * SECOND // STEP_NS):
            self.now_ns += STEP_NS
            for batch in self._source.drain(self.now_ns, self.now_ns):
                self.market.apply(batch, self.now_ns)
            self.market.close_due(self.now_ns, self.now_ns)
            swap(self.market, self.now_ns)
            for seat in self.seats.values():
                if seat.runner.pending(self.now_ns):
                    seat.step(self.now_ns)
            yield step

    def plain(self) -> list[Symbol]:
        """Every symbol's row and candles, out of the segment, as the oracle's rules take them."""
        arrays = self.market.segment.arrays
        found = []
        for slot, name in enumerate(self.market.symbols._slots):
            row = arrays.tickers[slot]
            symbol = Symbol(name, float(row["last"]), float(row["bid"]), float(row["ask"]))
            symbol.opening = {0: float(row["open_24h"])}
            for k, interval_s in enumerate(INTERVALS_S[:2]):
                ring, head = arrays.rings[k, slot], int(arrays.heads[k, slot])
                depth = ring.shape[1]
                kept = [ring[1:, number % depth] for number in range(max(0, head - depth), head)]
                symbol.closed[interval_s] = [Candle(0, *map(float, candle)) for candle in kept]
                forming = arrays.opens[slot, k]
                if forming["trades"]:
                    fields = ("open", "high", "low", "close", "volume", "trades")
                    symbol.forming[interval_s] = Candle(0, *(float(forming[field]) for field in fields))
            found.append(symbol)
        return found


@pytest.fixture(scope="module")
def played() -> Iterator[Demo]:
    """Four minutes of the market, quiet and busy ones. Every trader's matches are checked all along."""
    with (
        runtime_folder() as runtime,
        open_market(runtime, SYMBOLS, 100, INTERVALS_S, watermark_ns=2 * SECOND) as market,
        Segment.attach_current(runtime) as segment,
    ):
        demo = Demo(market, segment)
        for step in demo.run():
            if step % 16 == 0:
                _assert_right(demo)
        yield demo


def _assert_right(demo: Demo) -> None:
    symbols = demo.plain()
    rules = {rule.name: rule for rule in RULES}
    for seat in demo.seats.values():
        name = seat.plugin.trader.name
        assert seat.matches.scores() == pytest.approx(rules[name].matches(symbols), rel=1e-9), name
        assert seat.view.matches == seat.matches.scores()


def test_six_are_shipped() -> None:
    """The rules a quant expects, each in a file of its own."""
    assert [path.stem for path in FILES] == ["breakout", "ma_cross", "rsi", "spread", "top_movers", "volume_surge"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_matches_appear_and_change(played: Demo, path: Path) -> None:
    """Every trader finds matches and lets some go, and in the end its set is what the rule says of the last rows."""
    _assert_right(played)
    events = Counter(draft.event for draft in played.seats[path].drafts)
    assert events["entered"] > 0
    assert events["left"] > 0
    assert events["entered"] - events["left"] == len(played.seats[path].matches.scores())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_quiet_market_costs_little(played: Demo, path: Path) -> None:
    """A trader of single symbols processes a small part of the market, and results are far smaller than full ones."""
    seat = played.seats[path]
    tally = seat.tally
    assert tally.processed + tally.skipped == tally.cycles * SYMBOLS
    if seat.plugin.trader.scope == "symbol":
        assert tally.skipped > tally.processed
    assert tally.fast > 0.9 * tally.cycles
    assert tally.bytes_sent < tally.bytes_full


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_trader_says_what_it_does(path: Path) -> None:
    """A name, a description, and the candle columns that it uses, all of them and no others."""
    trader = load_plugin(path).trader
    assert trader.name == path.stem.replace("_", "-")
    assert trader.description.endswith(".")
    text = path.read_text()
    for column in trader.columns if trader.candles else ():
        assert f"candles.{column}" in text
    for column in layout.CANDLE_FIELDS:
        assert (f"candles.{column}" in text) == (trader.candles is not None and column in trader.columns)


def test_a_delisted_symbol_takes_no_place_among_the_top_movers() -> None:
    """The next one moves up."""
    with (
        runtime_folder() as runtime,
        open_market(runtime, symbols=12) as market,
        Segment.attach_current(runtime) as segment,
    ):
        slots = range(12)
        market.apply(tick_batch(slots, [100.0] * 12), 1)
        market.apply(tick_batch(slots, [100.0 + slot for slot in slots]), 1)
        swap(market)
        seat = Seat(segment, load_plugin(ROOT / "plugins" / "top_movers.py"))
        seat.step()
        assert set(seat.view.matches) == {f"S{slot}" for slot in range(2, 12)}
        market.apply(tick_batch([11], [111.0], status=layout.STATUS_DELISTED), 1)
        swap(market)
        seat.step()
        assert set(seat.view.matches) == {f"S{slot}" for slot in range(1, 11)}
