"""A runner's step: which symbols are processed, what is sent of it, and what a failure leaves untouched."""

from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, per_symbol, vectorised
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tickflag import Symbol, Trader
from tickflag.common.errors import PluginError, SegmentError
from tickflag.common.segment.layout import STATUS_DELISTED, STATUS_TRADING
from tickflag.common.segment.segment import Segment
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import Delta, Snapshot
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.batches import Batches
from tickflag.services.trader.evaluation.switches import Switches

HIGH, LOW = 20.0, 5.0  # prices that match and do not match


def _trade(
    market: MarketWriter, *slots: int, price: float = HIGH, event_ns: int = NOON, now_ns: int = 1, **fields: Any
) -> None:
    market.apply(tick_batch(slots, [price] * len(slots), event_ns, **fields), now_ns)


def _names(*slots: int) -> list[str]:
    return [f"S{slot}" for slot in slots]


@pytest.fixture
def rule() -> PriceRule:
    return PriceRule()


@pytest.fixture
def harness(market: MarketWriter, segment: Segment, rule: PriceRule) -> RunnerHarness:
    """A trader that is up to date with 70 symbols of which none matches, and has sent its snapshot."""
    harness = RunnerHarness(segment, vectorised(rule))
    _trade(market, *range(70), price=LOW)
    swap(market)
    harness.step()
    rule.take_asked()
    assert (harness.view.synced, harness.view.matches) == (True, {})
    return harness


class TestTheFiveSteps:
    """From one symbol to all at once, over the real segment."""

    def test_one_symbol_updates(self, market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
        """Only the updated symbol is processed, by its flag, and a delta tells of it."""
        _trade(market, 33)
        swap(market)
        assert harness.runner.pending(NOON)
        result = harness.step(NOON + 5_000_000)
        assert rule.take_asked() == [["S33"]]
        assert isinstance(result, Delta)
        assert (result.entered, result.cycle, result.time_ms) == ({"S33": HIGH}, 2, NOON // 1_000_000 + 5)
        assert (harness.tally.processed, harness.tally.skipped, harness.tally.fast) == (70 + 1, 69, 1)
        assert not harness.runner.pending(NOON)

    def test_without_an_update_nothing_is_done(self, harness: RunnerHarness, rule: PriceRule) -> None:
        """There is no cycle, no call and no message."""
        assert not harness.runner.pending(NOON)
        assert harness.step() is None
        assert (rule.take_asked(), harness.tally.cycles) == ([], 1)

    def test_only_the_one_updated_is_processed_again_and_again(
        self, market: MarketWriter, harness: RunnerHarness, rule: PriceRule
    ) -> None:
        """Each cycle's work is what changed in it, at the edges of flag words too."""
        for slot in (0, 31, 32, 63, 64, 69):
            _trade(market, slot)
            swap(market)
            harness.step()
        assert rule.take_asked() == [[name] for name in _names(0, 31, 32, 63, 64, 69)]

    def test_a_forced_swap_loses_nothing(self, runtime: Any) -> None:
        """A forced swap announces the updates that the rate limit put off, and the trader sees the newest rows."""
        with open_market(runtime, symbols=3, rate_limit_ns=1_000) as market, Segment.attach_current(runtime) as segment:
            harness = RunnerHarness(segment, vectorised(PriceRule()))
            for now_ns, price in enumerate((LOW, LOW, HIGH, 30.0), start=1):
                _trade(market, 0, 2, price=price, now_ns=now_ns)
                swap(market, now_ns)
                harness.step()
            assert harness.view.matches == {}  # announced once, since put off
            market.announce_pending(5)
            swap(market, 5)
            harness.step()
            assert harness.view.matches == {"S0": 30.0, "S2": 30.0}

    def test_a_hundred_symbols_update(self, market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
        """A hundred of 130 symbols update, 60 of them new, in a mixed order: each is processed once, in the order of
        slots."""
        for number in range(70, 130):
            market.slot(f"S{number}")
        slots = [(number * 37) % 130 for number in range(100)]
        for slot in slots:
            _trade(market, slot, price=100.0 + slot)
        swap(market)
        harness.step()
        assert rule.take_asked() == [_names(*sorted(slots))]
        assert harness.view.matches == {f"S{slot}": 100.0 + slot for slot in slots}

    @pytest.mark.parametrize("chunk", [1_024, 70, 69, 16, 1])
    def test_all_symbols_update_at_once(self, market: MarketWriter, segment: Segment, chunk: int) -> None:
        """More symbols than fit into one chunk make several; urgent work is done between two chunks, and only there."""
        rule, pauses = PriceRule(), []
        harness = RunnerHarness(segment, vectorised(rule), chunk=chunk)
        _trade(market, *range(70))
        swap(market)
        harness.step(between=lambda: pauses.append(len(rule.asked)))
        assert [name for call in rule.asked for name in call] == _names(*range(70))
        assert {len(call) for call in rule.asked[:-1]} <= {chunk}
        assert pauses == list(range(1, len(rule.asked)))
        assert harness.view.matches == dict.fromkeys(_names(*range(70)), HIGH)


def test_sleeping_over_cycles_is_made_good(market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
    """One step covers every cycle since, each changed symbol once, at its newest price."""
    for slot, price in ((3, HIGH), (4, HIGH), (3, LOW), (5, HIGH), (4, 30.0)):
        _trade(market, slot, price=price)
        swap(market)
    harness.step()
    assert rule.take_asked() == [_names(3, 4, 5)]
    assert harness.view.matches == {"S4": 30.0, "S5": HIGH}
    assert harness.runner.done == 6


def test_a_result_knows_its_oldest_update(market: MarketWriter, harness: RunnerHarness) -> None:
    """The oldest update of all cycles that a result covers is known, so the latency counts skipped cycles too."""
    for slot, now_ns in ((1, 300), (2, 400)):
        _trade(market, slot, now_ns=now_ns)
        swap(market, now_ns + 50)
    result = harness.step()
    assert result is not None
    assert result.oldest_ns == 300


def test_enter_move_leave(market: MarketWriter, harness: RunnerHarness) -> None:
    """A symbol's way through the match set, one delta each; a cycle that changes nothing sends nothing."""
    results = []
    for price in (HIGH, 25.0, 25.0, LOW):
        _trade(market, 7, price=price)
        swap(market)
        results.append(harness.step())
    told = [(r.entered, r.scores, r.left) if isinstance(r, Delta) else None for r in results]
    assert told == [({"S7": HIGH}, {}, []), ({}, {"S7": 25.0}, []), None, ({}, {}, ["S7"])]


def test_a_delisted_symbol_leaves(market: MarketWriter, harness: RunnerHarness) -> None:
    """Delisting is an update like any other: the match leaves, though its price would still match."""
    _trade(market, 7, 8)
    swap(market)
    harness.step()
    _trade(market, 7, price=30.0, status=STATUS_DELISTED)
    swap(market)
    harness.step()
    assert harness.view.matches == {"S8": HIGH}
    _trade(market, 7, price=31.0)
    swap(market)
    harness.step()
    assert harness.view.matches == {"S7": 31.0, "S8": HIGH}


class TestFailures:
    """A step that raises moves nothing."""

    def test_a_chunk_fails_after_another_succeeded(self, market: MarketWriter, segment: Segment) -> None:
        """Match set, `done` and messages stay as they were; the next step is exact, covers everything, and is right."""
        rule = PriceRule()
        harness = RunnerHarness(segment, vectorised(rule), chunk=16)
        _trade(market, *range(70), price=LOW)
        _trade(market, 1, 40)
        swap(market)
        harness.step()
        rule.take_asked()
        _trade(market, *range(2, 50))
        _trade(market, 1, price=LOW)
        swap(market)
        tally = (harness.tally.processed, harness.tally.skipped, harness.tally.cycles, harness.tally.bytes_full)
        rule.faults = [None, None, ValueError("third chunk")]
        with pytest.raises(PluginError, match="third chunk"):
            harness.step()
        harness.runner.fail()
        assert len(rule.take_asked()) == 3
        assert harness.matches.scores() == harness.view.matches == {"S1": HIGH, "S40": HIGH}
        assert (harness.runner.done, harness.results.seq, harness.frames) == (1, 1, [])
        assert (harness.tally.processed, harness.tally.skipped, harness.tally.cycles, harness.tally.bytes_full) == tally
        assert harness.tally.failures == 1
        assert harness.runner.pending(NOON)
        _trade(market, 60)  # not yet announced, and covered all the same: its row is newer than the one seen
        harness.step()
        assert [name for call in rule.take_asked() for name in call] == _names(*range(70))
        assert harness.tally.fast == 0
        assert harness.view.matches == dict.fromkeys(_names(*range(2, 50), 60), HIGH)
        assert not harness.runner.pending(NOON)

    def test_failing_again_and_again(self, market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
        """Each failure leaves the same state; the step that succeeds covers what came meanwhile."""
        for slot in (3, 4, 5):
            _trade(market, slot)
            swap(market)
            rule.faults = [RuntimeError("still")]
            with pytest.raises(PluginError):
                harness.step()
            harness.runner.fail()
            assert (harness.matches.scores(), harness.runner.done, harness.results.seq) == ({}, 1, 1)
        harness.step()
        assert [name for call in rule.take_asked()[-1:] for name in call] == _names(*range(70))
        assert harness.view.matches == dict.fromkeys(_names(3, 4, 5), HIGH)
        _trade(market, 6)
        swap(market)
        harness.step()
        assert harness.tally.fast == 1  # flags are trusted again

    def test_the_first_step_fails(self, market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
        """The trader still owes its snapshot, and sends it with the first success."""
        harness = RunnerHarness(segment, vectorised(rule))
        _trade(market, 3)
        swap(market)
        rule.faults = [SystemExit(1)]
        with pytest.raises(PluginError, match="SystemExit"):
            harness.step()
        harness.runner.fail()
        assert isinstance(harness.step(), Snapshot)
        assert harness.view.matches == {"S3": HIGH}

    def test_single_symbols_fail_alike(self, market: MarketWriter, segment: Segment) -> None:
        """The fault of one symbol fails the whole step, whatever the others gave."""
        bad = {"S50"}

        def rule(symbol: Symbol) -> float | str | None:
            return "?" if symbol.name in bad else symbol.last

        harness = RunnerHarness(segment, per_symbol(rule), batch_chunk=8)
        _trade(market, *range(70))
        swap(market)
        with pytest.raises(PluginError, match="gave a str"):
            harness.step()
        harness.runner.fail()
        assert harness.matches.scores() == {}
        bad.clear()
        harness.step()
        assert len(harness.view.matches) == 70


@pytest.mark.parametrize(
    ("slots", "calls"),
    [(4, 0), (8, 0), (9, 3), (70, 18)],
)
def test_batch_mode(market: MarketWriter, segment: Segment, slots: int, calls: int) -> None:
    """A large cycle is cut into chunks of four, with urgent work done in between; a small one is whole."""
    harness = RunnerHarness(segment, per_symbol(lambda s: s.last), batch_chunk=4, batch_symbols=8)
    _trade(market, *range(70))
    swap(market)
    harness.step()
    batched = harness.tally.batched
    served: list[int] = []
    _trade(market, *range(slots), price=30.0)
    swap(market)
    harness.step(between=lambda: served.append(1))
    assert (len(served), harness.tally.batched - batched) == (max(calls - 1, 0), int(calls > 0))
    assert [harness.view.matches[f"S{slot}"] for slot in range(70)] == [30.0] * slots + [HIGH] * (70 - slots)


@pytest.mark.parametrize(("vectorised", "symbols", "of", "chunk"), [
    (True, 5_000, 5_000, 1_024), (True, 10, 5_000, 1_024),
    (False, 50, 5_000, 50), (False, 51, 5_000, 20), (False, 40, 80, 50), (False, 41, 80, 20), (False, 3, 4, 20),
])  # fmt: skip
def test_when_it_is_batch_mode(vectorised: bool, symbols: int, of: int, chunk: int) -> None:
    """A cycle is batched with more than 50 symbols, or more than half of them; a vectorised trader has one size of
    chunk."""
    block = TraderBlock.model_validate({})
    assert Batches(vectorised, block, Switches(Trader(name="x"), block, {})).chunk(symbols, of) == chunk


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("deltas", [False, True])
def test_tracking_or_not_is_the_same(market: MarketWriter, segment: Segment, deltas: bool, single: bool) -> None:
    """With tracking off all symbols that hold data are processed in every cycle, and every signal is the same."""

    def harness(tracking: bool) -> RunnerHarness:
        rule = (lambda s: s.last > 10.0 and s.last) if single else (lambda m: np.where(m.last > 10.0, m.last, np.nan))
        plugin = per_symbol(rule) if single else vectorised(rule)
        return RunnerHarness(segment, plugin, tracking=tracking, deltas=deltas, chunk=16)

    tracked, full = harness(True), harness(False)
    rng = np.random.default_rng(5)
    for cycle in range(25):
        slots = rng.choice(60, rng.integers(1, 9), replace=False)
        for slot in slots:
            _trade(market, int(slot), price=float(rng.integers(5, 16)))
        swap(market)
        for one in (tracked, full):
            assert one.runner.pending(NOON)
            one.step(NOON + cycle * NS_PER_S)
        assert tracked.matches.scores() == full.matches.scores() == tracked.view.matches == full.view.matches
    assert tracked.signals == full.signals
    assert tracked.results.seq == full.results.seq
    assert tracked.tally.processed + tracked.tally.skipped == full.tally.processed
    assert tracked.tally.processed < full.tally.processed / 3
    assert full.tally.skipped == 0  # symbols without data do not count as work saved


def test_switching_tracking_off_and_on_again_loses_nothing(
    market: MarketWriter, harness: RunnerHarness, rule: PriceRule
) -> None:
    """Processing everything moves `done` as well: after it the flags are trusted at once, and nothing is processed
    twice."""
    _trade(market, 3)
    swap(market)
    harness.switches.tracking = False
    harness.step()
    assert rule.take_asked() == [_names(*range(70))]
    harness.switches.tracking = True
    assert not harness.runner.pending(NOON)
    _trade(market, 4)
    swap(market)
    harness.step()
    assert rule.take_asked() == [["S4"]]
    assert harness.view.matches == dict.fromkeys(_names(3, 4), HIGH)


def test_the_watch_list(market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
    """Only watched symbols are processed and match, on either path; other flagged symbols are not."""
    harness = RunnerHarness(segment, vectorised(rule, watch=["S1*", "S6?"], exclude=["*5"]))
    watched = [1, *range(10, 15), *range(16, 20), *range(60, 65), *range(66, 70)]
    _trade(market, *range(70))
    swap(market)
    harness.step()
    assert rule.take_asked() == [_names(*watched)]
    _trade(market, 1, 2, 15, 65, 66, price=30.0)
    swap(market)
    harness.step()
    assert rule.take_asked() == [_names(1, 66)]
    assert harness.view.matches == {**dict.fromkeys(_names(*watched), HIGH), "S1": 30.0, "S66": 30.0}
    market.slot("S100")
    market.slot("S105")
    _trade(market, 70, 71)
    swap(market)
    harness.step()
    assert rule.take_asked() == [["S100"]]
    _trade(market, 2, 15)
    swap(market)
    assert harness.step() is None
    assert rule.take_asked() == []


class TestNewSymbols:
    """A symbol may appear at any moment of a step."""

    def test_first_seen_in_the_very_cycle_being_read(
        self, market: MarketWriter, harness: RunnerHarness, rule: PriceRule
    ) -> None:
        """A symbol that is named, first traded and announced in one cycle is processed in that cycle."""
        slot = market.slot("NEW")
        _trade(market, slot)
        swap(market)
        harness.step()
        assert rule.take_asked() == [["NEW"]]
        assert harness.view.matches == {"NEW": HIGH}

    def test_while_a_cycle_is_evaluated(self, market: MarketWriter, segment: Segment) -> None:
        """A symbol that appears between two chunks waits for the next step, and is not lost."""
        rule = PriceRule()
        harness = RunnerHarness(segment, vectorised(rule), chunk=1)
        _trade(market, 0, 1)
        swap(market)

        def appear() -> None:
            _trade(market, market.slot("NEW"))
            swap(market)

        harness.step(between=appear)
        assert rule.take_asked() == [["S0"], ["S1"]]
        assert harness.runner.pending(NOON)
        harness.step()
        assert rule.take_asked() == [["NEW"]]
        assert harness.view.matches == dict.fromkeys(["S0", "S1", "NEW"], HIGH)

    def test_a_symbol_without_data_is_not_evaluated(
        self, market: MarketWriter, segment: Segment, rule: PriceRule
    ) -> None:
        """A name and a slot are no update, not even where all symbols are processed."""
        harness = RunnerHarness(segment, vectorised(rule), tracking=False)
        _trade(market, 5)
        swap(market)
        harness.step()
        assert rule.take_asked() == [["S5"]]


def test_a_locked_row_is_read_again(market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
    """Progress: a locked row blocks no other symbol, and the trader knows that it must come back."""
    _trade(market, 3, 4)
    swap(market)
    market.segment.arrays.versions[3] += 1  # its writer stands still in the middle of the row
    harness.step()
    assert rule.take_asked() == [["S4"]]
    assert (harness.runner.owes_exact, harness.runner.pending(NOON), harness.tally.retried) == (True, True, 1)
    harness.step()
    assert harness.runner.owes_exact
    market.segment.arrays.versions[3] += 1
    harness.step()
    assert rule.take_asked() == [["S3"]]
    assert harness.view.matches == dict.fromkeys(_names(3, 4), HIGH)
    assert not harness.runner.owes_exact


class TestTheCollector:
    """The collector may be away, or want to hear everything again."""

    def test_a_snapshot_is_sent_without_an_update(self, harness: RunnerHarness, rule: PriceRule) -> None:
        """A requested snapshot is work for the trader, for which it evaluates nothing."""
        harness.results.ask_snapshot(9)
        assert harness.runner.pending(NOON)
        result = harness.step()
        assert isinstance(result, Snapshot)
        assert (result.token, result.cycle) == (9, 1)
        assert rule.take_asked() == []
        assert not harness.runner.pending(NOON)

    def test_a_collector_that_is_away(self, market: MarketWriter, harness: RunnerHarness) -> None:
        """Results go nowhere and the trader goes on; the returning collector gets one snapshot of the present
        matches."""
        harness.refuses = True
        for slot in (3, 4, 5):
            _trade(market, slot)
            swap(market)
            harness.step()
        assert harness.matches.scores() == dict.fromkeys(_names(3, 4, 5), HIGH)
        assert (harness.view.matches, harness.results.seq, harness.runner.pending(NOON)) == ({}, 2, False)
        harness.refuses = harness.results.blocked = False
        assert harness.runner.pending(NOON)
        assert isinstance(harness.step(), Snapshot)
        assert harness.view.matches == harness.matches.scores()


class TestWhatTheFeedKeeps:
    """A trader that asks for more than the feed keeps is refused when it starts, with the reason."""

    @pytest.mark.parametrize("declaration", [{"channel": "2m"}, {"candles": "2m", "look_back": 3}])
    def test_an_interval_that_it_does_not_keep(self, segment: Segment, declaration: dict[str, Any]) -> None:
        """The error names the interval and the intervals there are."""
        with pytest.raises(SegmentError, match=r"'2m'.*1m, 5m"):
            RunnerHarness(segment, vectorised(PriceRule(), **declaration))

    def test_a_look_back_that_is_too_deep(self, segment: Segment) -> None:
        """A look-back of the ring and the forming candle is possible; one candle more is not."""
        for depth, forming in ((5, False), (6, True)):
            RunnerHarness(segment, vectorised(PriceRule(), candles="1m", look_back=depth, forming=forming))
            with pytest.raises(ValueError, match=f"look-back must be 1 to {depth}, not {depth + 1}"):
                RunnerHarness(segment, vectorised(PriceRule(), candles="1m", look_back=depth + 1, forming=forming))


class TestClosedCandles:
    """A trader may wake only when candles of an interval close."""

    def test_it_sleeps_until_a_candle_closes(self, market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
        """Ticks do not wake it; it evaluates the symbols of which a candle closed, and no others."""
        harness = RunnerHarness(segment, vectorised(rule, channel="1m", candles="1m", look_back=2))
        harness.step()
        for second in range(3):
            _trade(market, 3, 4, event_ns=NOON + second * NS_PER_S)
            swap(market)
            assert not harness.runner.pending(NOON)
        _trade(market, 3, event_ns=NOON + MINUTE)
        swap(market)
        assert harness.runner.pending(NOON)
        harness.step()
        assert rule.take_asked() == [["S3"]]
        market.close_due(NOON + MINUTE, 1)
        swap(market)
        harness.step()
        assert rule.take_asked() == [["S4"]]
        _trade(market, 4, event_ns=NOON + MINUTE)
        swap(market)
        assert not harness.runner.pending(NOON)

    def test_a_delisted_symbol_leaves_at_once(self, market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
        """A symbol's delisting, or return, needs no close to be evaluated; a symbol without a candle is still not
        evaluated."""
        _trade(market, 3, 4, event_ns=NOON)
        _trade(market, 3, event_ns=NOON + MINUTE)
        swap(market)
        harness = RunnerHarness(segment, vectorised(rule, channel="1m", candles="1m", look_back=1))
        harness.step()
        assert harness.view.matches == {"S3": HIGH}
        rule.take_asked()
        for status, expected in ((STATUS_DELISTED, {}), (STATUS_TRADING, {"S3": HIGH})):
            _trade(market, 3, event_ns=NOON + MINUTE, status=status)
            _trade(market, 4, 5, event_ns=NOON, status=status)
            assert harness.runner.pending(NOON)
            harness.step()
            assert rule.take_asked() == [["S3"]]
            assert harness.view.matches == expected
            assert not harness.runner.pending(NOON)

    def test_a_locked_row_that_was_delisted_leaves_later(
        self, market: MarketWriter, segment: Segment, rule: PriceRule
    ) -> None:
        """The match leaves as soon as the row can be read, also after a failed step."""
        _trade(market, 3, 4, event_ns=NOON)
        _trade(market, 3, 4, event_ns=NOON + MINUTE)
        swap(market)
        harness = RunnerHarness(segment, vectorised(rule, channel="1m", candles="1m", look_back=1))
        harness.step()
        market.apply(tick_batch([3, 4], [10.5] * 2, NOON + MINUTE, status=STATUS_DELISTED), 1)
        market.segment.arrays.versions[3] += 1
        rule.faults = [ValueError("now")]
        with pytest.raises(PluginError):
            harness.step()
        harness.runner.fail()
        harness.step()
        assert harness.view.matches.keys() == {"S3"}
        market.segment.arrays.versions[3] -= 1
        harness.step()
        assert harness.view.matches == {}
        assert not harness.runner.pending(NOON)

    def test_it_sees_the_candles(self, market: MarketWriter, segment: Segment) -> None:
        """Candles come oldest first, NaN where a symbol is young, with their number; the forming one only where it is
        declared."""
        seen: dict[str, Any] = {}

        def rule(wanted: str) -> Any:
            def evaluate(m: Any) -> Any:
                seen[wanted] = (m.candles.close.tolist(), m.candles.volume.tolist(), m.candles.count.tolist())
                return np.zeros(len(m), bool)

            return evaluate

        harnesses = [
            RunnerHarness(
                segment, vectorised(rule(name), candles="1m", look_back=3, columns=("volume", "close"), forming=forming)
            )
            for name, forming in (("closed", False), ("forming", True))
        ]
        for minute, price in enumerate((1.0, 2.0, 3.0, 4.0)):
            _trade(market, 3, price=price, event_ns=NOON + minute * MINUTE, qty=price * 10)
        _trade(market, 4, price=9.0, event_ns=NOON)
        swap(market)
        for harness in harnesses:
            harness.step()
        young = [[repr(value) for value in row] for row in seen["closed"][0]]
        assert young == [["1.0", "2.0", "3.0"], ["nan", "nan", "nan"]]
        assert seen["closed"][2] == [3, 0]
        assert (seen["forming"][0][0], seen["forming"][1][0]) == ([2.0, 3.0, 4.0], [20.0, 30.0, 40.0])
        assert [repr(value) for value in seen["forming"][0][1]] == ["nan", "nan", "9.0"]
        assert seen["forming"][2] == [3, 1]
