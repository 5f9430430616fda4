"""What a worker leaves, what its successor finds, and how the successor goes on from it."""

from pathlib import Path

import msgpack
import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, vectorised
from tests.support.markets.markets import swap, tick_batch
from tickflag.common.segment.segment import Segment
from tickflag.common.wire.messages import Snapshot
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.matches import MatchSet, entry_bytes
from tickflag.services.trader.worker.handover import NOTHING, HandoverState, inherit, leave


def test_it_is_found_once(tmp_path: Path) -> None:
    """The handover is found whole, and is then gone."""
    path = tmp_path / "a.handover"
    state = HandoverState({"A": 1.5}, {"A": "high"}, "v1", 7, {"A": (4, b"before", b"after")}, "[('n', '<i8')]")
    leave(path, state)
    assert inherit(path) == state
    assert list(tmp_path.iterdir()) == []
    assert inherit(path) == NOTHING


@pytest.mark.parametrize("content", [b"", b"\xc1", msgpack.packb(3), msgpack.packb({"matches": {"A": "x"}})])
def test_what_is_damaged_is_nothing(tmp_path: Path, content: bytes) -> None:
    """The successor begins with nothing."""
    path = tmp_path / "a.handover"
    path.write_bytes(content)
    assert inherit(path) == NOTHING


def test_nothing_can_be_left(tmp_path: Path) -> None:
    """A full disk is no fault of the worker that ends."""
    leave(tmp_path / "missing" / "a.handover", HandoverState({"A": 1.0}))


def test_matches_go_on_until_evaluated(market: MarketWriter, segment: Segment) -> None:
    """Matches without data stay, stale; those with data go by the rule; all are in the first snapshot."""
    harness = RunnerHarness(segment, vectorised(PriceRule(above=10.0)))
    matches = MatchSet()
    matches.restore({"S0": 20.0, "S1": 20.0, "S2": 20.0, "GONE": 20.0}, {})
    assert matches.count == 4
    assert matches.entries_bytes == 3 * entry_bytes("S0") + entry_bytes("GONE")
    assert matches.scores() == {"S0": 20.0, "S1": 20.0, "S2": 20.0, "GONE": 20.0}
    harness.matches.restore(matches.scores(), {"S2": "high", "OTHER": "x"})
    assert harness.matches.notes == {"S2": "high"}
    harness.move(segment)
    market.apply(tick_batch((0, 1), (30.0, 5.0)), 1)
    swap(market)
    first = harness.step()
    assert isinstance(first, Snapshot)
    assert first.matches == {"S0": 30.0, "S2": 20.0, "GONE": 20.0}
    assert first.stale == ["GONE", "S2"]
