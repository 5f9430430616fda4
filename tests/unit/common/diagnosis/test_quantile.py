"""quantile_ns: quantiles out of buckets."""

import pytest

from tickflag.common.diagnosis.quantile import quantile_ns


@pytest.mark.parametrize(
    ("buckets", "share", "found"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([4, 0, 0, 0], 0.5, 5.0),
        ([0, 4, 0, 0], 0.5, 15.0),
        ([1, 2, 1, 0], 0.99, 29.6),
        ([0, 0, 0, 9], 0.5, 30.0),
        ([1, 0, 0, 9], 0.99, 30.0),
    ],
)
def test_a_quantile(buckets: list[float], share: float, found: float | None) -> None:
    """Within a bucket the durations are spread evenly; what is longer than all bounds counts as the last one."""
    value = quantile_ns([10, 20, 30], buckets, share)
    assert value == (None if found is None else pytest.approx(found))
