"""Output: numbers as people read them, JSON as programs read it."""

import json
import math
import sys

import click
import pytest

from tickflag.services.cli import output


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (-2_500, "-2.5 kB"), (48_200_000, "48.2 MB"), (7e15, "7000.0 TB")],
)
def test_amount(count: float, text: str) -> None:
    """Bytes in powers of 1,000."""
    assert output.byte_size(count) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(0.4, "0 ms"), (250, "250 ms"), (12_340, "12.3 s"), (240_000, "4 min"), (12_600_000, "3.5 h")]
)
def test_duration(ms: float, text: str) -> None:
    """The unit depends on the length."""
    assert output.duration(ms) == text


def test_share() -> None:
    """A share is in percent; a dash shows where there is nothing to divide."""
    assert output.share(1, 3) == "33.3 %"
    assert output.share(0, 0) == "-"


def test_number() -> None:
    """A number has six digits; a dash stands for an unknown one."""
    assert output.number(1234.56789) == "1234.57"
    assert output.number(math.nan) == "-"


def test_json_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """A value that JSON cannot express is null, at any depth, so that every parser accepts it."""
    output.show_json_line({"a": [1.5, math.nan, {"b": (math.inf,)}], "c": "NaN"})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [1.5, None, {"b": [None]}],
        "c": "NaN",
    }


def test_no_name_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape codes in a name are shown as such, in tables and in JSON, which says the same."""
    name = "BTC\x1b[2J\x9b1m\u202e"
    output.show_table(("symbol",), [(name,)])
    output.show_json_line({"symbol": name})
    table, document = capsys.readouterr().out.split("\n", 1)[1].splitlines()
    assert table == r"BTC\x1b[2J\x9b1m\u202e"
    assert document.isprintable()
    assert json.loads(document) == {"symbol": name}


def test_a_table_is_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """There are no colours, no wrapping at 80 columns and no blanks at the end; markup in a name is plain text."""
    output.show_table(("symbol", ">score"), [("[bold]X[/bold]", 1), ("Y" * 100, 22)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{'symbol':<100}  score",
        f"{'[bold]X[/bold]':<100}      1",
        f"{'Y' * 100}     22",
    ]


def test_a_title_is_not_broken_within_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the terminal is narrow, values are."""
    monkeypatch.setattr(output, "PIPE_WIDTH", 40)
    output.show_table(("trader", ">restarts", ">bytes saved", "why"), [("a" * 30, 1, "2 %", "b" * 60)])
    assert {"trader", "restarts", "bytes", "saved", "why"} <= set(capsys.readouterr().out.split())


def test_on_a_narrow_terminal_each_row_is_a_block(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number and no title is broken, a long text begins a line, and what is empty is left out; where all fits, it is
    a table."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    columns = ("trader", "state", ">matches", ">cpu", "source", "why")
    rows = [
        ("rsi", "quarantined", "1,234", "12.25 s", "rsi.py", "it failed too often: " + "more words " * 5),
        ("up", "running", "0", "0.01 s", "", ""),
    ]
    output.show_table(columns, rows)
    written = click.unstyle(capsys.readouterr().out)
    assert [line.rstrip() for line in written.splitlines()] == [
        "rsi",
        "  state quarantined   matches 1,234   cpu 12.25 s",
        "  source rsi.py",
        "  why it failed too often: more words more words more words",
        "  more words more words",
        "up",
        "  state running   matches 0   cpu 0.01 s",
    ]
    output.show_table(columns[:3], [row[:3] for row in rows])
    assert click.unstyle(capsys.readouterr().out).splitlines()[0].split() == ["trader", "state", "matches"]
