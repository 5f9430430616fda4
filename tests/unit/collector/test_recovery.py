"""Both circuits of every trader."""

import json

from common.blocks import RecoveryBlock
from services.collector.circuit import NS_PER_S, Limits
from services.collector.recovery import KIND_OF, Mode, Recovery

LIMITS = Limits.of(RecoveryBlock())  # type: ignore[call-arg] # Field's first argument is the default


def _fail(recovery: Recovery, what: str, count: int, start: int = 0) -> None:
    for cycle in range(start, start + count):
        recovery.failed(cycle * NS_PER_S, "rsi", what, (1, cycle), "boom", cycle * 1_000, "stack")


def test_each_class_has_its_circuit() -> None:
    """Four errors of one and four of the other open neither, and one opens its own only."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 4)
    _fail(recovery, "raise", 4)
    assert recovery.mode(4 * NS_PER_S, "rsi") == Mode()
    _fail(recovery, "audit", 1, start=4)
    assert recovery.mode(5 * NS_PER_S, "rsi") == Mode(process_all=True)
    _fail(recovery, "exit", 1, start=5)
    assert recovery.mode(5 * NS_PER_S, "rsi") == Mode(process_all=True, worker="probing", fresh_starts=1)
    _fail(recovery, "deadline", 1, start=6)
    assert recovery.mode(6 * NS_PER_S, "rsi") == Mode(process_all=True, worker="quarantined", fresh_starts=1)
    assert {name: len(recovery.circuits(name)) // 2 for name in ("rsi", "other")} == {"rsi": 1, "other": 0}


def test_one_cycle_counts_once_in_each_class() -> None:
    """A cycle may fail in both."""
    recovery = Recovery(LIMITS)
    for _ in range(5):
        for what in KIND_OF:
            recovery.failed(0, "rsi", what, (1, 7), "boom", 0)
    assert recovery.mode(0, "rsi") == Mode()


def test_traders_do_not_share_circuits() -> None:
    """One opens, and the other's mode is as ever."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 5)
    assert recovery.mode(5 * NS_PER_S, "macd") == Mode()


def test_clean_cycles_count_for_both() -> None:
    """And it all passes by itself; of a trader that never failed nothing is kept."""
    recovery = Recovery(LIMITS)
    recovery.succeeded(0, "macd")
    assert recovery.circuits("macd") == {}
    _fail(recovery, "gap", 5)
    _fail(recovery, "raise", 5)
    for _ in range(20):
        recovery.succeeded(40 * NS_PER_S, "rsi")
    assert recovery.mode(40 * NS_PER_S, "rsi") == Mode(fresh_starts=1)


def test_release_and_forget() -> None:
    """An operator closes both circuits; a trader that is gone leaves nothing."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 5)
    _fail(recovery, "raise", 6)
    recovery.release(6 * NS_PER_S, "rsi")
    assert recovery.mode(6 * NS_PER_S, "rsi") == Mode(fresh_starts=2)
    recovery.release(0, "macd")
    recovery.forget("rsi")
    assert (recovery.saved(0), recovery.book.faults()) == ({}, [])


def test_due_is_the_earliest() -> None:
    """Of all circuits; None where time alone changes nothing."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 5)
    assert recovery.due_ns() is None
    _fail(recovery, "raise", 5)
    assert recovery.due_ns() == (4 + 60) * NS_PER_S


def test_each_change_of_state_is_told_once() -> None:
    """With the circuit, in order, however late anybody asks."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 5)
    _fail(recovery, "raise", 6)
    told = [(trader, circuit.kind, *step) for trader, circuit, step in recovery.advance(100 * NS_PER_S)]
    assert told == [
        ("rsi", "tracking", "closed", "open"),
        ("rsi", "plugin", "closed", "half-open"),
        ("rsi", "plugin", "half-open", "open"),
        ("rsi", "plugin", "open", "half-open"),
        ("rsi", "plugin", "half-open", "open"),
    ]
    assert recovery.advance(100 * NS_PER_S) == []


def test_it_survives_as_plain_values() -> None:
    """With the ages that everything had."""
    recovery = Recovery(LIMITS)
    _fail(recovery, "gap", 5)
    _fail(recovery, "raise", 6)
    saved = json.loads(json.dumps(recovery.saved(7 * NS_PER_S)))
    again = Recovery(LIMITS)
    again.restore(saved, 1_000 * NS_PER_S)
    assert again.saved(1_000 * NS_PER_S) == saved
    assert again.mode(1_027 * NS_PER_S, "rsi").worker == "quarantined"
    assert again.mode(1_028 * NS_PER_S, "rsi").worker == "probing"
