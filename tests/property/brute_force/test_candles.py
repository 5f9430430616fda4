"""Candles that sources bring, beside the brute force: mixed ownership, weeks, first candles, last words."""

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.brute_force.conftest import WriteCaptures
from tests.support.markets.beside_brute_force import PACES, assert_as_brute_force
from tests.support.markets.generated_captures import MS, Received, kline, quote, trade
from tests.support.markets.generated_rows import (
    BEGIN_S,
    PRICES,
    QUANTITIES,
    SECOND,
    KlineRow,
    TickRow,
    kline_rows,
    tick_rows,
    write_rows,
)

MINUTE_MS = 60_000
BEGIN_MS = BEGIN_S * 1_000
DAY_S = 86_400
_paces = st.sampled_from(PACES)


@settings(max_examples=20, deadline=None)
@given(
    minutes=kline_rows(("1m",)), others=kline_rows(("5m", "1m"), most=5), ticks=tick_rows(ids=True), pace=_paces,
    split=st.booleans(),
)  # fmt: skip
def test_what_recordings_bring(
    minutes: list[KlineRow],
    others: list[KlineRow],
    ticks: list[TickRow],
    pace: tuple[int, int],
    split: bool,
    shared: Path,
) -> None:
    """What one recording brings of a symbol is built for all others; trades and candles of one symbol count once."""
    known = {row.symbol for row in minutes}
    others = [row for row in others if row.symbol not in known]
    candles = sorted(minutes + others)
    files = [candles] if split else [minutes, others]
    paths = [path for n, rows in enumerate(files) for path in write_rows(rows, shared / f"klines{n}.parquet")]
    paths += write_rows(ticks, shared / "ticks.parquet")
    assert_as_brute_force(paths, shared, pace, reference="S01")
    assert_as_brute_force(paths[::-1], shared, pace, reference="S01")


@settings(max_examples=15, deadline=None)
@given(
    intervals=st.sampled_from([("1d", "7d"), ("7d",), ("7d", "14d"), ("1h", "1d", "7d")]),
    rows=st.lists(
        st.tuples(st.sampled_from([3_600, 7 * 3_600, DAY_S, 3 * DAY_S, 8 * DAY_S]), st.sampled_from("AB"),
                  st.sampled_from(PRICES), st.sampled_from(QUANTITIES)),
        min_size=1, max_size=20,
    ),
    start_s=st.integers(0, 21 * 24).map(lambda hours: 1_709_251_200 + hours * 3_600),
    brought=st.booleans(),
)  # fmt: skip
def test_weeks(
    intervals: tuple[str, ...], rows: list[tuple[int, str, float, float]], start_s: int, brought: bool, shared: Path
) -> None:
    """Weeks begin on Monday, whether they are made of trades or of daily candles."""
    at_s, ticks, days = start_s, list[TickRow](), dict[tuple[str, int], KlineRow]()
    for gap_s, symbol, price, qty in rows:
        at_s += gap_s
        ticks.append(TickRow(at_s * SECOND, symbol, price, qty, None, None, len(ticks) + 1))
        day = at_s // DAY_S * DAY_S
        days[symbol, day] = KlineRow(day * 1_000, symbol, "1d", price, price * 2, price / 2, price, qty)
    klines = sorted(days.values()) if brought else []
    paths = write_rows(klines, shared / "days.parquet") or write_rows(ticks, shared / "weeks.parquet")
    assert_as_brute_force(paths, shared, intervals=intervals, reference="A")


@settings(max_examples=15, deadline=None)
@given(
    begin_ms=st.sampled_from([0, 1, 1_500, 2_000, 2_001, 59_000, 61_500, 119_999]),
    gaps_s=st.lists(st.sampled_from([0, 1, 2, 30, 58, 60, 300, 3_600]), min_size=1, max_size=12),
    symbols=st.lists(st.sampled_from(["A", "B"]), min_size=12, max_size=12),
    minutes=st.integers(0, 6),
    pace=_paces,
)
def test_first_candles(
    begin_ms: int,
    gaps_s: list[int],
    symbols: list[str],
    minutes: int,
    pace: tuple[int, int],
    shared: Path,
    captures: WriteCaptures,
) -> None:
    """A first candle that began before anything was known tells its close only: of trades, and of shorter candles."""
    at_ms, messages = BEGIN_MS + begin_ms, list[Received]()
    for number, (gap_s, symbol) in enumerate(zip(gaps_s, symbols, strict=False)):
        at_ms += 1_000 * gap_s
        messages.append(trade(at_ms * MS, symbol, at_ms, 100.0 + number, 1.0, t=number + 1))
    assert_as_brute_force(captures(messages), shared, pace, reference="A")
    first = (BEGIN_MS + begin_ms) // MINUTE_MS + 1
    klines = [
        KlineRow((first + number) * MINUTE_MS, "C", "1m", 10.0, 12.0, 9.0, 11.0 + number / 10, 2.0)
        for number in range(minutes)
    ]
    paths = captures(messages) + write_rows(klines, shared / "first.parquet")
    assert_as_brute_force(paths, shared, pace, reference="A")


class Minute(NamedTuple):
    """What a venue says of one minute: how often while it forms, and when, if ever, at its end."""

    price: float
    qty: float
    words: list[int]
    """Seconds in the minute."""
    final_ms: int | None
    """After the end; None: lost."""
    again: bool
    trades: list[int]
    """Seconds in the minute at which a trade comes as well."""


_minutes = st.builds(
    Minute,
    price=st.sampled_from(PRICES[:5]),
    qty=st.sampled_from(QUANTITIES),
    words=st.lists(st.integers(0, 59), max_size=3, unique=True).map(sorted),
    final_ms=st.sampled_from([None, 50, 50, 50, 1_999, 2_000, 2_100, 5_000, 61_000]),
    again=st.booleans(),
    trades=st.lists(st.integers(0, 59), max_size=2),
)


def told(symbol: str, minutes: list[Minute], interval: str, with_trades: bool) -> list[Received]:
    """The messages of a symbol's minutes, or of its longer candles."""
    length_ms = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS}[interval]
    begin_ms, messages = BEGIN_MS // length_ms * length_ms, list[Received]()
    for number, minute in enumerate(minutes):
        open_ms = begin_ms + number * length_ms
        numbers = minute.price, minute.price * 1.5, minute.price * 0.5, minute.price * 1.1
        for part, second in enumerate(minute.words, start=1):
            recv_ms = open_ms + second * length_ms // 60
            share = minute.qty * part / (len(minute.words) + 1)
            messages.append(kline(recv_ms * MS, symbol, interval, open_ms, (*numbers, share), False))
        if minute.final_ms is not None:
            recv_ms = open_ms + length_ms + minute.final_ms
            final = kline(recv_ms * MS, symbol, interval, open_ms, (*numbers, minute.qty), True)
            messages += [final, Received(final.recv_ns + 300 * MS, final.data)] if minute.again else [final]
        if with_trades:
            for second in minute.trades:
                time_ms = open_ms + second * length_ms // 60
                trade_id = number * 100 + second + 1
                messages.append(
                    trade(time_ms * MS + 20 * MS, symbol, time_ms, minute.price * 1.2, minute.qty, t=trade_id)
                )
    return messages


@settings(max_examples=25, deadline=None)
@given(
    candles=st.lists(_minutes, min_size=1, max_size=12),
    longer=st.lists(_minutes, max_size=3),
    traded=st.booleans(),
    pace=_paces,
)
def test_the_last_word_of_a_candle(
    candles: list[Minute],
    longer: list[Minute],
    traded: bool,
    pace: tuple[int, int],
    shared: Path,
    captures: WriteCaptures,
) -> None:
    """A final candle may be lost, late, or come twice: what is known of it counts once in all that is made of it."""
    messages = told("A", candles, "1m", traded) + told("B", longer, "5m", traded)
    end_ms = BEGIN_MS + 15 * MINUTE_MS
    messages += [quote(end_ms * MS, "C", end_ms, 1.0, 2.0), trade(BEGIN_MS * MS, "C", BEGIN_MS, 5.0, 1.0, t=1)]
    assert_as_brute_force(captures(messages), shared, pace, reference="A")


@pytest.mark.parametrize("other", ["no", "B"])
def test_one_candle_of_one_symbol(other: str, shared: Path, captures: WriteCaptures) -> None:
    """One candle in a capture takes nothing from another symbol, and its own only until the next would be over."""
    messages = [
        trade((BEGIN_MS + second * 1_000) * MS, symbol, BEGIN_MS + second * 1_000, 100.0 + second % 7, 1.0, t=second)
        for second in range(1, 900, 10)
        for symbol in "AB"
    ]
    if other != "no":
        messages.append(kline((BEGIN_MS + 300_050) * MS, other, "5m", BEGIN_MS // 300_000 * 300_000,
                              (100.0, 110.0, 99.0, 101.0, 50.0), True))  # fmt: skip
    found, brute = assert_as_brute_force(captures(messages), shared, reference="A")
    assert len(brute.market.symbols["A"].intervals[300 * SECOND].closed) >= 2
    assert found.complaints == []
