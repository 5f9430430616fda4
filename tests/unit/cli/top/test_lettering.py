"""Numbers, times and signs, in whatever encoding the terminal has."""

import pytest
from rich.cells import cell_len

from tickflag.services.cli.top.lettering import Lettering, lettering

LETTERS = Lettering()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"), (0, "0"), (950, "950"), (12.34, "12.3"), (0.5, "0.500"), (12_345, "12.3 k"),
        (999_999, "1.00 M"), (4_561_000, "4.56 M"), (7.2e9, "7.20 G"), (3e13, "30.0 T"),
        (float("nan"), "\N{EN DASH}"), (-2_500, "-2.50 k"),
    ],
)  # fmt: skip
def test_short_numbers(value: float | None, text: str) -> None:
    """Three digits that count."""
    assert LETTERS.short(value) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "\N{EN DASH}"), (0, "0 ms"), (0.0005, "500 ns"), (0.64, "640 µs"), (12, "12.0 ms"), (3_200, "3.2 s"),
        (250_000, "4 min 10 s"), (7_500_000, "2 h 5 min"), (443_000_000, "5 d 3 h"),
    ],
)  # fmt: skip
def test_durations(ms: float | None, text: str) -> None:
    """As on the dashboard."""
    assert LETTERS.lasting(ms) == text


def test_shares() -> None:
    """One decimal, none of a whole."""
    assert [LETTERS.share(one) for one in (None, 0.0, 0.9412, 1.0)] == ["\N{EN DASH}", "0.0 %", "94.1 %", "100 %"]
    assert LETTERS.whole(12_345.4) == "12,345"
    assert LETTERS.clock(0) == LETTERS.none


@pytest.mark.parametrize("cells", range(9))
@pytest.mark.parametrize("text", ["", "ab", "abcdefgh", "币安人生USDT"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_text_in_so_many_cells(text: str, cells: int, encoding: str) -> None:
    """Exactly so many, wide characters included."""
    letters = lettering(encoding)
    assert cell_len(letters.fitted(letters.text(text), cells)) == cells


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", None])
def test_every_encoding_can_say_it(encoding: str | None) -> None:
    """Signs and somebody's texts; nothing of them controls the terminal."""
    letters = lettering(encoding)
    said = letters.text("币 \x1b[31m\nred\u202e") + letters.entered + letters.none + letters.lasting(0.5)
    said.encode(encoding or "utf-8")
    assert said.isprintable()
