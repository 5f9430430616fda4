"""Quantities as people read them."""

import pytest

from tickflag.common.quantities import byte_size, duration


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (48_200_000, "48.2 MB"), (2e9, "2.0 GB"), (3e15, "3000.0 TB")]
)
def test_byte_size(count: float, text: str) -> None:
    """In powers of 1,000."""
    assert byte_size(count) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(250, "250 ms"), (12_300, "12.3 s"), (240_000, "4 min"), (12_600_000, "3.5 h")]
)
def test_duration(ms: float, text: str) -> None:
    """In the unit that suits it."""
    assert duration(ms) == text
