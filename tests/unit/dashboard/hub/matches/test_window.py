"""The window of a table: the same rows as a plain sort gives."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tickflag.services.dashboard.hub.matches.window import Range, SortKey, filtered, ordered

NUMBERS = st.one_of(st.just(math.nan), st.integers(-3, 3).map(float))
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 5)), max_size=40)


@given(ROWS, st.booleans(), st.booleans(), st.integers(0, 2))
def test_rows_are_in_the_order_of_a_plain_sort(
    rows: list[tuple[float, float, int]], first_down: bool, second_down: bool, keys: int
) -> None:
    """By each key in its direction, what is not known last; then by the tie-breakers, so that the order is one."""
    columns = [np.array([row[place] for row in rows], np.float64) for place in range(2)]
    ties = (np.array([row[2] for row in rows], np.int64), np.arange(len(rows)))
    directions = (first_down, second_down)[:keys]

    def plain(row: int) -> tuple[tuple[bool, float], ...]:
        values = [float(column[row]) for column, _ in zip(columns, directions, strict=False)]
        parts = [
            (math.isnan(value), 0.0 if math.isnan(value) else -value if down else value)
            for value, down in zip(values, directions, strict=True)
        ]
        return (*parts, (False, float(rows[row][2])), (False, float(row)))

    sort = [SortKey(column, down) for column, down in zip(columns, directions, strict=False)]
    assert ordered(np.arange(len(rows)), sort, ties).tolist() == sorted(range(len(rows)), key=plain)


@given(ROWS, st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3))
def test_rows_of_a_range(rows: list[tuple[float, float, int]], least: int | None, most: int | None) -> None:
    """A row counts if the mask has it and its value is known and within the limits."""
    values = np.array([row[0] for row in rows], np.float64)
    mask = np.array([row[2] > 1 for row in rows], np.bool_)
    wanted = [
        place
        for place, (value, _, kind) in enumerate(rows)
        if kind > 1 and not math.isnan(value) and (least is None or value >= least) and (most is None or value <= most)
    ]
    assert filtered(mask, [Range(values, least, most)]).tolist() == wanted
    assert filtered(mask, []).tolist() == np.nonzero(mask)[0].tolist()
