"""The trader's kernels: they turn a plugin's answer into scores, and compare the scores with the committed match set.

Scores are floats, NaN where a symbol does not match. A symbol that is not trading never matches.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.segment.layout import STATUS_TRADING

SOUND = 0
INFINITE = 1
MISSING = 2  # a match whose score is NaN


@kernel
def scores_of_mask(mask: Any, status: Any, out: Any) -> None:
    """1 where the mask is set."""
    for i in range(len(mask)):
        out[i] = 1.0 if mask[i] and status[i] == STATUS_TRADING else np.nan


@kernel
def scores_of_floats(scores: Any, status: Any, out: Any) -> int:
    """The scores as they are; gives SOUND or INFINITE."""
    fault = SOUND
    for i in range(len(scores)):
        if np.isinf(scores[i]):
            fault = INFINITE
        out[i] = scores[i] if status[i] == STATUS_TRADING else np.nan
    return fault


@kernel
def scores_of_pair(mask: Any, scores: Any, status: Any, out: Any) -> int:
    """The scores where the mask is set; gives SOUND, INFINITE or MISSING."""
    fault = SOUND
    for i in range(len(mask)):
        out[i] = np.nan
        if not mask[i]:
            continue
        if np.isinf(scores[i]):
            fault = INFINITE
        elif scores[i] != scores[i]:
            fault = MISSING
        elif status[i] == STATUS_TRADING:
            out[i] = scores[i]
    return fault


@kernel
def settle(slots: Any, new: Any, scores: Any, entered: Any, left: Any, moved: Any) -> tuple[int, int, int]:
    """Write the `new` scores of `slots` into `scores`. Where a score differs, its position in `slots` goes to one of
    `entered`, `left` and `moved`; gives how many went to each."""
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
        scores[slots[i]] = after
    return e, x, m
