"""A trader's numbers: they advance once for each change of a symbol, with the cycle's commit, and belong to its
name."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.harnesses.runner_harness import RunnerHarness, per_symbol, vectorised
from tests.support.markets.markets import NOON, open_market, swap, tick_batch
from tickflag import Market as Shown
from tickflag import Symbol
from tickflag.common.errors import PluginError
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.state import StateStore

COUNT: dict[str, Any] = {"state": {"count": 0, "sum": 0.0}}


class Counting:
    """The score is the number of changes seen of the symbol; `sum` adds up the prices."""

    def __init__(self) -> None:
        self.fails: list[str] = []
        """Symbols whose evaluation raises, after it has set its numbers."""

    def __call__(self, market: Shown) -> Any:
        state = market.state
        state.count += 1
        state.sum += market.last
        if set(self.fails) & set(market.symbols):
            raise ValueError("now")
        return state.count.astype(float)


@pytest.fixture
def rule() -> Counting:
    return Counting()


@pytest.fixture
def harness(segment: Segment, rule: Counting) -> RunnerHarness:
    """One symbol a chunk."""
    return RunnerHarness(segment, vectorised(rule, **COUNT), chunk=1)


def _trade(market: MarketWriter, *slots: int, price: float = 1.0) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)
    swap(market)


def _fails(harness: RunnerHarness) -> None:
    with pytest.raises(PluginError, match="ValueError: now"):
        harness.step()
    harness.runner.fail()


def _numbers(harness: RunnerHarness, slot: int) -> tuple[int, float]:
    """The numbers with which the next evaluation of a changed row begins."""
    assert isinstance(harness.state, StateStore)
    count, total = harness.state._after[slot].item()
    return count, total


def test_numbers_advance_with_each_change(market: MarketWriter, harness: RunnerHarness) -> None:
    """The numbers of changed symbols advance; the others stay."""
    for price, slots in ((1.0, (3, 4)), (2.0, (3,)), (4.0, (3, 5))):
        _trade(market, *slots, price=price)
        harness.step()
    assert harness.view.matches == {"S3": 3.0, "S4": 1.0, "S5": 1.0}
    assert [_numbers(harness, slot) for slot in (3, 4, 5, 6)] == [(3, 7.0), (1, 1.0), (1, 4.0), (0, 0.0)]


def test_one_by_one(market: MarketWriter, segment: Segment) -> None:
    """A rule for single symbols gets single numbers."""

    def rule(symbol: Symbol) -> Any:
        symbol.state.count += 1
        return float(symbol.state.count)

    harness = RunnerHarness(segment, per_symbol(rule, **COUNT))
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        harness.step()
    assert harness.view.matches == {"S3": 1.0, "S4": 2.0}


@pytest.mark.parametrize("chunk", [1, 1_024])
def test_a_symbol_evaluated_again_advances_nothing(market: MarketWriter, segment: Segment, chunk: int) -> None:
    """The evaluation begins with the numbers from before the last change, so that the answer is the same."""
    harness = RunnerHarness(segment, vectorised(Counting(), **COUNT), chunk=chunk)
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        harness.step()
    harness.switches.tracking = False
    for _ in range(2):
        _trade(market, 4)
        harness.step()
    assert harness.view.matches == {"S3": 1.0, "S4": 4.0}
    harness.switches.tracking = True
    _trade(market, 3)
    harness.step()
    assert harness.view.matches == {"S3": 2.0, "S4": 4.0}


def test_a_pass_over_everything_by_time(market: MarketWriter, segment: Segment) -> None:
    """`every` evaluates again, and advances no numbers either."""
    harness = RunnerHarness(segment, vectorised(Counting(), every=1.0, **COUNT))
    _trade(market, 3)
    for second in range(3):
        harness.step(NOON + second * NS_PER_S)
    assert (harness.view.matches, harness.tally.cycles) == ({"S3": 1.0}, 3)


def test_a_failed_cycle_leaves_all_numbers(market: MarketWriter, harness: RunnerHarness, rule: Counting) -> None:
    """Numbers of earlier chunks stay too; the step that succeeds begins where the last successful one ended."""
    _trade(market, 3, 4)
    harness.step()
    rule.fails = ["S4"]
    for _ in range(2):
        _trade(market, 3, 4)
        _fails(harness)
        assert [_numbers(harness, slot) for slot in (3, 4)] == [(1, 1.0), (1, 1.0)]
    rule.fails = []
    harness.step()
    assert harness.view.matches == {"S3": 2.0, "S4": 2.0}
    assert [_numbers(harness, slot) for slot in (3, 4)] == [(2, 2.0), (2, 2.0)]


def test_a_failed_pass_over_everything(market: MarketWriter, harness: RunnerHarness, rule: Counting) -> None:
    """The failed pass leaves the numbers of unchanged symbols alone too."""
    _trade(market, 3, 4)
    harness.step()
    harness.switches.tracking = False
    rule.fails = ["S4"]
    _trade(market, 4)
    _fails(harness)
    rule.fails = []
    harness.step()
    _trade(market, 3)
    harness.step()
    assert harness.view.matches == {"S3": 2.0, "S4": 2.0}


def test_numbers_go_with_the_name(runtime: Runtime, market: MarketWriter, harness: RunnerHarness) -> None:
    """They move to another generation with other slots, through a generation in which the symbol did not appear."""
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        harness.step()
    with open_market(runtime) as empty, Segment.attach(empty.segment.path) as segment:
        harness.move(segment)
        _trade(empty, empty.slot("NEW"))
        harness.step()
    with open_market(runtime) as other, Segment.attach(other.segment.path) as segment:
        harness.move(segment)
        _trade(other, other.slot("S4"), other.slot("NEW"))
        harness.step()
        _trade(other, other.slot("S3"))
        harness.step()
        assert harness.matches.scores() == {"S3": 2.0, "S4": 3.0, "NEW": 2.0}


def test_a_successor_gets_numbers_that_wait_for_their_symbols(
    runtime: Runtime, market: MarketWriter, harness: RunnerHarness
) -> None:
    """A successor that takes over in a new generation gets the numbers of symbols not seen there yet, named or not."""
    _trade(market, 3, 4)
    harness.step()
    with open_market(runtime) as other, Segment.attach(other.segment.path) as segment:
        other.slot("S4")
        harness.move(segment)
        _trade(other, other.slot("X"))
        harness.step()
        saved = harness.state.saved(harness.runner.versions())
        assert {name: numbers[0] for name, numbers in saved.items() if name in ("S3", "S4")} == {"S3": 0, "S4": 0}
        harness.parts = replace(harness.parts, state=StateStore(COUNT["state"]))
        harness.parts.state.restore(saved)
        harness.move(segment)
        harness.runner.resume({name: numbers[0] for name, numbers in saved.items()})
        _trade(other, other.slot("S4"), other.slot("S3"))
        harness.step()
        assert harness.matches.scores() == {"S3": 2.0, "S4": 2.0, "X": 1.0}
