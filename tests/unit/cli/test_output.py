"""Output: numbers as people read them, JSON as programs do."""

import json
import math

import pytest

from services.cli import output


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (-2_500, "-2.5 kB"), (48_200_000, "48.2 MB"), (7e15, "7000.0 TB")],
)
def test_amount(count: float, text: str) -> None:
    """Bytes in powers of 1,000."""
    assert output.amount(count) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(0.4, "0 ms"), (250, "250 ms"), (12_340, "12.3 s"), (240_000, "4 min"), (12_600_000, "3.5 h")]
)
def test_duration(ms: float, text: str) -> None:
    """The unit follows the length."""
    assert output.duration(ms) == text


def test_share() -> None:
    """Percent; a dash where there is nothing to divide."""
    assert output.share(1, 3) == "33.3 %"
    assert output.share(0, 0) == "-"


def test_number() -> None:
    """Six digits; a dash for what is not known."""
    assert output.number(1234.56789) == "1234.57"
    assert output.number(math.nan) == "-"


def test_json_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON cannot say is null, at any depth, so that every parser takes it."""
    output.show_json_line({"a": [1.5, math.nan, {"b": (math.inf,)}], "c": "NaN"})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [1.5, None, {"b": [None]}],
        "c": "NaN",
    }


def test_a_table_is_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """No colours, no wrapping at 80 columns, no blanks at the end, and markup in a name is just text."""
    output.show_table(("symbol", ">score"), [("[bold]X[/bold]", 1), ("Y" * 100, 22)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{'symbol':<100}  score",
        f"{'[bold]X[/bold]':<100}      1",
        f"{'Y' * 100}     22",
    ]
