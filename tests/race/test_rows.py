"""Rows under fire: one process writes them without a pause, others copy them.

Allowed: a copy of any round, a row that could not be read (it is counted).
Forbidden: a copy with fields or candles of two rounds, a copy older than the one before.
"""

from tests.support.markets.markets import open_market
from tests.support.processes.processes import Racers
from tickflag.common.runtime import Runtime

SLOTS = 3
ROUNDS = 60_000


def test_no_copy_is_torn(runtime: Runtime) -> None:
    """NoTornRead: a row, its forming candle and its ring always come from one update, in a chunk and in a mirror."""
    with open_market(runtime, capacity=SLOTS, depth=8, symbols=SLOTS) as market, Racers() as racers:
        path = str(market.segment.path)
        racers.add("tests.support.processes.racers:repeat_values", segment_path=path, slots=SLOTS, rounds=ROUNDS)
        for candles in (False, True):
            racers.add("tests.support.processes.racers:copy_values", segment_path=path, slots=SLOTS, candles=candles)
        written, *readers = racers.race()
    assert written == ROUNDS
    for reader in readers:
        assert reader["last"] == ROUNDS
        assert reader["moved"] > SLOTS  # the reader saw the writer at work
