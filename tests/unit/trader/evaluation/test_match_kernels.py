from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.layout import STATUS_DELISTED, STATUS_TRADING
from services.trader import kernels
from services.trader.kernels import INFINITE, MISSING, SOUND

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
    """Mask, scores and pair: what matches and trades has its score, everything else NaN; faults are told."""
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
    """A symbol enters where it had no score, leaves where it has none, moved where both differ; else it is nowhere.

    The scores are then the new ones, and the rows are seen at their versions, the first time or again.
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
    rows, versions = np.array([4, 1, 7], np.int32), np.array([6, 2, 8])
    for settle in _twins("settle"):
        scores, seen = np.full(20, NAN), np.zeros(20, np.int64)
        scores[slots], seen[4] = [old for old, _ in pairs], 2
        places = [np.zeros(20, np.int64) for _ in range(3)]
        *counts, fresh = settle(slots, new, scores, *places, rows, versions, seen)  # type: ignore[operator] # a kernel
        assert [place[:n].tolist() for place, n in zip(places, counts, strict=True)] == expected
        assert _same(scores[slots], new)
        assert np.isnan(np.delete(scores, slots)).all()
        assert (fresh, seen[rows].tolist(), int((seen != 0).sum())) == (2, versions.tolist(), 3)


@pytest.mark.parametrize("place", [0, 3])
def test_a_fault_is_told_wherever_it_is(place: int) -> None:
    """The first symbol's infinite score or missing one is found as well as the last one's."""
    status = np.zeros(4, np.int64)
    for value, fault in ((INF, INFINITE), (NAN, MISSING)):
        scores = np.ones(4)
        scores[place] = value
        assert kernels.scores_of_pair(np.ones(4, np.bool_), scores, status, np.zeros(4)) == fault
