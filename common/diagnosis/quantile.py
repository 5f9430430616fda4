"""quantile_ns: a quantile of durations that were counted in buckets."""

from collections.abc import Sequence


def quantile_ns(bounds_ns: Sequence[int], buckets: Sequence[float], share: float) -> float | None:
    """The duration that `share` of all were at most, as if those of a bucket were spread evenly; None without any.

    Durations longer than all bounds count as the last bound.
    """
    total = sum(buckets)
    if total <= 0:
        return None
    wanted, below, lower = share * total, 0.0, 0
    for bound, count in zip(bounds_ns, buckets, strict=False):
        if count and below + count >= wanted:
            return lower + (bound - lower) * (wanted - below) / count
        below += count
        lower = bound
    return float(bounds_ns[-1])
