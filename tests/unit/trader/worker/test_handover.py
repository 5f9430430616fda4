"""What a worker leaves and its successor finds, and how the successor goes on from it."""

from pathlib import Path

import msgpack
import pytest

from common.messages import Snapshot
from common.segment import Segment
from services.feed.market import Market
from services.trader.handover import NOTHING, Legacy, inherit, leave
from services.trader.matches import MatchSet, entry_bytes
from tests.support.markets import swap, tick_batch
from tests.support.seats import Rule, Seat, vectorised


def test_it_is_found_once(tmp_path: Path) -> None:
    """Whole, and gone then."""
    path = tmp_path / "a.handover"
    legacy = Legacy({"A": 1.5}, {"A": "high"}, "v1", 7, {"A": (4, b"before", b"after")}, "[('n', '<i8')]")
    leave(path, legacy)
    assert inherit(path) == legacy
    assert list(tmp_path.iterdir()) == []
    assert inherit(path) == NOTHING


@pytest.mark.parametrize("content", [b"", b"\xc1", msgpack.packb(3), msgpack.packb({"matches": {"A": "x"}})])
def test_what_is_damaged_is_nothing(tmp_path: Path, content: bytes) -> None:
    """The successor finds all by itself."""
    path = tmp_path / "a.handover"
    path.write_bytes(content)
    assert inherit(path) == NOTHING


def test_nothing_can_be_left(tmp_path: Path) -> None:
    """No room is no fault of the worker that ends."""
    leave(tmp_path / "missing" / "a.handover", Legacy({"A": 1.0}))


def test_matches_go_on_until_evaluated(market: Market, segment: Segment) -> None:
    """Those without data stay, stale; those with data are judged by the rule; all are in the first snapshot."""
    seat = Seat(segment, vectorised(Rule(above=10.0)))
    matches = MatchSet()
    matches.restore({"S0": 20.0, "S1": 20.0, "S2": 20.0, "GONE": 20.0}, {})
    assert matches.count == 4
    assert matches.entries_bytes == 3 * entry_bytes("S0") + entry_bytes("GONE")
    assert matches.scores() == {"S0": 20.0, "S1": 20.0, "S2": 20.0, "GONE": 20.0}
    seat.matches.restore(matches.scores(), {"S2": "high", "OTHER": "x"})
    assert seat.matches.notes == {"S2": "high"}
    seat.move(segment)
    market.apply(tick_batch((0, 1), (30.0, 5.0)), 1)
    swap(market)
    first = seat.step()
    assert isinstance(first, Snapshot)
    assert first.matches == {"S0": 30.0, "S2": 20.0, "GONE": 20.0}
    assert first.stale == ["GONE", "S2"]
