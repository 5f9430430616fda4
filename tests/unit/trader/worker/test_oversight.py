"""What the collector hears of a trader at work: each failed cycle once, bad flags and rows, audits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.wrong_feed import wrong_swap
from tests.support.markets.markets import swap, tick_batch
from tickflag import Market as View
from tickflag import Trader
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Audit, Fault
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.reports import KEEP
from tickflag.services.trader.worker.session import FAILED_LIMIT_NS, TraderSession


class OverseenSession:
    """A trader session with every cycle audited, its clock, and the reports that it sent."""

    def __init__(self, runtime: Runtime, market: MarketWriter, rule: Any, **audit: float) -> None:
        self.market, self.now_ns = market, 1_000_000_000_000
        self.frames: list[bytes] = []
        self.away = False
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            audit={"share": 100.0, "budget": 1.0, **audit},  # type: ignore[arg-type] # as above
        )
        plugin = Plugin(Trader(name="test"), rule, None)
        spec = LaunchSpec(Path("test.py"), "", {}, runtime.folder / "test.handover")
        self.session = TraderSession(spec, plugin, 7, settings, runtime, self._send)
        self.session._oversight.clock = lambda: self.now_ns

    def cycle(self, *slots: int, wrong: bool = False, price: float = 20.0) -> None:
        """Let 100 ms pass, the feed write and swap, and the trader work."""
        self.now_ns += 100 * NS_PER_MS
        if slots:
            self.market.apply(tick_batch(slots, [price] * len(slots)), self.now_ns)
        if wrong:
            wrong_swap(self.market, lambda _: None, self.now_ns)
        else:
            swap(self.market, self.now_ns)
        self.market.beat(self.now_ns)
        self.work()

    def work(self) -> None:
        self.session.housekeep(self.now_ns)
        if self.session.ready(self.now_ns):
            self.session.step(self.now_ns, lambda: None)

    def take(self, kind: type[Fault] | type[Audit]) -> list[Any]:
        """The reports of a kind since the last call; reports of other kinds are thrown away."""
        found = [message for message in map(decode, self.frames) if isinstance(message, kind)]
        self.frames.clear()
        return found

    def _send(self, frame: bytes) -> bool:
        if not self.away:
            self.frames.append(frame)
        return not self.away


def _rising(market: View) -> Any:
    return market.last > 10.0


@pytest.fixture
def harness(runtime: Runtime, market: MarketWriter) -> OverseenSession:
    """A session that is up to date, with ten symbols."""
    harness = OverseenSession(runtime, market, _rising)
    harness.cycle(*range(10))
    harness.frames.clear()
    return harness


def test_a_failed_cycle_is_told_once_with_its_stack(runtime: Runtime, market: MarketWriter) -> None:
    """A cycle that is tried again is not reported again. Another failed cycle is, with the number of clean cycles
    before it."""
    words = ["", "bad", "bad", "bad", "", ""]

    def rule(shown: View) -> Any:
        if word := words.pop(0):
            raise ValueError(word)
        return shown.last > 0

    harness = OverseenSession(runtime, market, rule, share=0.0)
    harness.cycle(1)
    harness.cycle(2)
    harness.now_ns += FAILED_LIMIT_NS
    harness.work()
    [fault] = harness.take(Fault)
    assert (fault.trader, fault.incarnation, fault.cycle, fault.what, fault.cycles) == ("test", 7, 2, "raise", 1)
    assert fault.text.startswith("trader 'test': hook `evaluate` raised ValueError: bad")
    assert "raise ValueError(word)" in fault.stack
    harness.now_ns += FAILED_LIMIT_NS
    harness.cycle(3)
    [fault] = harness.take(Fault)
    assert fault.cycle == 3
    harness.now_ns += FAILED_LIMIT_NS
    harness.work()
    assert harness.take(Fault) == []


def test_a_collector_that_is_away_hears_of_the_last_ones(runtime: Runtime, market: MarketWriter) -> None:
    """The returning collector gets the last faults in their order."""

    def rule(_shown: View) -> Any:
        raise ValueError("always")

    harness = OverseenSession(runtime, market, rule)
    harness.away = True
    for _ in range(KEEP + 5):
        harness.now_ns += FAILED_LIMIT_NS
        harness.cycle(1)
    harness.away = False
    harness.session.housekeep(harness.now_ns)
    assert [fault.cycle for fault in harness.take(Fault)] == list(range(6, KEEP + 6))


def test_an_audit_tells_both_costs(harness: OverseenSession) -> None:
    """The audit has the cost of the cycle and of the evaluation of all symbols; nobody is accused."""
    harness.cycle(3)
    [audit] = harness.take(Audit)
    assert (audit.trader, audit.incarnation, audit.cycle) == ("test", 7, 2)
    assert (audit.symbols, audit.pending, audit.processed, audit.wrong, audit.unseen) == (10, 0, 1, 0, 0)
    assert audit.part_ns > 0
    assert audit.full_ns > 0


def test_another_answer_accuses_the_trader(runtime: Runtime, market: MarketWriter) -> None:
    """The fault has symbols and cycle."""
    calls = [0]

    def rule(shown: View) -> Any:
        calls[0] += 1
        return np.full(len(shown), float(calls[0]))

    harness = OverseenSession(runtime, market, rule)
    harness.cycle(*range(30))
    [fault] = harness.take(Fault)
    assert (fault.what, fault.cycle, fault.symbols) == ("dependence", 1, [f"S{slot}" for slot in range(20)])
    assert "it depends on more than its symbol" in fault.text
    assert fault.stack.startswith("cycle 1: S0, S1, ")
    assert fault.stack.endswith(", S19 and 10 more")
    harness.cycle(1)
    [fault] = harness.take(Fault)
    assert fault.cycle == 2


def test_a_rule_that_raises_in_an_audit_is_a_dependence(runtime: Runtime, market: MarketWriter) -> None:
    """The rule gave an answer for the same rows before. The trader goes on."""
    calls = [0]

    def rule(shown: View) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise ValueError("twice")
        return shown.last > 0

    harness = OverseenSession(runtime, market, rule)
    harness.cycle(1)
    [fault] = harness.take(Fault)
    assert fault.what == "dependence"
    assert "in an audit: trader 'test': hook `evaluate` raised ValueError: twice" in fault.text
    harness.cycle(2)
    assert harness.take(Fault) == []


def test_switched_off_nothing_is_audited(harness: OverseenSession) -> None:
    """Between cycles nothing is searched for either."""
    harness.session._parts.switches.audits = False
    harness.cycle(3)
    for _ in range(30):
        harness.cycle(4, wrong=True)
    assert harness.frames
    assert harness.take(Audit) + harness.take(Fault) == []


@pytest.mark.parametrize(("share", "cycles"), [(100.0, 10), (1.0, 1_000)])
def test_a_wrong_swap_is_caught(runtime: Runtime, market: MarketWriter, share: float, cycles: int) -> None:
    """It is caught within a second of cycles at 100 %, and within a thousand cycles at the default share."""
    harness = OverseenSession(runtime, market, _rising, share=share, budget=0.02 if share < 100 else 1.0)
    harness.cycle(*range(10))
    harness.frames.clear()
    for _ in range(cycles):
        harness.cycle(3, wrong=True)
        faults = harness.take(Fault)
        if faults:
            break
    assert [(fault.what, fault.symbols) for fault in faults] == [("audit", ["S3"])]


def test_what_was_never_announced_is_evaluated_all_the_same(harness: OverseenSession) -> None:
    """The update is evaluated as soon as it is found, whether the market goes on or not."""
    harness.cycle(3, wrong=True, price=5.0)
    assert harness.session._parts.matches.scores().get("S3") is not None
    while not harness.take(Fault):
        harness.cycle()
    harness.work()
    assert "S3" not in harness.session._parts.matches.scores()


def test_without_a_share_a_lost_flag_stays_unknown(runtime: Runtime, market: MarketWriter) -> None:
    """A share of 0 switches audits off."""
    harness = OverseenSession(runtime, market, _rising, share=0.0)
    harness.cycle(*range(10))
    for _ in range(50):
        harness.cycle(3, wrong=True)
    assert harness.take(Fault) == []


def test_a_long_random_run_accuses_nobody(runtime: Runtime, market: MarketWriter) -> None:
    """The run has pauses of the feed, pauses of the trader, and symbols that come late."""
    rng = np.random.default_rng(5)
    harness = OverseenSession(runtime, market, _rising)
    for _ in range(400):
        slots = rng.integers(0, 70, rng.integers(0, 8)).tolist()
        match rng.integers(0, 10):
            case 0:  # the feed writes, and stands still before it announces
                market.apply(tick_batch(slots, rng.uniform(5, 15, len(slots)).tolist()), harness.now_ns)
                for _ in range(3):
                    harness.now_ns += 700 * NS_PER_MS
                    harness.work()
            case 1:  # the trader sleeps
                for _ in range(3):
                    harness.now_ns += 200 * NS_PER_MS
                    market.apply(tick_batch(slots, rng.uniform(5, 15, len(slots)).tolist()), harness.now_ns)
                    swap(market, harness.now_ns)
                    market.beat(harness.now_ns)
            case _:
                harness.cycle(*slots, price=float(rng.uniform(5, 15)))
    assert harness.take(Fault) == []


def test_bad_flags_are_told(harness: OverseenSession) -> None:
    """Bad flags count as failures of the tracking; the symbols are evaluated all the same."""
    harness.market.segment.arrays.flags[0, :, 3] = 1 << 20
    harness.cycle(3)
    [fault] = harness.take(Fault)
    assert (fault.what, fault.text) == ("flags", "a flag is set beyond the last symbol")


def test_rows_that_stay_locked_are_told(harness: OverseenSession) -> None:
    """Rows are reported once they stay locked for three heartbeats of a living feed; with a dead feed they say
    nothing."""
    harness.market.segment.arrays.versions[3] += 1
    harness.market.apply(tick_batch([4], [20.0]), harness.now_ns)
    harness.market.segment.arrays.flags[0, :, 0] |= 1 << 3
    swap(harness.market, harness.now_ns)
    for _ in range(40):
        harness.now_ns += 100 * NS_PER_MS
        harness.work()
    assert harness.take(Fault) == []
    for _ in range(17):
        harness.cycle()
    [fault] = harness.take(Fault)
    assert (fault.what, fault.text) == ("buffer", "rows stay locked though the feed lives")
    harness.market.segment.arrays.versions[3] -= 1
    for _ in range(40):
        harness.cycle()
    assert harness.take(Fault) == []


def test_a_segment_of_another_layout_is_told(runtime: Runtime, market: MarketWriter) -> None:
    """The fault says that the segment cannot be used, and why."""
    header = market.segment.path.read_bytes()[:256]
    damaged = bytearray(header)
    damaged[8] ^= 0xFF
    with market.segment.path.open("r+b") as file:
        file.write(damaged)
    harness = OverseenSession(runtime, market, _rising)
    harness.work()
    [fault] = harness.take(Fault)
    assert (fault.what, fault.cycle) == ("segment", 0)
    assert layout.LAYOUT_VERSION == 3
