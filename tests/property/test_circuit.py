"""BreakerIsAFunctionOfTheErrorTimeline: a circuit equals a model that is told the whole timeline at once."""

import json
from typing import get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.oracles.circuit_model import CircuitInput, CircuitPicture, picture
from tickflag.services.collector.recovery.circuit import Circuit, Kind, Limits

ticks = st.integers(1, 8)
limits = st.builds(
    Limits,
    errors=st.integers(1, 4),
    window_ns=ticks,
    clean_cycles=st.integers(1, 4),
    least_ns=ticks,
    backoff_ns=ticks,
    backoff_limit_ns=st.integers(1, 20),
    probe_ns=ticks,
    calm_ns=ticks,
)
kinds = st.sampled_from(get_args(Kind))
words = st.sampled_from(["ok", "fail", "fail", "fail", "release"])


@st.composite
def timelines(draw: st.DrawFn) -> list[CircuitInput]:
    tick, timeline = 0, []
    for gap, word, cycle in draw(st.lists(st.tuples(st.integers(0, 9), words, st.integers(0, 9)), max_size=40)):
        tick += gap
        timeline.append(CircuitInput(tick, word, cycle))
    return timeline


def _tell(circuit: Circuit, given: CircuitInput, shift: int = 0) -> None:
    if given.word == "fail":
        circuit.failed(given.tick + shift, (1, given.cycle))
    elif given.word == "ok":
        circuit.succeeded(given.tick + shift)
    else:
        circuit.release(given.tick + shift)


def _seen(circuit: Circuit) -> CircuitPicture:
    return CircuitPicture(circuit.state, circuit.level, circuit.opened, circuit.fresh_starts)


@settings(deadline=None, max_examples=300)
@example(
    "tracking",
    Limits(1, 1, 1, 1, 1, 1, 1, 1),
    [CircuitInput(0, "fail", 0), CircuitInput(0, "ok", 0)],
    2,
    [False, False],
)
@given(kinds, limits, timelines(), st.integers(0, 60), st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_circuit_is_a_function_of_its_timeline(
    kind: Kind, limits: Limits, timeline: list[CircuitInput], after: int, looks: list[bool]
) -> None:
    """At any time after the last input circuit and model agree, whoever asked in between and how often."""
    circuit = Circuit(kind, limits, 0)
    for given_, look in zip(timeline, looks, strict=False):
        if look:
            circuit.advance(given_.tick)
        _tell(circuit, given_)
    end = (timeline[-1].tick if timeline else 0) + after
    circuit.advance(end)
    assert _seen(circuit) == picture(kind, limits, timeline, end)


@settings(deadline=None, max_examples=200)
@given(kinds, limits, timelines(), st.integers(0, 40), st.integers(0, 9), st.integers(-1_000, 1_000))
def test_a_restored_circuit_has_the_same_future(
    kind: Kind, limits: Limits, timeline: list[CircuitInput], cut: int, late: int, shift: int
) -> None:
    """A circuit saved as JSON after any input, and restored under another clock, goes on as if nothing had happened."""
    circuit = Circuit(kind, limits, 0)
    for given_ in timeline[:cut]:
        _tell(circuit, given_)
    now = timeline[:cut][-1].tick if timeline[:cut] else 0
    now += late
    other = Circuit.from_dict(kind, limits, json.loads(json.dumps(circuit.to_dict(now))), now + shift)
    assert other.to_dict(now + shift) == circuit.to_dict(now)
    for given_ in timeline[cut:]:
        _tell(circuit, given_)
        _tell(other, given_, shift)
        assert _seen(other) == _seen(circuit)
    due = circuit.due_ns()
    assert other.due_ns() == (None if due is None else due + shift)


@settings(deadline=None, max_examples=200)
@given(kinds, limits, timelines())
def test_nothing_happens_before_it_is_due(kind: Kind, limits: Limits, timeline: list[CircuitInput]) -> None:
    """Just before `due_ns` nothing has moved; at `due_ns` something does."""
    circuit = Circuit(kind, limits, 0)
    for given_ in timeline:
        _tell(circuit, given_)
    for _ in range(5):
        due = circuit.due_ns()
        if due is None:
            return
        before = (circuit.state, circuit.level)
        circuit.advance(due - 1)
        assert (circuit.state, circuit.level) == before
        circuit.advance(due)
        assert (circuit.state, circuit.level) != before
