"""Times of every usual form become UTC nanoseconds, exactly."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import TickflagError
from common.recordings.times import Times, Unit

NS = 1_000_000_000
NOON = 1_700_049_600 * NS

FORMS: list[tuple[Any, int]] = [
    ("1700049600", NOON),
    ("1700049600.123456789", NOON + 123_456_789),
    ("1700049600123", NOON + 123_000_000),
    ("1700049600123.5", NOON + 123_500_000),
    ("1700049600123456", NOON + 123_456_000),
    (" 1700049600123456789 ", NOON + 123_456_789),
    ("2023-11-15T12:00:00Z", NOON),
    ("2023-11-15 12:00:00.000000001", NOON + 1),
    ("2023-11-15T14:00+02:00", NOON),
    ("2023-11-15 14:00:00+0200", NOON),
    ("2023-11-15", NOON - 12 * 3600 * NS),
    (1_700_049_600, NOON),
    (1_700_049_600_123, NOON + 123_000_000),
    (1_700_049_600_123_456, NOON + 123_456_000),
    (1_700_049_600_123_456_789, NOON + 123_456_789),
    (1_700_049_600.25, NOON + 250_000_000),
    (date(2023, 11, 15), NOON - 12 * 3600 * NS),
    (datetime(2023, 11, 15, 12), NOON),
    (datetime(2023, 11, 15, 13, tzinfo=ZoneInfo("Europe/Berlin")), NOON),
]


@pytest.mark.parametrize(("value", "expected"), FORMS, ids=[str(value) for value, _ in FORMS])
def test_usual_forms(value: Any, expected: int) -> None:
    """Numbers by their size, texts by what they look like, timestamps as they are; none of it rounded."""
    read = Times().nanoseconds(pa.array([value, None]))
    assert read.values.tolist() == [expected, 0]
    assert read.missing.tolist() == [False, True]
    assert read.failed.tolist() == [False, False]


@given(st.integers(1, (1 << 63) - 1), st.sampled_from([("s", 9), ("ms", 6), ("us", 3), ("ns", 0)]))
def test_no_digit_is_lost(time_ns: int, form: tuple[Unit, int]) -> None:
    """A text of any unit with its fraction gives the very nanosecond."""
    unit, digits = form
    whole, fraction = divmod(time_ns, 10**digits)
    text = f"{whole}.{fraction:0{digits}}" if digits else str(whole)
    assert Times(unit).nanoseconds(pa.array([text])).values.tolist() == [time_ns]


def test_times_without_a_zone_are_in_the_one_given() -> None:
    """Texts and timestamps alike; an offset that is there wins. The hour that comes twice is the first one."""
    berlin = Times("iso", "Europe/Berlin")
    texts = pa.array(["2023-11-15 13:00", "2023-11-15 12:00Z", "2023-10-29 02:30"])
    autumn = int(datetime(2023, 10, 29, 0, 30, tzinfo=UTC).timestamp()) * NS
    assert berlin.nanoseconds(texts).values.tolist() == [NOON, NOON, autumn]
    stamps = pa.array([datetime(2023, 11, 15, 13)], pa.timestamp("ms"))
    assert berlin.nanoseconds(stamps).values.tolist() == [NOON]


@pytest.mark.parametrize(
    "values",
    [
        ["1700049600", "soon", "1700049601", ""],
        ["2023-11-15", "2023-13-15", "2023-11-16", " "],
        ["1700049600", "1e40", "1700049601", None],
        [1.7e9, float("inf"), 1.7e9, None],
        [1_700_049_600, 1 << 62, 1_700_049_600, None],
    ],
)
def test_what_is_no_time_fails_alone(values: list[Any]) -> None:
    """The others are read; what is empty is missing and has not failed."""
    read = Times().nanoseconds(pa.array(values))
    assert read.failed.tolist() == [False, True, False, False]
    assert read.missing[3]
    assert [value > 0 for value in read.values.tolist()] == [True, False, True, False]


def test_the_first_number_tells_the_unit_of_all() -> None:
    """Also of later batches: a time of another unit is far away, and not taken for a near one."""
    times = Times()
    assert times.nanoseconds(pa.array([None], pa.string())).values.tolist() == [0]
    assert times.nanoseconds(pa.array(["", "1700049600000"])).values.tolist() == [0, NOON]
    assert times.nanoseconds(pa.array(["1700049600"])).values.tolist() == [NOON // 1000]
    numbers = Times()
    assert numbers.nanoseconds(pa.array([], pa.int64())).values.tolist() == []
    assert numbers.nanoseconds(pa.array([1_700_049_600_000])).values.tolist() == [NOON]
    assert numbers.nanoseconds(pa.array([1_700_049_600])).values.tolist() == [NOON // 1000]


def test_a_stamp_beyond_nanoseconds_fails() -> None:
    """The year 3000 does not fit into 64 bits of nanoseconds."""
    read = Times().nanoseconds(pa.array([datetime(3000, 1, 1)], pa.timestamp("us")))
    assert read.missing.tolist() == [True]


def test_units_and_zones_that_are_none() -> None:
    """Both are named with what would do."""
    with pytest.raises(TickflagError, match="time unit 'h': use one of auto, ns, us, ms, s, iso"):
        Times("h")  # type: ignore[arg-type] # what a user may give
    for zone in ("Mars/Base", "", "../etc/passwd"):
        with pytest.raises(TickflagError, match="no time zone"):
            Times(timezone=zone)
