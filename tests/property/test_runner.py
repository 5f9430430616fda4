"""In the end each trader's matches are those of a full evaluation of the last rows, done in plain Python on a plain
market.

This holds over any stream of updates, for traders that are woken or not, and fail or not. Whoever follows the results
knows the matches.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.support.harnesses.runner_harness import RunnerHarness, per_symbol, vectorised
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.oracles.market_model import MarketModel, ModelSymbol
from tests.support.processes.folders import runtime_folder
from tickflag import Market as Shown
from tickflag import Symbol
from tickflag.common.errors import PluginError
from tickflag.common.segment.layout import STATUS_DELISTED, STATUS_TRADING
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Delta, Heartbeat, Snapshot
from tickflag.services.collector.views.view import Position, View
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.state import NEXT_DUE
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

NAMES = ["A0", "A1", "B2", "A3", "B4", "A5"]
CAPACITY = 4  # so that the market has to grow
DEPTH = 3
Matches = dict[str, float]


class Flaky:
    """A rule that raises at the `fails_at`-th call from now."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self._rule = rule
        self.fails_at = 0

    def __call__(self, argument: Any) -> Any:
        self.fails_at -= 1
        if self.fails_at == 0:
            raise ValueError("now")
        return self._rule(argument)


# Four traders, each written twice: for the engine, and for a plain market of name -> symbol.


def _above(market: Shown) -> Any:
    return market.last > 10.0, market.last, {place: _note(price) for place, price in enumerate(market.last)}


def _note(score: float) -> str:
    """The note that the first two traders put on a match. The others give none."""
    return f"at {score:g}"


def _plain_above(symbols: dict[str, ModelSymbol]) -> Matches:
    return {name: symbol.last for name, symbol in symbols.items() if symbol.last > 10.0}


def _rising(symbol: Symbol) -> Any:
    close = symbol.candles.close
    score = symbol.last - close.mean()
    return (score, _note(score)) if score > 0 else None


def _plain_rising(symbols: dict[str, ModelSymbol]) -> Matches:
    found = {}
    for name, symbol in symbols.items():
        closes = [candle.close for candle in symbol.closed.get(0, [])][-2:]
        if name.startswith("A") and len(closes) == 2 and symbol.last > sum(closes) / 2:
            found[name] = symbol.last - sum(closes) / 2
    return found


def _best(market: Shown) -> Any:
    last = np.where(np.isnan(market.last), -1.0, market.last)
    return np.where((last > 0) & (last >= np.partition(last, -2)[-2] if len(last) > 1 else last > 0), last, np.nan)


def _plain_best(symbols: dict[str, ModelSymbol]) -> Matches:
    prices = sorted((symbol.last for symbol in symbols.values()), reverse=True)
    second = prices[1] if len(prices) > 1 else 0.0
    return {name: symbol.last for name, symbol in symbols.items() if symbol.last >= second}


def _closed_higher(market: Shown) -> Any:
    close = market.candles.close
    return close[:, 1] > close[:, 0], close[:, 1]


def _plain_closed_higher(symbols: dict[str, ModelSymbol]) -> Matches:
    found = {}
    for name, symbol in symbols.items():
        closes = [candle.close for candle in symbol.closed.get(0, [])][-2:]
        if len(closes) == 2 and closes[1] > closes[0]:
            found[name] = closes[1]
    return found


CANDLES: dict[str, Any] = {"candles": "1m", "look_back": 2, "columns": ("close",)}
TRADERS: list[tuple[Callable[[Any], Plugin], Callable[[Any], Any], Callable[[dict[str, ModelSymbol]], Matches]]] = [
    (lambda rule: vectorised(rule), _above, _plain_above),
    (lambda rule: per_symbol(rule, watch=["A*"], **CANDLES), _rising, _plain_rising),
    (lambda rule: vectorised(rule, scope="market"), _best, _plain_best),
    (lambda rule: vectorised(rule, channel="1m", **CANDLES), _closed_higher, _plain_closed_higher),
]
TALKING = 2  # so many traders give notes

KINDS = (
    ["trade"] * 8
    + ["swap"] * 5
    + ["step"] * 6
    + ["locked", "fail"] * 2
    + ["refuse", "take", "due", "watermark", "status", "grow", "notice", "tracking", "ask"]
)
_acts = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(NAMES),
        st.integers(0, len(TRADERS) - 1),
        st.sampled_from([1.0, 5.0, 11.0, 12.0, 20.0]),
        st.sampled_from([0, NS_PER_S, 20 * NS_PER_S, MINUTE, -10 * NS_PER_S]),
        st.integers(0, 3),
    ),
    min_size=20,  # else most are short
    max_size=80,
)


class LossyCollector:
    """A collector that misses some of the frames, and asks for a snapshot when it knows that it did."""

    def __init__(self, harness: RunnerHarness, losses: list[bool]) -> None:
        self._harness = harness
        self._losses = losses
        self.view = View(Position("test"))
        self._token = 0
        self._asked = 0
        self.history: dict[int, tuple[Matches, dict[str, str]]] = {}
        """Sequence number -> the trader's matches and notes right after that result."""
        taken = harness.results._send
        harness.results._send = lambda frame: self._offered(frame, taken)

    def check(self) -> None:
        """ViewPrefix: whoever is synced shows the trader's matches of that number."""
        for view in (self._harness.view, self.view):
            if view.synced:
                assert (view.matches, view.notes) == self.history[view.seq]
        if not self.view.synced and not self._token:
            self._token = self._asked = self._asked + 1
            self._harness.results.ask_snapshot(self._token)

    def beat(self) -> None:
        """GapVisible: a heartbeat tells of results that did not come."""
        seq = self._harness.results.seq
        beat = Heartbeat(trader="test", incarnation=1, seq=seq, cycle=0, time_ms=0, pid=1, state="running")
        self.view.apply_heartbeat(beat)
        self.check()

    def _offered(self, frame: bytes, taken: Callable[[bytes], bool]) -> bool:
        message = decode(frame)
        assert isinstance(message, Snapshot | Delta)
        # The result is numbered and sent when the match set is committed.
        self.history[message.seq] = self._harness.matches.scores(), dict(self._harness.matches.notes)
        if not taken(frame):
            return False
        if self._losses and self._losses.pop():
            if isinstance(message, Snapshot) and message.token:
                self._token = 0  # the collector asks again
            return True
        if isinstance(message, Snapshot):
            self.view.apply_snapshot(message, self._token)
            self._token = self._token if not self.view.synced else 0
        else:
            self.view.apply_delta(message)
        return True


class ScreenedMarket:
    """A market and its plain twin, a runner harness for each trader."""

    def __init__(self, resources: ExitStack, rate_limit_ns: int, chunks: list[int], losses: list[bool]) -> None:
        self.runtime = resources.enter_context(runtime_folder())
        self.resources = resources
        self.market = resources.enter_context(
            open_market(self.runtime, CAPACITY, DEPTH, (60, 300), rate_limit_ns=rate_limit_ns)
        )
        self.model = MarketModel((MINUTE, 5 * MINUTE), rate_limit_ns, 0)
        self.delisted: set[str] = set()
        self.now_ns, self.event_ns = 1_000, NOON
        self.rules = [Flaky(rule) for _, rule, _ in TRADERS]
        self.harnesses = [
            RunnerHarness(self.attached(), make(rule), chunk=chunk, batch_chunk=chunk, batch_symbols=chunk)
            for (make, _, _), rule, chunk in zip(TRADERS, self.rules, chunks, strict=True)
        ]
        self.collectors = [LossyCollector(harness, losses) for harness in self.harnesses]

    def attached(self) -> Segment:
        return self.resources.enter_context(Segment.attach_current(self.runtime))

    def expected(self, number: int) -> Matches:
        """A full evaluation of the plain market."""
        names = list(self.market.symbols._slots)
        symbols = {names[slot]: symbol for slot, symbol in sorted(self.model.symbols.items())}
        return {name: score for name, score in TRADERS[number][2](symbols).items() if name not in self.delisted}

    def do(self, act: tuple[str, str, int, float, int, int]) -> None:
        kind, name, number, price, move, detail = act
        self.now_ns += 30
        match kind:
            case "trade":
                self.trade(name, price, move)
            case "status":
                self.status(name, delisted=detail % 2 == 0)
            case "fail":
                self.fail(number, call=1 + detail)
            case "locked":
                self.locked(number, name)
            case "swap" | "due" | "watermark" | "grow":
                getattr(self, kind)()
            case _:
                getattr(self, kind)(number)

    # The feed.

    def trade(self, name: str, price: float, move: int) -> None:
        self.event_ns += move
        self._tick(name, price, STATUS_DELISTED if name in self.delisted else STATUS_TRADING)

    def status(self, name: str, delisted: bool) -> None:
        (self.delisted.add if delisted else self.delisted.discard)(name)
        self._tick(name, 11.0, STATUS_DELISTED if delisted else STATUS_TRADING)

    def _tick(self, name: str, price: float, status: int) -> None:
        if name not in self.market.symbols and len(self.market.symbols) == self.market.segment.layout.capacity:
            self.grow()
        slot = self.market.slot(name)
        self.market.apply(tick_batch([slot], [price], self.event_ns, status=status), self.now_ns)
        self.model.trade(slot, self.event_ns, price, 1.0, self.now_ns)

    def swap(self) -> None:
        swap(self.market, self.now_ns)

    def due(self) -> None:
        self.market.announce_due(self.now_ns)

    def watermark(self) -> None:
        self.market.close_due(self.event_ns, self.now_ns)
        self.model.close_due(self.event_ns - self.event_ns % MINUTE, self.now_ns)

    def grow(self) -> None:
        if self.market.segment.layout.capacity > 2 * CAPACITY:
            return
        self.market.announce_pending(self.now_ns)
        self.swap()
        self.market = grown(self.market, self.runtime)
        self.market.segment.publish(self.runtime)
        self.resources.callback(self.market.segment.close)

    # The traders.

    def step(self, number: int) -> None:
        harness = self.harnesses[number]
        if not harness.runner.pending(NOON):
            return
        try:
            harness.step()
        except PluginError:
            harness.runner.fail()
            event("a step failed")
        else:
            if self.rules[number].fails_at <= 0 and self._attached(harness):
                assert harness.runner.audit(NOON, lambda: self.now_ns).wrong == []  # no correct trader is ever accused
        self.collectors[number].check()
        # Where nothing waits to be announced, one step is enough for the whole truth.
        idle = not (self.market.dirty or self.market.pending[NEXT_DUE] or harness.runner.pending(NOON))
        if idle and not harness.matches.stale and self._attached(harness):
            self._assert_right(number)

    def fail(self, number: int, call: int) -> None:
        """Run a step in which the rule raises, if it has so many calls."""
        harness = self.harnesses[number]
        notes = dict(harness.matches.notes)
        before = (harness.matches.scores(), set(harness.matches.stale), harness.runner.done, harness.results.seq)
        failures = harness.tally.failures
        self.rules[number].fails_at = call
        self.step(number)
        self.rules[number].fails_at = 0
        if harness.tally.failures > failures:
            assert (harness.matches.scores(), harness.matches.stale, harness.runner.done, harness.results.seq) == before
            assert harness.matches.notes == notes

    def locked(self, number: int, name: str) -> None:
        """Run a step in which a row cannot be read, as the feed stands within it."""
        slot = self.market.symbols._slots.get(name)
        if slot is None:
            return
        versions = self.market.segment.arrays.versions
        versions[slot] += 1
        try:
            harness = self.harnesses[number]
            if harness.runner.pending(NOON):
                harness.step()
                self.collectors[number].check()
        finally:
            versions[slot] -= 1

    def refuse(self, number: int) -> None:
        self.harnesses[number].refuses = True

    def take(self, number: int) -> None:
        self.harnesses[number].refuses = self.harnesses[number].results.blocked = False

    def ask(self, number: int) -> None:
        self.collectors[number].view.desync("an operator asked")
        self.collectors[number].check()

    def tracking(self, number: int) -> None:
        switches = self.harnesses[number].switches
        switches.tracking = not switches.tracking

    def notice(self, number: int) -> None:
        """Find the new generation."""
        harness = self.harnesses[number]
        if not self._attached(harness):
            harness.move(self.attached())

    def _attached(self, harness: RunnerHarness) -> bool:
        return harness.runner.segment.path.name == self.runtime.read_pointer()

    def settle(self) -> None:
        """Rest the feed and lose no more frames; each trader comes to rest, and is right."""
        self.market.announce_pending(self.now_ns)
        self.swap()
        for number, harness in enumerate(self.harnesses):
            self.notice(number)
            self.take(number)
            for _ in range(4):
                self.collectors[number].beat()
                self.step(number)
            assert not harness.runner.pending(NOON)
            assert not harness.matches.stale
            self._assert_right(number)
            assert harness.view.matches == harness.matches.scores()
            assert self.collectors[number].view.synced
            assert self.collectors[number].view.matches == harness.matches.scores()
            assert self.collectors[number].view.notes == harness.matches.notes

    def _assert_right(self, number: int) -> None:
        found, expected = self.harnesses[number].matches.scores(), self.expected(number)
        said = {name: _note(score) for name, score in found.items()} if number < TALKING else {}
        assert self.harnesses[number].matches.notes == said
        assert found == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=150)
@given(
    acts=_acts,
    chunks=st.lists(st.integers(1, 4), min_size=4, max_size=4),
    rate_limit_ns=st.sampled_from([0, 100]),
    losses=st.lists(st.booleans(), max_size=30),
)
def test_in_the_end_every_trader_is_right(
    acts: list[Any], chunks: list[int], rate_limit_ns: int, losses: list[bool]
) -> None:
    """Each trader is right whatever was missed, failed, locked, refused or lost on the way."""
    with ExitStack() as resources:
        screened = ScreenedMarket(resources, rate_limit_ns, chunks, losses)
        for act in acts:
            screened.do(act)
        losses.clear()
        screened.settle()
