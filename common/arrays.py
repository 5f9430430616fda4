"""The types of arrays, named after what they hold."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
"""Prices, scores, indicators; NaN for a missing value."""
Integers: TypeAlias = NDArray[np.int64]
SmallIntegers: TypeAlias = NDArray[np.int32]
"""Counts, buckets, numbers of names in a list."""
Slots: TypeAlias = NDArray[np.int32]
"""Slots: the indexes of symbols in the segment."""
NO_SLOTS: Slots = np.zeros(0, np.int32)
Versions: TypeAlias = NDArray[np.int64]
"""Row versions, or heads of rings."""
NO_VERSIONS: Versions = np.zeros(0, np.int64)
Mask: TypeAlias = NDArray[np.bool_]
ByteMask: TypeAlias = NDArray[np.uint8]
"""A byte each: 1 where something holds, else 0."""
Words: TypeAlias = NDArray[np.uint32]
"""Bits, 32 to a word."""
Records: TypeAlias = NDArray[np.void]
"""Rows of a structured type."""
