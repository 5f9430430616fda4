"""Times in every usual form become UTC nanoseconds, exactly."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.dates import is_time_of_day, joined
from tickflag.common.recordings.times import ReadTimes, Times, Unit
from tickflag.common.units import NS_PER_S

NOON = 1_700_049_600 * NS_PER_S
HALF_DAY = 43_200 * NS_PER_S

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
    ("2023-11-15", NOON - HALF_DAY),
    ("20231115", NOON - HALF_DAY),
    ("202311151200", NOON),
    ("20231115120000", NOON),
    ("20231115120000250", NOON + 250_000_000),
    ("20231115 120000", NOON),
    ("20231115T120000Z", NOON),
    ("20231115  12:00:00", NOON),
    ("2023.11.15 12:00", NOON),
    ("2023/11/15", NOON - HALF_DAY),
    ("2023-11-15  12:00:00 UTC", NOON),
    ("2023-11-05T9:30", NOON - 10 * 2 * HALF_DAY - 9_000 * NS_PER_S),
    ("2023-1-5", NOON - 314 * 2 * HALF_DAY - HALF_DAY),
    (20_231_115, NOON - HALF_DAY),
    (20_231_115.0, NOON - HALF_DAY),
    (20_231_115_120_000, NOON),
    (1_700_049_600, NOON),
    (1_700_049_600_123, NOON + 123_000_000),
    (1_700_049_600_123_456, NOON + 123_456_000),
    (1_700_049_600_123_456_789, NOON + 123_456_789),
    (1_700_049_600.25, NOON + 250_000_000),
    (date(2023, 11, 15), NOON - HALF_DAY),
    (datetime(2023, 11, 15, 12), NOON),
    (datetime(2023, 11, 15, 13, tzinfo=ZoneInfo("Europe/Berlin")), NOON),
]


def _reasons(read: ReadTimes) -> list[str]:
    """The first reason against each value; empty where there is none."""
    found = [""] * len(read.values)
    for hit, reason in reversed(read.faults):
        for i in np.flatnonzero(hit).tolist():
            found[i] = reason
    return found


@pytest.mark.parametrize(("value", "expected"), FORMS, ids=[f"{i}-{value}" for i, (value, _) in enumerate(FORMS)])
def test_usual_forms(value: Any, expected: int) -> None:
    """Numbers are read by their size, texts by their form, timestamps as they are; nothing is rounded."""
    read = Times().nanoseconds(pa.array([value, None]))
    assert read.values.tolist() == [expected, 0]
    assert read.missing.tolist() == [False, True]
    assert _reasons(read) == ["", ""]


@given(st.integers(31_536_000 * NS_PER_S, (1 << 63) - 1), st.sampled_from([("s", 9), ("ms", 6), ("us", 3), ("ns", 0)]))
def test_no_digit_is_lost(time_ns: int, form: tuple[Unit, int]) -> None:
    """A text with a fraction of any unit gives the exact nanosecond."""
    unit, digits = form
    whole, fraction = divmod(time_ns, 10**digits)
    text = f"{whole}.{fraction:0{digits}}" if digits else str(whole)
    assert Times(unit, from_year=1971).nanoseconds(pa.array([text])).values.tolist() == [time_ns]


_MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31)).map(lambda found: found.replace(tzinfo=UTC))


@given(st.lists(st.tuples(_MOMENTS, st.sampled_from(["s", "ms", "us", "ns", "iso", "day"])), min_size=1), st.booleans())
def test_units_may_be_mixed(moments: list[tuple[datetime, str]], as_texts: bool) -> None:
    """Each value tells its own form, whatever stands before it; texts and whole numbers alike."""
    values: list[Any] = []
    expected = []
    for moment, form in moments:
        us = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
        if form == "iso" and as_texts:
            values.append(moment.replace(microsecond=0).isoformat())
        elif form in ("iso", "day"):
            values.append(int(moment.strftime("%Y%m%d")))
            us = round(datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()) * 1_000_000
        else:
            values.append({"s": us // 1_000_000, "ms": us // 1000, "us": us, "ns": us * 1000}[form])
        if form == "iso" and as_texts:
            us = round(moment.replace(microsecond=0).timestamp()) * 1_000_000
        expected.append(us * 1000)
    read = Times().nanoseconds(pa.array([str(value) for value in values] if as_texts else values))
    assert read.values.tolist() == expected
    assert not any(_reasons(read))


def test_times_without_a_zone_are_in_the_one_given() -> None:
    """The zone counts for texts and timestamps; an offset counts more."""
    berlin = Times("iso", "Europe/Berlin")
    texts = pa.array(["2023-11-15 13:00", "2023-11-15 12:00Z"])
    assert berlin.nanoseconds(texts).values.tolist() == [NOON, NOON]
    stamps = pa.array([datetime(2023, 11, 15, 13)], pa.timestamp("ms"))
    assert berlin.nanoseconds(stamps).values.tolist() == [NOON]


def test_where_clocks_are_set() -> None:
    """A local time that comes twice or never is refused; with its offset it is read."""
    texts = ["2023-10-29 01:59:59", "2023-10-29 02:30", "2023-10-29 02:30+01:00", "2023-10-29 03:00",
             "2024-03-31 02:00", "2024-03-31 03:00", "2024-03-31 01:59:59.999999999"]  # fmt: skip
    read = Times(timezone="Europe/Berlin").nanoseconds(pa.array(texts))
    reasons = _reasons(read)
    assert [bool(reason) for reason in reasons] == [False, True, False, False, True, False, False]
    assert reasons[1].startswith("comes twice in Europe/Berlin")
    assert reasons[4] == "does not exist in Europe/Berlin: clocks are set forward over it"
    for text, value, reason in zip(texts, read.values.tolist(), reasons, strict=True):
        if not reason:
            moment = datetime.fromisoformat(text[:25])
            moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("Europe/Berlin"))
            assert value // NS_PER_S == int(moment.timestamp())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["1700049600", "soon", "1700049601", ""], "is no time"),
        (["2023-11-15", "2023-13-15", "2023-11-16", " "], "is no time"),
        (["2023-11-15", "03/04/2024", "2023-11-16", " "], "has day and month in either order: give `--date-order`"),
        (["2023-11-15", "31.12.2024 10:00", "2023-11-16", " "], "has day and month in either order"),
        (["1700049600", "1e40", "1700049601", None], "has lost digits"),
        (["1700049600", "1.70005E+12", "1700049601", None], "has lost digits"),
        (["1700049600", "45355.5", "1700049601", None], "may be a date of Excel: give `--time-unit excel`"),
        (["1700049600", "5", "1700049601", None], "is no time from 1990 to 2199 in s, ms, us or ns"),
        (["1700049600", "-1700049600", "1700049601", None], "is no time from 1990 to 2199"),
        (["2023-11-15", "1989-12-31", "2023-11-16", None], "is before 1990: say the unit"),
        (["2023-11-15", "19891231", "2023-11-16", None], "is before 1990: say the unit"),
        ([1.7e9, float("inf"), 1.7e9, None], "is no time from 1990"),
        ([1_700_049_600, 1 << 62, 1_700_049_600, None], ""),
        ([1_700_049_600, 1 << 61, 1_700_049_600, None], ""),
        ([1_700_049_600, 17_000_496_000, 1_700_049_600, None], "is no time from 1990"),
        ([True, True, True, None], "is no time"),
    ],
)
def test_what_is_no_time_fails_alone(values: list[Any], reason: str) -> None:
    """The other values are read; an empty value is missing and does not fail."""
    read = Times().nanoseconds(pa.array(values))
    reasons = _reasons(read)
    assert reason in reasons[1]
    others = [0, 2] if values[0] is not True else []
    assert [reasons[i] for i in (*others, 3)] == [""] * (len(others) + 1)
    assert read.missing[3]
    assert all(read.values[i] > 0 for i in others)


def test_a_unit_that_is_given_is_that_of_all() -> None:
    """What is no time in it is refused, whatever it is in others; years may be allowed."""
    read = Times("ms").nanoseconds(pa.array(["1700049600000", "1700049600000000", "2023-11-15", "1700049600"]))
    assert [bool(reason) for reason in _reasons(read)] == [False, True, True, True]
    assert _reasons(read)[3].startswith("is before 1990")
    read = Times("ms", from_year=1971).nanoseconds(pa.array([1_700_049_600_000, 40_000_000_000]))
    assert read.values.tolist() == [NOON, 40_000_000 * NS_PER_S]
    assert (
        Times(from_year=1980).nanoseconds(pa.array(["1985-01-01", "473385600"])).values.tolist()
        == [473_385_600 * NS_PER_S] * 2
    )
    assert Times("iso").nanoseconds(pa.array([1_700_049_600])).values.tolist() == [NOON]
    assert any(_reasons(Times("iso").nanoseconds(pa.array(["1700049600"]))))
    assert Times("s").nanoseconds(pa.array([1.5e9, 1e300])).values.tolist() == [1_500_000_000 * NS_PER_S, 0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("45355.5", 43_200.0),
        ("45355.500694", 43_260.0),
        ("45355.501389", 43_320.0),
        ("45355", 0.0),
        ("45355.50000289352", 43_200.25),
        (45_355.5, 43_200.0),
        (45_355.500_694_444_44, 43_260.0),
        (45_355.500_002_893_52, 43_200.25),
        (45_355, 0.0),
    ],
)
def test_dates_of_excel(value: Any, seconds: float) -> None:
    """Days since 1899-12-30, in the time zone. What the digits leave open is a whole second."""
    day_ns = 1_709_510_400 * NS_PER_S  # 2024-03-04
    expected = day_ns + round(seconds * NS_PER_S)
    assert Times("excel").nanoseconds(pa.array([value, None])).values.tolist() == [expected, 0]
    berlin = Times("excel", "Europe/Berlin").nanoseconds(pa.array([value]))
    assert berlin.values.tolist() == [expected - 3_600 * NS_PER_S]


@pytest.mark.parametrize("value", ["7", "1700049600", "soon", 7, 1_700_049_600])
def test_what_is_no_date_of_excel(value: Any) -> None:
    """Days before 1954 and after 2201 are none."""
    assert _reasons(Times("excel").nanoseconds(pa.array([value]))) == ["is no time"]


@pytest.mark.parametrize(
    ("order", "day"), [("dmy", datetime(2024, 4, 3, tzinfo=UTC)), ("mdy", datetime(2024, 3, 4, tzinfo=UTC))]
)
def test_dates_with_the_year_last(order: Any, day: datetime) -> None:
    """The order of day and month is the one given."""
    texts = ["03/04/2024", "3.4.2024 00:00:30", "03-04-2024T00:01", "2024-04-30"]
    read = Times(date_order=order).nanoseconds(pa.array(texts))
    assert [value // NS_PER_S - int(day.timestamp()) for value in read.values.tolist()[:3]] == [0, 30, 60]
    assert not any(_reasons(read))


def _joined(days: Any, times: Any) -> list[int]:
    return [value // NS_PER_S for value in Times().nanoseconds(joined(days, times)).values.tolist()]


def test_days_and_times_in_two_columns() -> None:
    """Times of day with or without colons, of any type."""
    days = pa.array(["20240304", " 2024.03.05", None])
    start = 1_709_510_400
    for times in (["153500", "000001", "1"], ["15:35:00", "0:00:01", "1:00"], [" 15:35", "00:00:01.0", ""]):
        assert _joined(days, pa.array(times)) == [start + 56_100, start + 86_401, 0]
    assert _joined(days, pa.array(["1535", "0001", "000100"])) == [start + 56_100, start + 86_460, 0]
    assert _joined(days, pa.array(["153500", "1535", "x"])) == [start + 56_100, 0, 0]
    assert _joined(pa.array([date(2024, 3, 4)]), pa.array([time(15, 35)])) == [start + 56_100]
    assert _joined(pa.array([datetime(2024, 3, 4)]), pa.array([153_500])) == [start + 56_100]
    assert _joined(days, pa.array(["", "153500", "153500"])) == [0, start + 86_400 + 56_100, 0]
    assert _joined(days, pa.nulls(3, pa.string())) == [0, 0, 0]


def test_what_a_time_of_day_is() -> None:
    """The first value tells."""
    for found in (["", None, "15:35"], ["153500"], ["1535"], [153_500], [time(15)]):
        assert is_time_of_day(pa.array(found))
    for none in (["2024-03-04 15:35"], ["1709510400"], [1_709_510_400], [1.5], ["93000"]):
        assert is_time_of_day(pa.array(none)) is False
    for unknown in ([None], ["", " "]):
        assert is_time_of_day(pa.array(unknown, pa.string())) is None


def test_a_stamp_beyond_nanoseconds_fails() -> None:
    """The year 3000 does not fit into 64 bits of nanoseconds."""
    for zone in (None, "UTC"):
        read = Times().nanoseconds(pa.array([datetime(3000, 1, 1)], pa.timestamp("us", zone)))
        assert _reasons(read) == ["is no time"]


def test_units_and_zones_that_are_none() -> None:
    """The error names what would do."""
    with pytest.raises(TickflagError, match="time unit 'h': use one of auto, ns, us, ms, s, iso, excel"):
        Times("h")  # type: ignore[arg-type] # what a user may give
    with pytest.raises(TickflagError, match="order of dates 'ymd': use dmy or mdy"):
        Times(date_order="ymd")  # type: ignore[arg-type] # what a user may give
    with pytest.raises(TickflagError, match="first year 1970: use 1971 or a later one"):
        Times(from_year=1970)
    for zone in ("Mars/Base", "", "../etc/passwd"):
        with pytest.raises(TickflagError, match="no time zone"):
            Times(timezone=zone)
