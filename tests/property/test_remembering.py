"""Traders that remember have the matches and numbers of a plain trader on a plain market.

This holds for flagged symbols or all of them, in any chunks, with failures on the way, handed over to a successor or
not.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.support.harnesses.runner_harness import RunnerHarness, per_symbol, vectorised
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.oracles.market_model import MarketModel
from tests.support.oracles.trader_model import TraderModel, ahead, average, count
from tests.support.processes.folders import runtime_folder
from tickflag import Market as Shown
from tickflag import Symbol
from tickflag.common.errors import PluginError
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.growth import grown
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.state import StateStore

NAMES = ["A0", "A1", "B2", "A3", "B4"]
DEPTH, LOOK_BACK = 4, 3


def _count(market: Shown) -> Any:
    state = market.state
    state.count += 1
    state.sum += market.last
    return market.last > 10.0, state.count


def _average(market: Shown) -> Any:
    close, before, state = market.candles.close[:, -1], market.candles.close[:, -2], market.state
    state.mean = np.where(np.isnan(state.mean), close, 0.5 * state.mean + 0.5 * close)
    return (close > before) & (close > state.mean), state.mean


def _ahead(symbol: Symbol) -> Any:
    leader = symbol.reference("B2")
    if leader is None or not symbol.last > leader.last:
        return None
    symbol.state.count += 1
    return float(symbol.state.count)


COUNT: dict[str, Any] = {"state": {"count": 0, "sum": 0.0}}
CLOSES: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": LOOK_BACK, "columns": ("close",)}
TRADERS: list[tuple[Callable[[Any], Plugin], Callable[[Any], Any], Callable[[], TraderModel]]] = [
    (
        lambda rule: vectorised(rule, watch=["A*"], **COUNT),
        _count,
        lambda: TraderModel({"count": 0, "sum": 0.0}, count, watch="A"),
    ),
    (
        lambda rule: vectorised(rule, every_close=True, state={"mean": float("nan")}, **CLOSES),
        _average,
        lambda: TraderModel({"mean": float("nan")}, average, look_back=LOOK_BACK, depth=DEPTH),
    ),
    (
        lambda rule: per_symbol(rule, scope="references", references=["B2"], state={"count": 0}),
        _ahead,
        lambda: TraderModel({"count": 0}, ahead, references=("B2",)),
    ),
    (
        lambda rule: vectorised(rule, min_interval=3.0, every=10.0, **COUNT),
        _count,
        lambda: TraderModel({"count": 0, "sum": 0.0}, count, min_interval_ns=3 * NS_PER_S, every_ns=10 * NS_PER_S),
    ),
]
PACED = 3

KINDS = ["trade"] * 10 + ["step"] * 3 + ["swap", "locked", "fail", "hand over", "wait", "grow"]
_acts = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(NAMES),
        st.sampled_from([1.0, 5.0, 11.0, 12.0, 20.0]),
        st.sampled_from([0, NS_PER_S, 20 * NS_PER_S, MINUTE, MINUTE]),
        st.integers(0, 5),
    ),
    min_size=20,
    max_size=80,
)


class RunnerVariant:
    """One trader, run in one way."""

    def __init__(self, number: int, segment: Segment, chunk: int = 1_024, tracking: bool = True) -> None:
        self._make, self._rule, _ = TRADERS[number]
        self._chunk, self._tracking = chunk, tracking
        self._fails_at = 0
        self.harness = self._new_harness(segment)

    def step(self, now_ns: int) -> None:
        """One step, if there is reason for one."""
        if self.harness.runner.pending(now_ns):
            self.harness.step(now_ns)

    def fail(self, now_ns: int, at: int) -> None:
        """As `step`, but the rule raises at its `at`-th call, if it has so many."""
        self._fails_at = at
        try:
            self.step(now_ns)
        except PluginError:
            self.harness.runner.fail()
            event("a step failed")
        self._fails_at = 0

    def move(self, segment: Segment) -> None:
        """Another generation, or the same for a successor."""
        before, seen = self.harness.runner.segment.lineage, self.harness.runner.versions()
        self.harness.move(segment)
        if segment.lineage == before:
            self.harness.runner.resume(seen)

    def hand_over(self, segment: Segment) -> None:
        """A successor takes over, in the same generation."""
        old, self.harness = self.harness, self._new_harness(segment)
        saved = old.state.saved(old.runner.versions())
        self.harness.matches.restore(old.matches.scores(), {})
        self.harness.state.restore(saved)
        self.move(segment)
        self.harness.runner.resume({name: numbers[0] for name, numbers in saved.items()})
        self.harness.tally.gaps = old.tally.gaps

    def numbers(self) -> list[tuple[Any, ...]]:
        """Name and numbers of every symbol that was evaluated."""
        state, names = self.harness.state, self.harness.runner.directory.names
        assert isinstance(state, StateStore)
        return sorted((names[slot], *state._after[slot].item()) for slot in np.flatnonzero(self.harness.runner.seen))

    def _new_harness(self, segment: Segment) -> RunnerHarness:
        chunk = self._chunk
        plugin = self._make(self._called)
        return RunnerHarness(
            segment, plugin, tracking=self._tracking, chunk=chunk, batch_chunk=chunk, batch_symbols=chunk
        )

    def _called(self, argument: Any) -> Any:
        answer = self._rule(argument)
        self._fails_at -= 1
        if self._fails_at == 0:
            raise ValueError("now")
        return answer


class VariantsHarness:
    """A market and its plain twin; each trader in several variants, and in plain."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources
        self._runtime = resources.enter_context(runtime_folder())
        self._market = resources.enter_context(open_market(self._runtime, len(NAMES), DEPTH, (60, 300)))
        self._model = MarketModel((MINUTE, 5 * MINUTE), 0, 0)
        self._segment = self._attach()
        self._now_ns = NOON
        self._plain = [make() for _, _, make in TRADERS]
        self._variants = [self._made(number) for number in range(len(TRADERS))]

    def _made(self, number: int) -> dict[str, RunnerVariant]:
        segment = self._segment
        return {
            "flagged": RunnerVariant(number, segment),
            "everything": RunnerVariant(number, segment, tracking=False),
            "failing": RunnerVariant(number, segment, chunk=2),
            "handed over": RunnerVariant(number, segment),
            "chunks of one": RunnerVariant(number, segment, chunk=1),
        }

    def do(self, act: tuple[str, str, float, int, int]) -> None:
        kind, name, price, move_ns, detail = act
        match kind:
            case "trade":
                self._now_ns += move_ns
                slot = self._market.slot(name)
                self._market.apply(tick_batch([slot], [price], self._now_ns), self._now_ns)
                self._model.trade(slot, self._now_ns, price, 1.0, self._now_ns)
            case "wait":
                self._now_ns += move_ns
            case "swap":
                swap(self._market, self._now_ns)
            case "grow":
                self._grow()
            case _:
                self._step(kind, name, detail)

    def _step(self, kind: str, name: str, detail: int) -> None:
        """Announce everything, and let every trader come to rest."""
        swap(self._market, self._now_ns)
        for number, variants in enumerate(self._variants):
            if kind == "hand over" and number != PACED:  # PACED keeps its pace
                variants["handed over"].hand_over(self._segment)
            if kind == "fail":
                variants["failing"].fail(self._now_ns, 1 + detail)
            if kind == "locked" and number != PACED:  # PACED would get the row only at its next pass
                self._locked(list(variants.values()), name)
            for variant in variants.values():
                for _ in range(3):
                    variant.step(self._now_ns)
                assert not variant.harness.runner.pending(self._now_ns)
        names = list(self._market.symbols._slots)
        market = {names[slot]: symbol for slot, symbol in sorted(self._model.symbols.items())}
        for plain, variants in zip(self._plain, self._variants, strict=True):
            plain.step(market, self._now_ns)
            self._check(plain, variants)

    def _locked(self, variants: list[RunnerVariant], name: str) -> None:
        """The feed stands still in a row while they step."""
        if name in self._market.symbols:
            versions = self._market.segment.arrays.versions
            versions[self._market.slot(name)] += 1
            for variant in variants:
                variant.step(self._now_ns)
            versions[self._market.slot(name)] -= 1

    def _check(self, plain: TraderModel, variants: dict[str, RunnerVariant]) -> None:
        numbers = sorted((name, *memory.after.values()) for name, memory in plain.memories.items() if memory.seen)
        for way, variant in variants.items():
            assert variant.harness.matches.scores() == plain.matches, way
            assert str(variant.numbers()) == str(numbers), way  # NaN is NaN
            assert variant.harness.tally.gaps == plain.gaps, way
            assert not variant.harness.matches.stale, way

    def _grow(self) -> None:
        """Begin a new generation, to which all move at once."""
        swap(self._market, self._now_ns)
        self._market = grown(self._market, self._runtime)
        self._market.segment.publish(self._runtime)
        self._resources.callback(self._market.segment.close)
        self._segment = self._attach()
        for plain, variants in zip(self._plain, self._variants, strict=True):
            plain.begin_generation()
            for variant in variants.values():
                variant.move(self._segment)

    def _attach(self) -> Segment:
        return self._resources.enter_context(Segment.attach_current(self._runtime))


@settings(deadline=None, max_examples=50)
@given(acts=_acts)
def test_every_way_comes_to_the_same(acts: list[Any]) -> None:
    """After each step all variants have the plain trader's matches, none of them stale, its numbers, and its count of
    closes that came too late."""
    with ExitStack() as resources:
        harness = VariantsHarness(resources)
        for act in acts:
            harness.do(act)
        harness.do(("step", "", 0.0, 0, 0))
