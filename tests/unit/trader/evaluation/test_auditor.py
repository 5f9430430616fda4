"""Audits: what is compared, who is accused, and that an audit changes nothing of what the trader does."""

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, per_symbol, vectorised
from tests.support.markets.markets import NOON, swap, tick_batch
from tickflag import Market as Shown
from tickflag.common.errors import PluginError
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.auditor import Sampler


def _trade(market: MarketWriter, *slots: int, price: float = 20.0) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)


class TestSampler:
    def test_one_cycle_by_chance_of_each_block(self) -> None:
        """At 1 % one cycle of each hundred is chosen, at changing places."""
        sampler = Sampler(1.0, 1.0, random.Random(1))
        chosen = [cycle for cycle in range(10_000) if sampler.wants(0)]
        assert [cycle // 100 for cycle in chosen] == list(range(100))
        assert len({cycle % 100 for cycle in chosen}) > 30

    @pytest.mark.parametrize(("share", "count"), [(0.0, 0), (100.0, 1_000), (40.0, 400), (0.3, 3)])
    def test_the_share_is_kept(self, share: float, count: int) -> None:
        """The share of a thousand cycles is audited."""
        sampler = Sampler(share, 1.0, random.Random(2))
        assert sum(sampler.wants(0) for _ in range(1_000)) == pytest.approx(count, abs=1)

    def test_the_budget_puts_off(self) -> None:
        """After an audit of 10 ms, with a fiftieth of the time, none comes for 500 ms. Audits that were put off are not
        made up for."""
        sampler = Sampler(100.0, 0.02, random.Random(3))
        assert sampler.wants(0)
        sampler.spent(0, 10_000_000)
        asked = [now_ns for now_ns in range(1_000_000, 600_000_000, 1_000_000) if sampler.wants(now_ns)]
        assert asked[0] == 500_000_000
        assert all(after - before <= 2_000_000 for before, after in pairwise(asked))


class TestResults:
    def test_a_rule_of_its_own_symbols_is_right(self, market: MarketWriter, segment: Segment) -> None:
        """Every symbol that holds data is compared; symbols that changed since are pending."""
        harness = RunnerHarness(segment, vectorised(PriceRule()), chunk=16)
        _trade(market, *range(50))
        swap(market)
        harness.step()
        served: list[int] = []
        assert harness.runner.audit(NOON, lambda: 1, lambda: served.append(1)) == (50, 0, [], True)
        assert len(served) == 3
        _trade(market, 3, 60, price=5.0)
        assert harness.runner.audit(NOON, lambda: 2) == (49, 2, [], True)

    @pytest.mark.parametrize("single", [False, True])
    def test_a_rule_of_other_symbols_is_found(self, market: MarketWriter, segment: Segment, single: bool) -> None:
        """The symbols with another answer are named, and the committed matches stay."""
        calls = [0]

        def several(shown: Shown) -> Any:
            return shown.last >= shown.last.mean()

        def one(_symbol: Any) -> bool:
            calls[0] += 1
            return calls[0] > 70

        harness = RunnerHarness(segment, per_symbol(one) if single else vectorised(several))
        _trade(market, *range(70), price=10.0)
        swap(market)
        harness.step()
        if not single:
            _trade(market, 0, price=90.0)
            swap(market)
            harness.step()
        matches = harness.matches.scores()
        findings = harness.runner.audit(NOON, lambda: 1)
        assert findings.wrong == [f"S{slot}" for slot in range(0 if single else 1, 70)]
        assert harness.matches.scores() == matches

    def test_rounding_is_no_other_answer(self, market: MarketWriter, segment: Segment) -> None:
        """Numpy may add up in another order where a chunk has other rows."""
        scale = [1.0]
        harness = RunnerHarness(segment, vectorised(lambda shown: shown.last * scale[0]))
        _trade(market, 1)
        swap(market)
        harness.step()
        scale[0] = 1.0 + 1e-12
        assert harness.runner.audit(NOON, lambda: 1).wrong == []
        scale[0] = 1.0 + 1e-6
        assert harness.runner.audit(NOON, lambda: 1).wrong == ["S1"]

    def test_who_asks_for_a_timer_depends_on_the_time(self, market: MarketWriter, segment: Segment) -> None:
        """The declaration `every` says that the answers depend on the time, so another answer is no fault."""
        calls: list[int] = []

        def rule(shown: Shown) -> Any:
            calls.append(1)
            return np.full(len(shown), float(len(calls)))

        harnesses = [RunnerHarness(segment, vectorised(rule, **declared)) for declared in ({}, {"every": 60.0})]
        _trade(market, 1)
        swap(market)
        for harness in harnesses:
            harness.step()
        assert [harness.runner.audit(NOON, lambda: 1).wrong for harness in harnesses] == [["S1"], []]

    def test_what_a_trader_remembers_does_not_move(self, market: MarketWriter, segment: Segment) -> None:
        """The rule gets a copy of its numbers from before the version, and gives the same answer."""

        def rule(shown: Shown) -> Any:
            shown.state.count += 1
            return shown.state.count.astype(float)

        harness = RunnerHarness(segment, vectorised(rule, state={"count": 0}))
        for count in (1.0, 2.0, 3.0):
            _trade(market, 1, 2)
            swap(market)
            harness.step()
            assert harness.matches.scores() == {"S1": count, "S2": count}
            assert harness.runner.audit(NOON, lambda: 1) == (2, 0, [], True)

    def test_rows_that_cannot_be_read_are_left_out(self, market: MarketWriter, segment: Segment) -> None:
        """A chunk in which no row could be read is left out as well."""
        rule = PriceRule()
        harness = RunnerHarness(segment, vectorised(rule), chunk=2)
        _trade(market, *range(6))
        swap(market)
        harness.step()
        rule.take_asked()
        versions = market.segment.arrays.versions
        versions[[0, 1, 2]] += 1
        try:
            assert harness.runner.audit(NOON, lambda: 1)[0] == 3
        finally:
            versions[[0, 1, 2]] -= 1
        assert rule.take_asked() == [["S3"], ["S4", "S5"]]

    def test_a_ranking_is_asked_again_as_it_was(self, market: MarketWriter, segment: Segment) -> None:
        """The rule gets the rows that it saw, so only chance or time give another answer. The cost is not that of a
        whole pass."""
        noise = [0.0]
        harness = RunnerHarness(segment, vectorised(lambda shown: shown.last + noise[0], scope="market", watch=["S1*"]))
        _trade(market, 1, 2, 10)
        swap(market)
        harness.step()
        _trade(market, 1, price=30.0)
        assert harness.runner.audit(NOON, lambda: 1) == (3, 1, [], False)
        noise[0] = 1.0
        assert harness.runner.audit(NOON, lambda: 1).wrong == ["S1", "S10"]

    def test_a_rule_that_raises(
        self,
        market: MarketWriter,
        segment: Segment,
    ) -> None:
        """A fault is the plugin's, as it is in a step."""
        rule = PriceRule()
        harness = RunnerHarness(segment, vectorised(rule))
        _trade(market, 1)
        swap(market)
        harness.step()
        rule.faults = [ValueError("only now")]
        with pytest.raises(PluginError, match="only now"):
            harness.runner.audit(NOON, lambda: 1)
        assert harness.matches.scores() == {"S1": 20.0}


class TestUnseen:
    GRACE_NS = 300

    @pytest.fixture
    def harness(self, market: MarketWriter, segment: Segment) -> RunnerHarness:
        """Up to date, with ten symbols; an update must be announced within 300 ns."""
        harness = RunnerHarness(segment, vectorised(PriceRule()), announced_within_ns=self.GRACE_NS)
        _trade(market, *range(10))
        swap(market)
        harness.step()
        return harness

    def _lost(self, market: MarketWriter, *slots: int) -> None:
        """Write updates whose flags are lost."""
        _trade(market, *slots, price=30.0)
        market.segment.arrays.flags[:] = 0

    def test_a_lost_flag_is_found_once(self, market: MarketWriter, harness: RunnerHarness) -> None:
        """The flag counts as lost when a heartbeat of the feed comes so much later than the audit that found the
        change."""
        self._lost(market, 3, 4)
        auditor = harness.runner.auditor
        market.beat(900)
        assert auditor.note_pending(lambda: 1_000) == 2
        assert auditor.unseen() == []
        market.beat(1_000 + self.GRACE_NS - 1)
        assert auditor.unseen() == []
        market.beat(1_000 + self.GRACE_NS)
        assert auditor.unseen() == ["S3", "S4"]
        assert auditor.unseen() == []
        assert auditor.note_pending(lambda: 2_000) == 2
        assert auditor.unseen() == []

    def test_a_feed_that_stands_still_is_not_accused(self, market: MarketWriter, harness: RunnerHarness) -> None:
        """However late the feed is, its next turn announces what it wrote."""
        _trade(market, 3, price=30.0)
        auditor = harness.runner.auditor
        market.beat(500)
        for now_ns in (1_000, 10_000, 1_000_000_000):
            auditor.note_pending(iter([now_ns]).__next__)
            assert auditor.unseen() == []
        market.beat(2_000_000_000)
        swap(market)
        assert auditor.unseen() == []  # announced, and not covered yet
        harness.step()
        assert auditor.note_pending(lambda: 2_000_000_000) == 0

    def test_what_is_evaluated_meanwhile_is_seen(self, market: MarketWriter, harness: RunnerHarness) -> None:
        """The time begins anew, even if the symbol has changed again since."""
        _trade(market, 3, price=30.0)
        auditor = harness.runner.auditor
        auditor.note_pending(lambda: 1_000)
        swap(market)
        harness.step()
        _trade(market, 3, price=31.0)
        market.beat(5_000)
        assert auditor.unseen() == []
        auditor.note_pending(lambda: 5_000)
        assert auditor.unseen() == []

    def test_a_row_to_be_read_again_says_nothing(self, market: MarketWriter, harness: RunnerHarness) -> None:
        """The row says nothing: the reader knows that it has to read the row again."""
        versions = market.segment.arrays.versions
        _trade(market, 3, price=30.0)
        versions[3] += 1
        swap(market)
        harness.step()
        auditor = harness.runner.auditor
        auditor.note_pending(lambda: 1_000)
        market.beat(5_000)
        assert auditor.unseen() == []
        versions[3] -= 1
        harness.step()
        assert auditor.note_pending(lambda: 6_000) == 0
