"""left_out_line: the sentence about updates that were left out."""

from tickflag.services.cli.left_out import left_out_line


def test_count_and_symbols() -> None:
    line = left_out_line("late_ticks", 9, {"A": 6, "B": 3})
    assert line == "late for their candle, which was closed without them: 9 updates (A 6, B 3)"


def test_one_update_of_an_unknown_symbol() -> None:
    assert left_out_line("double_trades", 1, {}) == "trades that came twice and count once: 1 update"


def test_more_symbols_than_a_line_has_room_for() -> None:
    """Also where the counts are of the first symbols only."""
    line = left_out_line("impossible_times", 1_020, {"A": 1_000, "B": 10, "C": 5, "D": 4})
    assert line == "refused because their time is impossible: 1,020 updates (A 1,000, B 10, C 5, ...)"
