"""Flags and swaps under fire.

Allowed: a reader that is lapped, takes the exact path, sees a newer row than was announced.
Forbidden: a bit lost or set twice, `done` going back or ahead, an announced update unseen at a commit.
"""

import numpy as np
import pytest

from common.bitset import BitSet
from common.layout import flag_words
from common.runtime import Runtime
from tests.support.markets import open_market
from tests.support.processes import Racers

SIZE = 200
RACERS = 3


@pytest.fixture
def words(runtime: Runtime) -> str:
    """A file with the words of SIZE bits, all clear."""
    path = runtime.folder / "words"
    path.write_bytes(bytes(4 * flag_words(SIZE)))
    return str(path)


def _count(path: str) -> int:
    return BitSet(SIZE, np.fromfile(path, np.uint32)).count()


def test_no_change_of_a_bit_takes_another_with_it(words: str) -> None:
    """Processes that set and clear neighbouring bits of the same words never undo one another's changes."""
    with Racers() as racers:
        for number in range(RACERS):
            racers.add(
                "tests.support.racers:toggle_bits", path=words, size=SIZE, number=number, racers=RACERS, rounds=1_000
            )
        results = racers.race()
    assert [result["wrong"] for result in results] == [0] * RACERS
    assert _count(words) == sum(result["set"] for result in results)


def test_of_several_setters_one_is_told_so(words: str) -> None:
    """However many processes set the same bit, exactly one of them changed it."""
    with Racers() as racers:
        for _ in range(RACERS):
            racers.add("tests.support.racers:claim_bits", path=words, size=SIZE)
        assert sum(racers.race()) == SIZE == _count(words)


def test_nothing_announced_is_lost(runtime: Runtime) -> None:
    """NoLostUpdate, CursorClosed, Conservation: at each commit every update announced up to `done` is seen, `done`
    only grows, and in the end every reader has seen the last version of every symbol."""
    slots, rounds, seed = 70, 8_000, 5
    common = {"slots": slots, "rounds": rounds, "seed": seed}
    with open_market(runtime, capacity=slots, symbols=slots) as market, Racers() as racers:
        path = str(market.segment.path)
        racers.add("tests.support.racers:swap_rounds", segment_path=path, **common)
        for number in range(2):
            racers.add("tests.support.racers:follow_rounds", segment_path=path, number=number, **common)
        versions, *readers = racers.race()
    for reader in readers:
        assert reader["seen"] == versions
        assert reader["done"] == rounds
        assert reader["unconserved"] == 0
    routes = {route: sum(reader["routes"][route] for reader in readers) for route in readers[0]["routes"]}
    assert routes["fast"] > 0
    assert routes["exact"] > 0
    assert routes["all"] > 0
