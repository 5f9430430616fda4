"""`signals`: which of the journal's signals are shown, and how."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Runtime

JOURNAL = [
    {
        "seq": n, "trader": "ab"[n % 2], "symbol": f"S{n}", "event": "entered", "score": n / 4, "time_ms": n,
        "cycle": n, "note": "RSI\n\x1b[2J low" if n == 49 else "",
    }
    for n in range(1, 51)
]  # fmt: skip


@pytest.fixture
def journal(runtime: Runtime, answers: Answers) -> None:
    """A collector with 50 signals of two traders."""

    def signals(since: int, limit: int) -> Any:
        return {"signals": JOURNAL[since : since + limit], "last_seq": 50, "first_seq": 1}

    answers["status"] = {"collector": {"last_seq": 50, "first_seq": 1}}
    answers["traders"] = [trader_line("a"), trader_line("b")]
    answers["signals"] = signals


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), range(31, 51)),
        (("--limit", "3"), range(48, 51)),
        (("--since", "45"), range(46, 51)),
        (("--since", "0", "--limit", "2"), range(1, 3)),
        (("--since", "50"), range(0)),
        (("--trader", "b", "--limit", "2"), (47, 49)),
        (("--trader", "a", "--since", "46"), (48, 50)),
    ],
)
def test_which_signals(journal: None, run: Run, arguments: tuple[str, ...], expected: Any) -> None:
    """The newest 20 by default; else those after a number, a limited number, or those of one trader."""
    result = run("signals", *arguments, "--json")
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [JOURNAL[n - 1] for n in expected]


def test_without_signals_a_line_says_so(journal: None, run: Run, answers: Answers) -> None:
    """On standard error, where it is in nobody's way."""
    told = run("signals", "--since", "50")
    assert (told.stdout, told.stderr) == ("", "tickflag: no signals above 50\n")
    answers["signals"] = {"signals": [], "last_seq": 0, "first_seq": 1}
    answers["status"] = {"collector": {"last_seq": 0, "first_seq": 1}}
    assert run("signals").stderr == "tickflag: no signals yet\n"
    assert run("signals", "--json").stderr == ""


def test_a_line_for_people(journal: None, run: Run) -> None:
    """Time, number, trader, event, symbol, score."""
    line = run("signals", "--limit", "1").stdout.split()
    assert line[1:] == ["50", "a", "entered", "S50", "12.5"]


def test_a_note_ends_the_line(journal: None, run: Run) -> None:
    """The note is a part of the line, whatever is in it."""
    lines = run("signals", "--limit", "2").stdout.splitlines()
    assert lines[0].endswith("  S49              12.25  RSI  [2J low")
    assert lines[1].endswith("  12.5")


def test_limits_are_positive(run: Run) -> None:
    """A limit of zero is wrong usage."""
    assert run("signals", "--limit", "0").exit_code == 2
    assert run("signals", "--since", "-1").exit_code == 2
