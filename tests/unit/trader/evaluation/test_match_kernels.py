from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickflag.common.segment.layout import STATUS_DELISTED, STATUS_TRADING
from tickflag.services.trader.evaluation import match_kernels as kernels
from tickflag.services.trader.evaluation.match_kernels import INFINITE, MISSING, SOUND

NAN, INF = float("nan"), float("inf")
_scores = st.sampled_from([NAN, 1.0, -2.5, 0.0, INF, -INF])
_finite = st.sampled_from([NAN, NAN, 1.0, 2.0, -0.0])
_rows = st.lists(st.tuples(st.booleans(), _scores, st.sampled_from([STATUS_TRADING, STATUS_DELISTED])), max_size=9)


def _twins(name: str) -> Iterator[object]:
    """The compiled kernel and its plain body."""
    kernel = getattr(kernels, name)
    return iter((kernel, kernel.py_func))


def _same(left: object, right: object) -> bool:
    return np.array_equal(np.array(left, float), np.array(right, float), equal_nan=True)


@settings(deadline=None)
@given(rows=_rows)
def test_answers_become_scores(rows: list[tuple[bool, float, int]]) -> None:
    """From mask, scores or both, a symbol that matches and trades gets its score, every other one NaN; faults are
    reported."""
    mask = np.array([row[0] for row in rows], np.bool_)
    scores = np.array([row[1] for row in rows], np.float64)
    status = np.array([row[2] for row in rows], np.int64)
    trading = status == STATUS_TRADING
    chosen = scores[mask]
    pair_fault = SOUND if np.isfinite(chosen).all() else INFINITE if np.isinf(chosen).all() else None
    for of_mask in _twins("scores_of_mask"):
        out = np.zeros(len(rows))
        of_mask(mask, status, out)  # type: ignore[operator] # a kernel
        assert _same(out, np.where(mask & trading, 1.0, NAN))
    for of_floats in _twins("scores_of_floats"):
        out = np.zeros(len(rows))
        fault = of_floats(scores, status, out)  # type: ignore[operator] # a kernel
        assert fault == (INFINITE if np.isinf(scores).any() else SOUND)
        assert fault == INFINITE or _same(out, np.where(trading, scores, NAN))
    for of_pair in _twins("scores_of_pair"):
        out = np.zeros(len(rows))
        fault = of_pair(mask, scores, status, out)  # type: ignore[operator] # a kernel
        assert fault in ((pair_fault,) if pair_fault is not None else (INFINITE, MISSING))
        assert fault != SOUND or _same(out, np.where(mask & trading, scores, NAN))


@settings(deadline=None)
@given(st.lists(st.tuples(_finite, _finite), max_size=9), st.randoms(use_true_random=False))
def test_a_cycle_is_settled(pairs: list[tuple[float, float]], random: object) -> None:
    """A symbol enters where it had no score, leaves where it has none, moves where both differ; else it is in no list.

    Then the scores are the new ones.
    """
    slots = np.arange(len(pairs), dtype=np.int32) * 2
    random.shuffle(slots)  # type: ignore[attr-defined] # hypothesis gives a Random
    new = np.array([after for _, after in pairs])
    kinds = [(old == old, after == after, old != after) for old, after in pairs]
    expected = [
        [i for i, kind in enumerate(kinds) if kind[:2] == (False, True)],
        [i for i, kind in enumerate(kinds) if kind[:2] == (True, False)],
        [i for i, kind in enumerate(kinds) if kind == (True, True, True)],
    ]
    for settle in _twins("settle"):
        scores = np.full(20, NAN)
        scores[slots] = [old for old, _ in pairs]
        places = [np.zeros(20, np.int64) for _ in range(3)]
        counts = settle(slots, new, scores, *places)  # type: ignore[operator] # a kernel
        assert [place[:n].tolist() for place, n in zip(places, counts, strict=True)] == expected
        assert _same(scores[slots], new)
        assert np.isnan(np.delete(scores, slots)).all()


@pytest.mark.parametrize("place", [0, 3])
def test_a_fault_is_told_wherever_it_is(place: int) -> None:
    """An infinite or missing score is found at the first symbol as well as at the last."""
    status = np.zeros(4, np.int64)
    for value, fault in ((INF, INFINITE), (NAN, MISSING)):
        scores = np.ones(4)
        scores[place] = value
        assert kernels.scores_of_pair(np.ones(4, np.bool_), scores, status, np.zeros(4)) == fault
