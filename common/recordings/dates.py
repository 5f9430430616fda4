"""Dates: brings texts of dates and times into ISO 8601. A text that is none of the usual forms stays as it is."""

import re
from typing import Any, Literal, NamedTuple

from tickflag.common.arrays import Mask
from tickflag.common.recordings.casting import arrow

DateOrder = Literal["", "dmy", "mdy"]

_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d[^ A-Y]*)?$"
_YEAR_LAST = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(\D.*)?$"
_REWRITES = (
    (r"^(\d{4})[./](\d{1,2})[./](\d{1,2})(\D.*)?$", r"\1-\2-\3\4"),
    (r"^(\d{4})-(\d)-", r"\1-0\2-"),
    (r"^(\d{4}-\d\d)-(\d)(\D.*)?$", r"\1-0\2\3"),
    (r"^(\d{4})(\d\d)(\d\d)([Tt ]+\d{1,2}:.*)?$", r"\1-\2-\3\4"),
    (r"^(\d{4})(\d\d)(\d\d)[Tt ]*(\d\d)(\d\d)$", r"\1-\2-\3 \4:\5"),
    (r"^(\d{4})(\d\d)(\d\d)[Tt ]*(\d\d)(\d\d)(\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$", r"\1-\2-\3 \4:\5:\6\7\8"),
    (r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})$", r"\1-\2-\3 \4:\5:\6.\7"),
    (r"^(\d{4}-\d\d-\d\d)[Tt ]+(\d)", r"\1 \2"),
    (r"^(\d{4}-\d\d-\d\d) (\d:)", r"\1 0\2"),
    (r" *(UTC|GMT|utc|gmt)$", "Z"),
)
_TIME_OF_DAY = r"^(\d{1,2}:\d\d(:\d\d(\.\d+)?)?|\d{4}|\d{6})$"


class IsoTexts(NamedTuple):
    """Texts in ISO 8601, and which of them have day and month in an order that nobody said."""

    texts: Any
    unordered: Mask


def iso_texts(texts: Any, order: DateOrder) -> IsoTexts:
    """Dates with the year first, with or without separators, and those with the year last where `order` is given."""
    compute = arrow().compute
    year_last = compute.match_substring_regex(texts, _YEAR_LAST).fill_null(False)
    unordered = year_last.to_numpy(zero_copy_only=False)
    if order:
        day, month = (r"\1", r"\2") if order == "dmy" else (r"\2", r"\1")
        texts = compute.replace_substring_regex(texts, _YEAR_LAST, rf"\3-{month}-{day}\4")
        unordered = unordered & False
    if not compute.all(compute.match_substring_regex(texts, _ISO)).as_py():
        for pattern, replacement in _REWRITES:
            texts = compute.replace_substring_regex(texts, pattern, replacement)
    return IsoTexts(texts, unordered)


def is_time_of_day(column: Any) -> bool | None:
    """Whether the first value is a time of day, as 15:35:00 or 153500, so that a date belongs to it; None where there
    is no value."""
    pa = arrow()
    if pa.types.is_time(column.type):
        return True
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return False
    first = _first(column.cast(pa.string()))
    return None if first is None else bool(re.match(_TIME_OF_DAY, first))


def joined(days: Any, times_of_day: Any) -> Any:
    """Texts of day and time. Times of day without colons have all their digits, as many as the first one."""
    pa = arrow()
    compute = pa.compute
    if pa.types.is_timestamp(days.type):
        days = days.cast(pa.date32(), safe=False)
    days, texts = (
        compute.if_else(compute.equal(found, ""), None, found)
        for found in (compute.utf8_trim_whitespace(column.cast(pa.string())) for column in (days, times_of_day))
    )
    digits = len(_first(texts) or "")
    sound = compute.or_(compute.match_substring(texts, ":"), compute.equal(compute.utf8_length(texts), digits))
    for pattern, replacement in ((r"^(\d\d)(\d\d)$", r"\1:\2"), (r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3")):
        texts = compute.replace_substring_regex(texts, pattern, replacement)
    texts = compute.if_else(sound, texts, compute.binary_join_element_wise("time of day", texts, " "))
    return compute.binary_join_element_wise(days, texts, " ")


def _first(texts: Any) -> str | None:
    """The first text that is not blank."""
    compute = arrow().compute
    texts = compute.utf8_trim_whitespace(texts)
    known = texts.filter(compute.not_equal(texts, "").fill_null(False)).slice(0, 1)
    return known[0].as_py() if len(known) else None
