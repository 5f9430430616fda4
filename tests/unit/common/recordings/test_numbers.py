"""Numbers written in the ways of many countries are read as what they are, or not at all."""

import re
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import cast
from tickflag.common.recordings.numbers import NumberForm

FORMS = [
    NumberForm(),
    NumberForm(","),
    NumberForm(",", "."),
    NumberForm(".", ","),
    NumberForm(",", " "),
    NumberForm(".", "'"),
]


def _read(form: NumberForm, text: str) -> float | None:
    value = cast(form.plain(pa.array([text])), pa.float64()).array[0].as_py()
    assert value is None or isinstance(value, float)
    return value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_every_form_reads_what_it_writes(number: Decimal) -> None:
    """With and without a character between thousands."""
    for form in FORMS:
        for grouped in {"", form.thousands}:
            text = f"{number:,.3f}".replace(",", "_").replace(".", form.decimal).replace("_", grouped)
            assert _read(form, text) == float(number)


@given(st.text("0123456789.,' -+e", max_size=9), st.sampled_from(FORMS))
def test_no_text_is_read_as_another_number(text: str, form: NumberForm) -> None:
    """A text is a number only as its form writes it: beside plain ones, those of whole groups of three digits."""
    grouped = rf"\d{{1,3}}(?:{re.escape(form.thousands)}\d{{3}})+|" if form.thousands else ""
    point = re.escape(form.decimal)
    written = re.fullmatch(rf"([+-]?)({grouped}\d*)((?:{point}\d*)?)((?:[eE][+-]?\d+)?)", text)
    expected = None
    if written is not None and re.search(r"\d", written[2] + written[3]):
        whole = written[2].replace(form.thousands, "") if form.thousands else written[2]
        expected = float(written[1] + whole + written[3].replace(form.decimal, ".") + written[4])
    assert _read(form, text) == expected


def test_forms_that_are_none() -> None:
    """Two meanings of one character, and characters of numbers themselves."""
    with pytest.raises(TickflagError, match="decimal character 'x': use "):
        NumberForm("x")
    for thousands in (",", "5", "a", ". "):
        with pytest.raises(TickflagError, match="character between thousands"):
            NumberForm(",", thousands)
