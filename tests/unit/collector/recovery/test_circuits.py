"""Both circuits of every trader."""

import json

from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.units import NS_PER_S
from tickflag.services.collector.recovery.circuit import Limits
from tickflag.services.collector.recovery.circuits import CIRCUIT_OF, Circuits, Mode

LIMITS = Limits.of(RecoveryBlock())  # type: ignore[call-arg] # Field's first argument is the default


def _fail(circuits: Circuits, what: str, count: int, start: int = 0) -> None:
    for cycle in range(start, start + count):
        circuits.failed(cycle * NS_PER_S, "rsi", what, (1, cycle), "boom", cycle * 1_000, "stack")


def test_each_class_has_its_circuit() -> None:
    """Four errors of each class open neither circuit; a fifth opens that of its class only."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 4)
    _fail(circuits, "raise", 4)
    assert circuits.mode(4 * NS_PER_S, "rsi") == Mode()
    _fail(circuits, "audit", 1, start=4)
    assert circuits.mode(5 * NS_PER_S, "rsi") == Mode(process_all=True)
    _fail(circuits, "exit", 1, start=5)
    assert circuits.mode(5 * NS_PER_S, "rsi") == Mode(process_all=True, worker="probing", fresh_starts=1)
    _fail(circuits, "deadline", 1, start=6)
    assert circuits.mode(6 * NS_PER_S, "rsi") == Mode(process_all=True, worker="quarantined", fresh_starts=1)
    assert {name: len(circuits.pair(name)) // 2 for name in ("rsi", "other")} == {"rsi": 1, "other": 0}


def test_one_cycle_counts_once_in_each_class() -> None:
    """A cycle may fail in both classes."""
    circuits = Circuits(LIMITS)
    for _ in range(5):
        for what in CIRCUIT_OF:
            circuits.failed(0, "rsi", what, (1, 7), "boom", 0)
    assert circuits.mode(0, "rsi") == Mode()


def test_traders_do_not_share_circuits() -> None:
    """One trader's circuit opens, and the other trader's mode stays."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 5)
    assert circuits.mode(5 * NS_PER_S, "macd") == Mode()


def test_clean_cycles_count_for_both() -> None:
    """The circuits close by themselves; of a trader that never failed nothing is kept."""
    circuits = Circuits(LIMITS)
    circuits.succeeded(0, "macd")
    assert circuits.pair("macd") == {}
    _fail(circuits, "gap", 5)
    _fail(circuits, "raise", 5)
    for _ in range(20):
        circuits.succeeded(40 * NS_PER_S, "rsi")
    assert circuits.mode(40 * NS_PER_S, "rsi") == Mode(fresh_starts=1)


def test_release_and_forget() -> None:
    """An operator's release closes both circuits; a trader that is gone leaves nothing."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 5)
    _fail(circuits, "raise", 6)
    circuits.release(6 * NS_PER_S, "rsi")
    assert circuits.mode(6 * NS_PER_S, "rsi") == Mode(fresh_starts=2)
    circuits.release(0, "macd")
    circuits.forget("rsi")
    assert (circuits.saved(0), circuits.book.errors()) == ({}, [])


def test_due_is_the_earliest() -> None:
    """The time is the earliest of all circuits; None where time alone changes nothing."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 5)
    assert circuits.due_ns() is None
    _fail(circuits, "raise", 5)
    assert circuits.due_ns() == (4 + 60) * NS_PER_S


def test_each_change_of_state_is_told_once() -> None:
    """The changes come in order, each with its circuit, however late anybody asks."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 5)
    _fail(circuits, "raise", 6)
    told = [(trader, circuit.kind, *step) for trader, circuit, step in circuits.drain_transitions(100 * NS_PER_S)]
    assert told == [
        ("rsi", "tracking", "closed", "open"),
        ("rsi", "plugin", "closed", "half-open"),
        ("rsi", "plugin", "half-open", "open"),
        ("rsi", "plugin", "open", "half-open"),
        ("rsi", "plugin", "half-open", "open"),
    ]
    assert circuits.drain_transitions(100 * NS_PER_S) == []


def test_it_survives_as_plain_values() -> None:
    """The ages of everything survive too."""
    circuits = Circuits(LIMITS)
    _fail(circuits, "gap", 5)
    _fail(circuits, "raise", 6)
    saved = json.loads(json.dumps(circuits.saved(7 * NS_PER_S)))
    again = Circuits(LIMITS)
    again.restore(saved, 1_000 * NS_PER_S)
    assert again.saved(1_000 * NS_PER_S) == saved
    assert again.mode(1_027 * NS_PER_S, "rsi").worker == "quarantined"
    assert again.mode(1_028 * NS_PER_S, "rsi").worker == "probing"
