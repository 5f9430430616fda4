"""The trader's kernel: what changed between the committed match set and new scores."""

from typing import Any

from common.jit import kernel


@kernel
def difference(slots: Any, new: Any, scores: Any, entered: Any, left: Any, moved: Any) -> tuple[int, int, int]:
    """Sort the places of `slots` whose score (NaN: no match) differs from `scores` into the three outputs."""
    e, x, m = 0, 0, 0
    for i in range(len(slots)):
        before = scores[slots[i]]
        after = new[i]
        if after == after:
            if before != before:
                entered[e] = i
                e += 1
            elif before != after:
                moved[m] = i
                m += 1
        elif before == before:
            left[x] = i
            x += 1
    return e, x, m
