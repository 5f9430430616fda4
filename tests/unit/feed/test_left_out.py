"""LeftOut: what the feed's log says of updates that were left out."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.markets.markets import MINUTE, NOON, open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.left_out import QUIET_NS, LeftOut, most
from tickflag.services.feed.market.market import MarketWriter


@pytest.fixture
def market() -> Iterator[MarketWriter]:
    with runtime_folder() as runtime, open_market(runtime, symbols=2) as market:
        market.bound_times(60 * NS_PER_S, 600 * NS_PER_S)
        yield market


def _lines(log: RecordedLog) -> list[dict[str, Any]]:
    return [dict(fields) for _, text, fields in log.lines if text == "updates left out"]


def test_nothing_is_said_of_nothing(market: MarketWriter) -> None:
    log = RecordedLog()
    market.apply(tick_batch([0], [1.0]), 1)
    LeftOut(log).tell(market, 1)  # type: ignore[arg-type] # it records what a logger is told
    assert _lines(log) == []


def test_kinds_and_symbols_are_named_once_a_minute(market: MarketWriter) -> None:
    """A warning has the counts so far, of the kinds that grew, and the symbols with most of them."""
    log = RecordedLog()
    left_out = LeftOut(log)  # type: ignore[arg-type] # it records what a logger is told
    market.apply(tick_batch([0, 1], [1.0, 1.0], NOON + MINUTE, trade_id=5), 1)
    market.apply(tick_batch([1, 1, 0], [1.0] * 3, NOON), 1)
    market.apply(tick_batch([0], [1.0], NOON + MINUTE, trade_id=5), 1)
    left_out.tell(market, 1)
    late = {"late_ticks": 3, "double_trades": 1, "symbols": "S1 2, S0 1, S0 1"}
    assert _lines(log) == [late]
    market.apply(tick_batch([0], [1.0], NOON + 2 * MINUTE, recv_ns=NOON), 1)
    left_out.tell(market, QUIET_NS)
    assert _lines(log) == [late]
    left_out.tell(market, QUIET_NS + 1)
    [_, strays] = _lines(log)
    assert strays == {
        "impossible_times": 1,
        "symbols": "S0 1, the last of S0 at 2023-11-15 12:02:00, received at 2023-11-15 12:00:00",
    }
    left_out.tell(market, 3 * QUIET_NS)
    assert len(_lines(log)) == 2
    assert most(market) == {
        "late_ticks": {"S1": 2, "S0": 1}, "double_trades": {"S0": 1}, "impossible_times": {"S0": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("late_s", "refused"), [(-60, False), (-61, True), (600, False), (601, True)], ids=lambda value: str(value)
)
def test_the_bounds(market: MarketWriter, late_s: int, refused: bool) -> None:
    """A time at the bound is taken, one beyond is refused: the row stays as it was."""
    market.apply(tick_batch([0], [1.0], NOON - late_s * NS_PER_S, recv_ns=NOON), 1)
    assert (market.segment.arrays.versions[0] == 0) == refused
    assert market.segment.counters()["impossible_times"] == refused
    assert (market.stray() is not None) == refused
