"""Times as people write them."""

import pytest

from tickflag.services.replay.period import parse_utc, utc


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01", 0),
        ("2024-03-04", 1_709_510_400 * 10**9),
        ("2024-03-04T14:30:15.25", 1_709_562_615_250 * 10**6),
        ("2024-03-04 14:30", 1_709_562_600 * 10**9),
        ("2024-03-04T16:30+02:00", 1_709_562_600 * 10**9),
        ("2024-03-04T14:30:00Z", 1_709_562_600 * 10**9),
        ("2024-03-04T14:30:00.000001", 1_709_562_600 * 10**9 + 1_000),
    ],
)
def test_times(text: str, ns: int) -> None:
    """A time without an offset is UTC; times are exact to the microsecond."""
    assert parse_utc(text) == ns


@pytest.mark.parametrize("text", ["", "now", "2024", "2024-02-30", "1969-12-31T23:59", "9999-01-01", "1709510400000"])
def test_what_is_no_time(text: str) -> None:
    """Refused are a text that is no time, a time before 1970, and one beyond what recordings can hold."""
    with pytest.raises(ValueError, match=r"isoformat|range|offset|must be|month|day"):
        parse_utc(text)


def test_times_for_people() -> None:
    """Times are shown to the millisecond, rounded down."""
    assert utc(1_709_562_615_250_999_999) == "2024-03-04 14:30:15.250"
