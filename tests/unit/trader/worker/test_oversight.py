"""What the collector hears of a trader at work: each failure once a cycle, bad flags and rows, audits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common import layout
from common.codec import decode
from common.messages import Audit, Fault
from common.runtime import Runtime
from common.settings import Settings
from common.traderapi import Market as View
from common.traderapi import Trader
from services.feed.market import Market
from services.trader.order import Order
from services.trader.plugin import Plugin
from services.trader.post import FAILED_LIMIT_NS, Post
from services.trader.reports import KEEP
from tests.support.markets import swap, tick_batch
from tests.support.wrong_feed import wrong_swap

MS = 1_000_000


class Desk:
    """A post with every cycle audited, its clock, and the reports that it sent."""

    def __init__(self, runtime: Runtime, market: Market, rule: Any, **audit: float) -> None:
        self.market, self.now_ns = market, 1_000_000_000_000
        self.frames: list[bytes] = []
        self.away = False
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            audit={"share": 100.0, "budget": 1.0, **audit},  # type: ignore[arg-type] # as above
        )
        plugin = Plugin(Trader(name="test"), rule, None)
        order = Order(Path("test.py"), "", {}, runtime.folder / "test.handover")
        self.post = Post(order, plugin, 7, settings, runtime, self._send)
        self.post._oversight.clock = lambda: self.now_ns

    def cycle(self, *slots: int, wrong: bool = False, price: float = 20.0) -> None:
        """100 ms pass; the feed writes and swaps, the trader works."""
        self.now_ns += 100 * MS
        if slots:
            self.market.apply(tick_batch(slots, [price] * len(slots)), self.now_ns)
        if wrong:
            wrong_swap(self.market, lambda _: None, self.now_ns)
        else:
            swap(self.market, self.now_ns)
        self.market.beat(self.now_ns)
        self.work()

    def work(self) -> None:
        self.post.look(self.now_ns)
        if self.post.ready(self.now_ns):
            self.post.step(self.now_ns, lambda: None)

    def take(self, kind: type[Fault] | type[Audit]) -> list[Any]:
        """The reports of a kind since the last call of any."""
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
def desk(runtime: Runtime, market: Market) -> Desk:
    """Up to date, with ten symbols."""
    desk = Desk(runtime, market, _rising)
    desk.cycle(*range(10))
    desk.frames.clear()
    return desk


def test_a_failed_cycle_is_told_once_with_its_stack(runtime: Runtime, market: Market) -> None:
    """However often it is tried again; another cycle is told again, with the clean ones until then."""
    words = ["", "bad", "bad", "bad", "", ""]

    def rule(shown: View) -> Any:
        if word := words.pop(0):
            raise ValueError(word)
        return shown.last > 0

    desk = Desk(runtime, market, rule, share=0.0)
    desk.cycle(1)
    desk.cycle(2)
    desk.now_ns += FAILED_LIMIT_NS
    desk.work()
    [fault] = desk.take(Fault)
    assert (fault.trader, fault.incarnation, fault.cycle, fault.what, fault.cycles) == ("test", 7, 2, "raise", 1)
    assert fault.text.startswith("trader 'test': hook `evaluate` raised ValueError: bad")
    assert "raise ValueError(word)" in fault.stack
    desk.now_ns += FAILED_LIMIT_NS
    desk.cycle(3)
    [fault] = desk.take(Fault)
    assert fault.cycle == 3
    desk.now_ns += FAILED_LIMIT_NS
    desk.work()
    assert desk.take(Fault) == []


def test_a_collector_that_is_away_hears_of_the_last_ones(runtime: Runtime, market: Market) -> None:
    """When it is back, in their order."""

    def rule(_shown: View) -> Any:
        raise ValueError("always")

    desk = Desk(runtime, market, rule)
    desk.away = True
    for _ in range(KEEP + 5):
        desk.now_ns += FAILED_LIMIT_NS
        desk.cycle(1)
    desk.away = False
    desk.post.look(desk.now_ns)
    assert [fault.cycle for fault in desk.take(Fault)] == list(range(6, KEEP + 6))


def test_an_audit_tells_both_costs(desk: Desk) -> None:
    """Of the cycle, and of the evaluation of all symbols; nobody is accused."""
    desk.cycle(3)
    [audit] = desk.take(Audit)
    assert (audit.trader, audit.incarnation, audit.cycle) == ("test", 7, 2)
    assert (audit.symbols, audit.pending, audit.processed, audit.wrong, audit.unseen) == (10, 0, 1, 0, 0)
    assert audit.part_ns > 0
    assert audit.full_ns > 0


def test_another_answer_accuses_the_trader(runtime: Runtime, market: Market) -> None:
    """With symbols and cycle."""
    calls = [0]

    def rule(shown: View) -> Any:
        calls[0] += 1
        return np.full(len(shown), float(calls[0]))

    desk = Desk(runtime, market, rule)
    desk.cycle(*range(30))
    [fault] = desk.take(Fault)
    assert (fault.what, fault.cycle, fault.symbols) == ("dependence", 1, [f"S{slot}" for slot in range(20)])
    assert "it depends on more than its symbol" in fault.text
    assert fault.stack.startswith("cycle 1: S0, S1, ")
    assert fault.stack.endswith(", S19 and 10 more")
    desk.cycle(1)
    [fault] = desk.take(Fault)
    assert fault.cycle == 2


def test_a_rule_that_raises_in_an_audit_is_a_dependence(runtime: Runtime, market: Market) -> None:
    """It answered for the same rows before. The trader goes on."""
    calls = [0]

    def rule(shown: View) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise ValueError("twice")
        return shown.last > 0

    desk = Desk(runtime, market, rule)
    desk.cycle(1)
    [fault] = desk.take(Fault)
    assert fault.what == "dependence"
    assert "in an audit: trader 'test': hook `evaluate` raised ValueError: twice" in fault.text
    desk.cycle(2)
    assert desk.take(Fault) == []


def test_switched_off_nothing_is_audited(desk: Desk) -> None:
    """And nothing is looked for between the cycles."""
    desk.post._oversight.wanted = False
    desk.cycle(3)
    for _ in range(30):
        desk.cycle(4, wrong=True)
    assert desk.frames
    assert desk.take(Audit) + desk.take(Fault) == []


@pytest.mark.parametrize(("share", "cycles"), [(100.0, 10), (1.0, 1_000)])
def test_a_wrong_swap_is_caught(runtime: Runtime, market: Market, share: float, cycles: int) -> None:
    """Within a second of cycles at 100 %, and within a thousand at the default share."""
    desk = Desk(runtime, market, _rising, share=share, budget=0.02 if share < 100 else 1.0)
    desk.cycle(*range(10))
    desk.frames.clear()
    for _ in range(cycles):
        desk.cycle(3, wrong=True)
        faults = desk.take(Fault)
        if faults:
            break
    assert [(fault.what, fault.symbols) for fault in faults] == [("audit", ["S3"])]


def test_what_was_never_announced_is_evaluated_all_the_same(desk: Desk) -> None:
    """As soon as it is found, whether the market goes on or not."""
    desk.cycle(3, wrong=True, price=5.0)
    assert desk.post._matches.scores().get("S3") is not None
    while not desk.take(Fault):
        desk.cycle()
    desk.work()
    assert "S3" not in desk.post._matches.scores()


def test_without_a_share_a_lost_flag_stays_unknown(runtime: Runtime, market: Market) -> None:
    """0 is off."""
    desk = Desk(runtime, market, _rising, share=0.0)
    desk.cycle(*range(10))
    for _ in range(50):
        desk.cycle(3, wrong=True)
    assert desk.take(Fault) == []


def test_a_long_random_run_accuses_nobody(runtime: Runtime, market: Market) -> None:
    """With pauses of the feed, pauses of the trader, and symbols that come late."""
    rng = np.random.default_rng(5)
    desk = Desk(runtime, market, _rising)
    for _ in range(400):
        slots = rng.integers(0, 70, rng.integers(0, 8)).tolist()
        match rng.integers(0, 10):
            case 0:  # the feed writes, and stands still before it announces
                market.apply(tick_batch(slots, rng.uniform(5, 15, len(slots)).tolist()), desk.now_ns)
                for _ in range(3):
                    desk.now_ns += 700 * MS
                    desk.work()
            case 1:  # the trader sleeps
                for _ in range(3):
                    desk.now_ns += 200 * MS
                    market.apply(tick_batch(slots, rng.uniform(5, 15, len(slots)).tolist()), desk.now_ns)
                    swap(market, desk.now_ns)
                    market.beat(desk.now_ns)
            case _:
                desk.cycle(*slots, price=float(rng.uniform(5, 15)))
    assert desk.take(Fault) == []


def test_bad_flags_are_told(desk: Desk) -> None:
    """They count as failures of the tracking; the symbols are evaluated all the same."""
    desk.market.segment.arrays.flags[0, :, 3] = 1 << 20
    desk.cycle(3)
    [fault] = desk.take(Fault)
    assert (fault.what, fault.text) == ("flags", "a flag is set beyond the last symbol")


def test_rows_that_stay_locked_are_told(desk: Desk) -> None:
    """Once they stay so for three heartbeats of a feed that lives; of one that does not they say nothing."""
    desk.market.segment.arrays.versions[3] += 1
    desk.market.apply(tick_batch([4], [20.0]), desk.now_ns)
    desk.market.segment.arrays.flags[0, :, 0] |= 1 << 3
    swap(desk.market, desk.now_ns)
    for _ in range(40):
        desk.now_ns += 100 * MS
        desk.work()
    assert desk.take(Fault) == []
    for _ in range(17):
        desk.cycle()
    [fault] = desk.take(Fault)
    assert (fault.what, fault.text) == ("buffer", "rows stay locked though the feed lives")
    desk.market.segment.arrays.versions[3] -= 1
    for _ in range(40):
        desk.cycle()
    assert desk.take(Fault) == []


def test_a_segment_of_another_layout_is_told(runtime: Runtime, market: Market) -> None:
    """It cannot be used, and why."""
    header = market.segment.path.read_bytes()[:256]
    damaged = bytearray(header)
    damaged[8] ^= 0xFF
    with market.segment.path.open("r+b") as file:
        file.write(damaged)
    desk = Desk(runtime, market, _rising)
    desk.work()
    [fault] = desk.take(Fault)
    assert (fault.what, fault.cycle) == ("segment", 0)
    assert layout.LAYOUT_VERSION == 1
