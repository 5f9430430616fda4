"""Flags and swaps under fire.

Allowed: a reader that is lapped, takes the exact path, sees a newer row than was announced.
Forbidden: a bit lost or set twice, `done` going back or ahead, an announced update unseen at a commit.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np

from tests.support.markets.markets import open_market
from tests.support.processes.processes import Racers
from tests.support.processes.waiting import WITHIN_S, allowed_s
from tests.support.stand_ins.bit_set import BitSet
from tickflag.common.jit import kernel
from tickflag.common.runtime import Runtime
from tickflag.common.segment.bitset import clear_bit, set_bit
from tickflag.common.segment.layout import flag_words


def test_no_change_of_a_bit_takes_another_with_it(runtime: Runtime) -> None:
    """However many processes set the same bit, one of them is told that it did. Processes that set and clear
    neighbouring bits of the same words never undo one another's changes."""
    size, number_of_racers = 200, 3
    path = runtime.folder / "words"
    path.write_bytes(bytes(4 * flag_words(2 * size)))
    with Racers() as racers:
        for number in range(number_of_racers):
            racers.add(
                "tests.support.processes.racers:change_bits",
                path=str(path), size=size, number=number, racers=number_of_racers, rounds=1_000,
            )  # fmt: skip
        results = racers.race()
    assert sum(result["claimed"] for result in results) == size
    assert [result["wrong"] for result in results] == [0] * number_of_racers
    assert BitSet(2 * size, np.fromfile(path, np.uint32)).count() == size + sum(result["left"] for result in results)


@kernel
def _set_all(words: Any, size: int) -> int:
    """How many of the first `size` bits this call was the one to set."""
    claimed = 0
    for bit in range(size):
        claimed += set_bit(words, bit)
    return claimed


@kernel
def _set_and_clear(words: Any, first: int, end: int, step: int, rounds: int) -> int:
    """How often a bit of this thread was not as the thread had left it."""
    wrong = 0
    for _ in range(rounds):
        for bit in range(first, end, step):
            wrong += not set_bit(words, bit)
        for bit in range(first, end, step):
            wrong += not clear_bit(words, bit)
    return wrong


def test_threads_are_as_processes() -> None:
    """Threads of one process, which run kernels at the same time, are told the truth as well."""
    size, number_of_threads, rounds = 200, 3, 20_000
    bits = BitSet(2 * size)
    _set_all(BitSet(1).words, 1)  # compiled or loaded before the start
    _set_and_clear(BitSet(1).words, 0, 1, 1, 1)
    start = Barrier(number_of_threads)

    def change(number: int) -> tuple[int, int]:
        start.wait(allowed_s(WITHIN_S))
        wrong = _set_and_clear(bits.words, size + number, 2 * size, number_of_threads, rounds)
        return _set_all(bits.words, size), wrong

    with ThreadPoolExecutor(number_of_threads) as threads:
        results = list(threads.map(change, range(number_of_threads)))
    assert sum(claimed for claimed, _ in results) == size
    assert [wrong for _, wrong in results] == [0] * number_of_threads
    assert bits.count() == size


def test_nothing_announced_is_lost(runtime: Runtime) -> None:
    """NoLostUpdate, CursorClosed, Conservation.

    At each commit every update announced up to `done` is seen; `done` only grows; in the end every reader has seen the
    last version of every symbol.
    """
    slots, rounds, seed = 70, 8_000, 5
    common = {"slots": slots, "rounds": rounds, "seed": seed}
    with open_market(runtime, capacity=slots, symbols=slots) as market, Racers() as racers:
        path = str(market.segment.path)
        racers.add("tests.support.processes.racers:swap_rounds", segment_path=path, **common)
        for number in range(2):
            racers.add("tests.support.processes.racers:follow_rounds", segment_path=path, number=number, **common)
        versions, *readers = racers.race()
    for reader in readers:
        assert reader["seen"] == versions
        assert reader["done"] == rounds
        assert reader["unconserved"] == 0
    routes = {route: sum(reader["routes"][route] for reader in readers) for route in readers[0]["routes"]}
    assert routes["fast"] > 0
    assert routes["exact"] > 0
    assert routes["all"] > 0
