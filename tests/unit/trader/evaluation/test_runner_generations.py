"""A new generation of the segment: everything is dirty, and matches are stale until their symbol has data again."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, vectorised
from tests.support.markets.markets import NOON, open_market, swap, tick_batch
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.wire.messages import Snapshot
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter

HIGH, LOW = 20.0, 5.0


def _trade(market: MarketWriter, names: dict[str, float]) -> None:
    slots = [market.slot(name) for name in names]
    market.apply(tick_batch(slots, list(names.values()), NOON), 1)
    swap(market)


@pytest.fixture
def old(runtime: Runtime) -> Iterator[MarketWriter]:
    """A feed's first generation: A and B match, C does not."""
    with open_market(runtime) as market:
        _trade(market, {"A": HIGH, "B": 25.0, "C": LOW})
        yield market


@pytest.fixture
def new(runtime: Runtime, old: MarketWriter) -> Iterator[MarketWriter]:
    """The next generation, in which nothing has happened yet."""
    with open_market(runtime, capacity=50) as market:
        yield market


@pytest.fixture(params=["symbol", "market"])
def harness(request: pytest.FixtureRequest, old: MarketWriter) -> RunnerHarness:
    """A trader that followed the first life, of either scope."""
    with Segment.attach(old.segment.path) as segment:
        harness = RunnerHarness(segment, vectorised(PriceRule(), scope=request.param))
        harness.step()
        assert harness.view.matches == {"A": HIGH, "B": 25.0}
        return harness


@pytest.fixture
def segment(new: MarketWriter) -> Iterator[Segment]:
    with Segment.attach(new.segment.path) as segment:
        yield segment


def test_matches_stay_and_are_stale(new: MarketWriter, segment: Segment, harness: RunnerHarness) -> None:
    """A feed that starts anew knows nothing, which is no reason for a match to leave."""
    harness.move(segment)
    assert harness.runner.pending(NOON)
    harness.step()
    assert harness.view.matches == harness.matches.scores() == {"A": HIGH, "B": 25.0}
    assert harness.matches.stale == {"A", "B"}


def test_each_is_live_again_with_its_symbols_data(new: MarketWriter, segment: Segment, harness: RunnerHarness) -> None:
    """A snapshot says so. The match leaves where the data says that; no match of another symbol is touched."""
    new.slot("X")  # so that every slot means another symbol
    harness.move(segment)
    _trade(new, {"B": 25.0, "X": 30.0})
    result = harness.step()
    assert isinstance(result, Snapshot)
    assert (result.matches, result.stale) == ({"A": HIGH, "B": 25.0, "X": 30.0}, ["A"])
    _trade(new, {"A": LOW})
    result = harness.step()
    assert isinstance(result, Snapshot)
    assert (result.matches, result.stale) == ({"B": 25.0, "X": 30.0}, [])
    assert harness.view.matches == harness.matches.scores()
    assert [(signal.symbol, signal.event) for signal in harness.signals] == [
        ("A", "entered"),
        ("B", "entered"),
        ("X", "entered"),
        ("A", "left"),
    ]


def test_a_symbol_that_is_named_and_holds_no_data_is_stale(
    new: MarketWriter, segment: Segment, harness: RunnerHarness
) -> None:
    """A slot alone tells nothing of its symbol, whatever else is traded."""
    for name in ("A", "B"):
        new.slot(name)
    harness.move(segment)
    _trade(new, {"C": LOW})
    harness.step()
    assert harness.view.matches == {"A": HIGH, "B": 25.0}
    assert harness.matches.stale == {"A", "B"}


def test_growth_is_a_generation_that_knows_all(runtime: Runtime, old: MarketWriter, harness: RunnerHarness) -> None:
    """Rows are copied before anyone sees the new segment: the first step finds every symbol, and then nothing is
    stale."""
    larger = grown(old, runtime)
    larger.segment.publish(runtime)
    with Segment.attach_current(runtime) as segment:
        harness.move(segment)
        _trade(larger, {"B": LOW, "D": HIGH})
        harness.step()
        assert harness.view.matches == {"A": HIGH, "D": HIGH}
        assert harness.matches.stale == set()
    larger.segment.close()


def test_the_numbers_go_on(new: MarketWriter, segment: Segment, harness: RunnerHarness) -> None:
    """Sequence numbers and counters belong to the trader, cycles to the generation."""
    harness.move(segment)
    cycles = harness.tally.cycles
    _trade(new, {"A": 21.0})
    result = harness.step()
    assert result is not None
    assert (result.seq, result.cycle, harness.tally.cycles) == (2, 1, cycles + 1)


def test_look_back_after_a_new_generation(runtime: Runtime, old: MarketWriter) -> None:
    """Candles come from the new segment; nothing of the old mirror is left."""
    seen: list[Any] = []

    def rule(m: Any) -> Any:
        seen.append(m.last.tolist())
        return np.zeros(len(m), bool)

    with Segment.attach(old.segment.path) as segment:
        harness = RunnerHarness(segment, vectorised(rule, scope="market"))
        harness.step()
    with open_market(runtime) as market, Segment.attach(market.segment.path) as segment:
        harness.move(segment)
        _trade(market, {"C": LOW, "A": HIGH})
        harness.step()
    assert seen == [[HIGH, 25.0, LOW], [LOW, HIGH]]
