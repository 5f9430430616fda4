"""Small markets with the right numbers written down: what random ones have shown to go wrong."""

from pathlib import Path

from tests.support.markets.beside_brute_force import assert_as_brute_force
from tests.support.markets.generated_captures import MS, Received, kline, quote, trade, write_capture
from tests.support.markets.generated_rows import BEGIN_S, SECOND, KlineRow, TickRow, write_rows
from tests.support.oracles.brute_force.market import NAN, BruteSymbol
from tests.support.oracles.brute_force.traders import BruteSignal

NOON_S = BEGIN_S + 120
NOON_MS = NOON_S * 1_000
MINUTE_MS = 60_000
END_MS = NOON_MS + 10 * MINUTE_MS
FIVE = 300 * SECOND
CANDLE = (10.0, 12.0, 9.0, 11.0, 5.0)


def played_symbol(tmp_path: Path, *messages: Received) -> BruteSymbol:
    """Symbol A after the messages and ten minutes, the same in engine and brute force."""
    path = write_capture([*messages, quote(END_MS * MS, "C", END_MS, 1.0, 2.0)], tmp_path / "a.jsonl")
    _, brute = assert_as_brute_force([path], tmp_path, reference="A")
    return brute.market.symbols["A"]


def test_a_minute_counts_after_a_newer_trade(tmp_path: Path) -> None:
    """A minute without its last word counts by the watermark, when trades of the next minute have come: it opens the
    longer candle, and does not close it."""
    words = kline(NOON_MS * MS, "A", "1m", NOON_MS, CANDLE, False)
    newer = trade((NOON_MS + 61_000) * MS, "A", NOON_MS + 61_000, 20.0, 1.0, t=1)
    symbol = played_symbol(tmp_path, words, newer)
    assert symbol.intervals[FIVE].closed == [(NOON_S, 10.0, 20.0, 9.0, 20.0, 6.0, 4.0)]


def test_a_trade_before_the_first_of_its_candle(tmp_path: Path) -> None:
    """It comes late, but in time for its candle, and is the open."""
    trades = [(-50_000, -50_000, 9.0), (5_000, 5_000, 10.0), (5_100, 1_000, 9.5)]
    symbol = played_symbol(
        tmp_path, *(trade((NOON_MS + at) * MS, "A", NOON_MS + time, price, 1.0) for at, time, price in trades)
    )
    assert symbol.intervals[FIVE].closed[-1] == (NOON_S, 9.5, 10.0, 9.5, 10.0, 2.0, 2.0)


def test_the_size_of_the_latest_trade(tmp_path: Path) -> None:
    """A candle's close is the last price where it is newer than the latest trade, whose size stays known."""
    words = kline((NOON_MS + 5_000) * MS, "A", "1m", NOON_MS, CANDLE, False)
    symbol = played_symbol(tmp_path, words, trade((NOON_MS + 5_100) * MS, "A", NOON_MS + 4_900, 10.5, 7.0, t=1))
    assert (symbol.last, symbol.last_size) == (11.0, 7.0)


def test_no_minute_counts_twice(tmp_path: Path) -> None:
    """A recording begins with candles of five minutes and of the last of these: the longer one has that minute."""
    rows = [KlineRow(NOON_MS - 5 * MINUTE_MS, "A", "5m", 10.0, 12.0, 9.0, 11.0, 50.0)]
    rows += [KlineRow(NOON_MS + n * MINUTE_MS, "A", "1m", 10.0, 12.0, 9.0, 11.0, 1.0) for n in range(-1, 5)]
    _, brute = assert_as_brute_force(write_rows(sorted(rows), tmp_path / "a.parquet"), tmp_path)
    assert brute.market.symbols["A"].volume == 55.0


def minute(number: int, at_ms: int, numbers: tuple[float, ...], closed: bool, trades: int = 3) -> Received:
    """What the source says of a minute after noon, so many ms after its beginning."""
    open_ms = NOON_MS + number * MINUTE_MS
    return kline((open_ms + at_ms) * MS, "A", "1m", open_ms, numbers, closed, trades=trades)


def test_seconds_become_the_base_within_a_minute(tmp_path: Path) -> None:
    """Candles of seconds come from the middle of the second minute on: that minute counts as one, the third in
    seconds, and each once."""
    words = [minute(n, 60_050, CANDLE, True) for n in range(3)] + [minute(2, 5_500, CANDLE, False)]
    for second in range(90, 180):
        open_ms = NOON_MS + second * 1_000
        words.append(kline((open_ms + 1_010) * MS, "A", "1s", open_ms, (10.0, 12.0, 9.0, 11.0, 0.5), True, trades=1))
    symbol = played_symbol(tmp_path, *words)
    assert symbol.volume == 5.0 + 5.0 + 60 * 0.5
    assert symbol.intervals[FIVE].closed == [(NOON_S, 10.0, 12.0, 9.0, 11.0, 40.0, 66.0)]


def test_seconds_begin_before_the_last_word_of_a_minute(tmp_path: Path) -> None:
    """The first second comes before the minute's final word: what was known of the minute counts, and a trade of it
    that comes later does not count again."""
    words = [minute(0, 59_000, CANDLE, False), minute(0, 61_500, CANDLE, True)]
    words.append(kline((NOON_MS + 61_010) * MS, "A", "1s", NOON_MS + 60_000, (11.0, 11.0, 11.0, 11.0, 0.5), True))
    late = trade((NOON_MS + 61_700) * MS, "A", NOON_MS + 59_500, 11.0, 2.0, t=1)
    assert played_symbol(tmp_path, *words, late).volume == 5.5


def test_a_minute_counts_before_its_trade(tmp_path: Path) -> None:
    """The minute is final before its only trade comes: it counts once, and the trade is in it."""
    only = (10.0, 10.0, 10.0, 10.0, 2.0)
    late = trade((NOON_MS + 60_500) * MS, "A", NOON_MS + 59_900, 10.0, 2.0, t=1)
    symbol = played_symbol(tmp_path, minute(0, 60_050, only, True, trades=1), late)
    assert (symbol.volume, symbol.day.numbers) == (2.0, (10.0, 10.0, 10.0, 2.0))
    assert symbol.intervals[FIVE].closed == [(NOON_S, 10.0, 10.0, 10.0, 10.0, 2.0, 1.0)]


def test_trades_of_a_part_of_a_minute(tmp_path: Path) -> None:
    """Of a minute of volume 5 one trade of 2 comes: the longer candle has the minute's high, low and volume."""
    part = trade((NOON_MS + 40_000) * MS, "A", NOON_MS + 40_000, 10.5, 2.0, t=1)
    symbol = played_symbol(tmp_path, minute(0, 1_000, CANDLE, False), part, minute(0, 60_050, CANDLE, True))
    assert symbol.volume == 5.0
    assert symbol.intervals[FIVE].closed == [(NOON_S, 10.0, 12.0, 9.0, 11.0, 5.0, 3.0)]


def test_an_older_word(tmp_path: Path) -> None:
    """A word older than the last one is left out, and counted as late."""
    older = kline((NOON_MS + 31_000) * MS, "A", "1m", NOON_MS, (10.0, 11.0, 10.0, 10.0, 1.0), False, NOON_MS + 20_000)
    symbol = played_symbol(tmp_path, minute(0, 30_000, CANDLE, False), older)
    assert symbol.intervals[60 * SECOND].closed == [(NOON_S, *CANDLE, 3.0)]
    assert (symbol.last, symbol.counts.late_ticks) == (11.0, 1)


def test_a_final_candle_long_before_its_end(tmp_path: Path) -> None:
    """A candle of five minutes that is final 61 s before its end is impossible; 60 s before, it is not."""
    for ahead_ms, refused in ((61_000, 1), (60_000, 0)):
        recv_ms = NOON_MS + 5 * MINUTE_MS - ahead_ms
        symbol = played_symbol(tmp_path, kline(recv_ms * MS, "A", "5m", NOON_MS, CANDLE, True))
        assert (symbol.counts.impossible_times, len(symbol.intervals[FIVE].closed)) == (refused, 1 - refused)


def test_a_number_of_trades_that_is_not_stated(tmp_path: Path) -> None:
    """Candles of five minutes made of minutes without such a number have 0."""
    rows = [KlineRow(NOON_MS + n * MINUTE_MS, "A", "1m", *CANDLE) for n in range(5)]
    _, brute = assert_as_brute_force(write_rows(rows, tmp_path / "a.parquet"), tmp_path)
    assert brute.market.symbols["A"].intervals[FIVE].closed == [(NOON_S, 10.0, 12.0, 9.0, 11.0, 25.0, 0.0)]


def test_a_symbol_that_fell_silent(tmp_path: Path) -> None:
    """25 hours after its only trade nothing is known of its 24 hours; an hour and more before, all of it."""
    hour_s = 3_600
    rows = [TickRow(NOON_S * SECOND, "A", 10.0, 2.0, None, None, 1)]
    for hours, expected in ((23, (10.0, 10.0, 10.0, 2.0)), (25, (NAN, NAN, NAN, 0.0))):
        rows.append(TickRow((NOON_S + hours * hour_s) * SECOND, "B", 1.0, 1.0, None, None, hours))
        found, brute = assert_as_brute_force(write_rows(rows, tmp_path / "a.parquet"), tmp_path, reference="A")
        assert str(brute.market.symbols["A"].day.numbers) == str(expected)
        told = [signal.note for signal in map(BruteSignal._make, found.signals) if signal[:2] == ("day", "A")]
        assert told[-1].split()[1:5] == [str(number) for number in expected]


def test_the_earliest_trade_that_came_last(tmp_path: Path) -> None:
    """Of trades at one time that with the least id is the open; without ids that which came first."""
    first = trade((NOON_MS - 50_000) * MS, "A", NOON_MS - 50_000, 9.0, 1.0)
    for ids, opened in ((True, 9.5), (False, 10.0)):
        pairs = [(2, 10.0), (3, 11.0), (1, 9.5)]
        trades = [
            trade((NOON_MS + 5_000 + n) * MS, "A", NOON_MS + 1_000, price, 1.0, **({"t": key} if ids else {}))
            for n, (key, price) in enumerate(pairs)
        ]
        symbol = played_symbol(tmp_path, first, *trades)
        closing = 11.0 if ids else 9.5
        assert symbol.intervals[FIVE].closed[-1] == (NOON_S, opened, 11.0, 9.5, closing, 3.0, 3.0)
