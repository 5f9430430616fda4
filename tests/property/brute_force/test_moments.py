"""A moment is one turn, wherever a batch, a row group or a file ends. `--against full` cannot see a moment that is
split: both of its sides see the same halves."""

from pathlib import Path
from random import Random

import pytest

from tests.support.markets.beside_brute_force import DEFAULT_PACE, EACH_MOMENT, assert_as_brute_force
from tests.support.markets.generated_rows import BEGIN_S, SECOND, KlineRow, TickRow, table
from tests.support.oracles.brute_force.comparison import difference

SYMBOLS = [f"S{number:03}" for number in range(97)]  # 97 does not divide 65,536
GROUP = 1_000  # nor 1,000


def candles(moments: int) -> list[KlineRow]:
    """Five-minute candles of all symbols at each moment."""
    rng, rows = Random(1), []
    for moment in range(moments):
        for symbol in SYMBOLS:
            price = 100.0 + rng.randrange(1_000) / 100
            open_ms = (BEGIN_S // 300 + moment) * 300_000
            rows.append(KlineRow(open_ms, symbol, "5m", price, price + 1, price - 1, price, 1.0))
    return rows


def ticks(moments: int) -> list[TickRow]:
    """Trades of all symbols at each moment, two of each."""
    rng, rows = Random(2), list[TickRow]()
    for moment in range(moments):
        for symbol in SYMBOLS * 2:
            price = 100.0 + rng.randrange(1_000) / 100
            rows.append(TickRow((BEGIN_S + 20 * moment) * SECOND, symbol, price, 1.0, None, None, None))
    return rows


@pytest.mark.parametrize(
    ("moments", "group", "pace"),
    [pytest.param(680, 65_536, EACH_MOMENT, marks=pytest.mark.soak), (60, GROUP, DEFAULT_PACE)],
)
def test_a_moment_across_the_end_of_a_batch(moments: int, group: int, pace: tuple[int, int], tmp_path: Path) -> None:
    """More rows than a batch holds, and row groups that end within moments: rankings and references see whole ones."""
    import pyarrow.parquet

    path = tmp_path / "candles.parquet"
    pyarrow.parquet.write_table(table(candles(moments)), path, row_group_size=group)
    only = ("every-close", "rank-last", "relative")
    _, brute = assert_as_brute_force([path], tmp_path, pace, ("5m", "1h"), only=only)
    hours = moments * 300 // 3_600 + 1
    # A cycle a moment, and from the second day on at most one an hour, in which an hour leaves the 24 h figures.
    assert moments <= brute.cycles <= moments + (hours if hours > 24 else 0)


def test_a_moment_in_two_files(tmp_path: Path) -> None:
    """Files that each have a part of the symbols, or of the rows."""
    import pyarrow.parquet

    rows = ticks(40)
    halves = [[row for row in rows if (row.symbol < "S050") is first] for first in (True, False)]
    cut = len(rows) // 3 + 31
    for number, parts in enumerate((halves, [rows[:cut], rows[cut:]])):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = [folder / f"{name}.parquet" for name in "ab"]
        for path, part in zip(paths, parts, strict=True):
            pyarrow.parquet.write_table(table(part, ids=False), path, row_group_size=GROUP)
        first, _ = assert_as_brute_force(paths, tmp_path, EACH_MOMENT)
        second, _ = assert_as_brute_force(paths[::-1], tmp_path, EACH_MOMENT)
        assert first.output == second.output


def test_the_comparison_sees_half_a_moment() -> None:
    """The brute force tells a ranking of half the symbols from one of all: a test of the tests."""
    whole = ("rank-last", "A", "entered", 1.0, 5, 1, "")
    assert difference([whole], [whole]) == ""
    assert "signal 0" in difference([(*whole[:3], 0.0, *whole[4:])], [whole])
    assert "signal 1" in difference([whole, whole], [whole])
    assert "signal 0" in difference([("day", "A", "entered", 1.0, 5, 1, "1.0 nan")], [("day", *whole[1:6], "1.0 2.0")])
