"""Trades as people record them, beside the brute force: in the wrong order, twice, with impossible stamps."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property.brute_force.conftest import WriteCaptures
from tests.support.markets.beside_brute_force import EACH_MOMENT, PACES, assert_as_brute_force
from tests.support.markets.generated_captures import MS, Received, aggregate, day_ticker, kline, quote, trade
from tests.support.markets.generated_rows import BEGIN_S, PRICES, QUANTITIES, TickRow, tick_rows, write_rows

SYMBOLS = ("A", "B", "C")
BEGIN_MS = BEGIN_S * 1_000
_gaps_ms = st.sampled_from([0, 1, 40, 100, 900, 2_000, 15_000, 60_000, 301_000, 3_600_000])
_lags_ms = st.sampled_from([0, 0, 0, 1, 700, 2_500, 30_000, 61_000, 130_000, 3_700_000])
_deals = st.lists(
    st.tuples(_gaps_ms, st.sampled_from(SYMBOLS), _lags_ms, st.sampled_from(PRICES), st.sampled_from(QUANTITIES)),
    min_size=1,
    max_size=30,
)
_paces = st.sampled_from(PACES)


def received(deals: list[tuple[int, str, int, float, float]]) -> list[tuple[int, str, int, float, float]]:
    """Receipt and time in ms, instead of gap and lag."""
    at_ms, found = BEGIN_MS, []
    for gap_ms, symbol, lag_ms, price, qty in deals:
        at_ms += gap_ms
        found.append((at_ms, symbol, at_ms - lag_ms, price, qty))
    return found


@settings(max_examples=20, deadline=None)
@given(deals=_deals, ids=st.booleans(), pace=_paces)
def test_trades_out_of_order(
    deals: list[tuple[int, str, int, float, float]],
    ids: bool,
    pace: tuple[int, int],
    shared: Path,
    captures: WriteCaptures,
) -> None:
    """A candle opens with its earliest trade and closes with its newest; an older trade is never the last one; a late
    one is left out of closed candles and counted."""
    known = received(deals)
    order = sorted(range(len(known)), key=lambda number: (known[number][2], number))
    numbers = {number: rank + 1 for rank, number in enumerate(order)}
    messages = [
        trade(at_ms * MS, symbol, time_ms, price, qty, **({"t": numbers[number]} if ids else {}))
        for number, (at_ms, symbol, time_ms, price, qty) in enumerate(known)
    ]
    _, brute = assert_as_brute_force(captures(messages), shared, pace, reference="A")
    assert brute.market.symbols


@settings(max_examples=15, deadline=None)
@given(
    deals=_deals,
    streams=st.lists(st.sampled_from(["trade", "aggTrade", "both"]), min_size=3, max_size=3),
    again=st.sets(st.integers(0, 29)),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    delay_ms=st.integers(0, 50),
    pace=_paces,
)
def test_the_same_deal_twice(
    deals: list[tuple[int, str, int, float, float]],
    streams: list[str],
    again: set[int],
    cut: tuple[int, int],
    delay_ms: int,
    pace: tuple[int, int],
    shared: Path,
    captures: WriteCaptures,
) -> None:
    """Two streams of a venue, messages sent again, and captures that overlap: each deal counts once."""
    stream_of = dict(zip(SYMBOLS, streams, strict=True))
    lists: tuple[list[Received], list[Received]] = ([], [])
    for number, (at_ms, symbol, time_ms, price, qty) in enumerate(received(deals)):
        deal: list[Received] = []
        for _ in range(1 + (number in again)):
            if stream_of[symbol] != "aggTrade":
                deal.append(trade(at_ms * MS, symbol, time_ms, price, qty, t=number + 1))
            if stream_of[symbol] != "trade":
                deal.append(aggregate(at_ms * MS, symbol, time_ms, price, qty, number + 1))
        if number <= max(cut):
            lists[0].extend(deal)
        if number >= min(cut):
            lists[1].extend(Received(one.recv_ns + delay_ms * MS, one.data) for one in deal)
    assert_as_brute_force(captures(*lists), shared, pace, reference="A")


_stamps_ms = st.sampled_from(
    [0, 0, 0, 0, 59_999, 60_000, 60_001, 3 * 86_400_000, -604_800_000, -604_800_001, -864_000_000, 1_000, -1_000]
)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            _gaps_ms, st.sampled_from(SYMBOLS), _stamps_ms, st.sampled_from(PRICES), st.sampled_from(QUANTITIES),
            st.sampled_from(["trade", "trade", "quote", "day", "NA", "INSURANCE_FUND", "MARKET"]),
        ),
        min_size=1, max_size=30,
    ),
    pace=_paces,
)  # fmt: skip
@example(rows=[(0, "A", 0, 100.0, 1.0, "NA"), (15_000, "A", 0, 100.0, 1.0, "trade")], pace=EACH_MOMENT)
@example(  # a trade of a week ago, in a market that had no candle before
    rows=[
        (0, "A", 0, 100.0, 1.0, "quote"),
        (301_000, "A", 0, 100.0, 1.0, "quote"),
        (0, "B", -604_800_000, 100.0, 1.0, "trade"),
    ],
    pace=EACH_MOMENT,
)
@example(  # at the very moment of a watermark
    rows=[
        (0, "A", 0, 100.0, 1.0, "quote"),
        (302_000, "A", 0, 100.0, 1.0, "quote"),
        (0, "B", -604_800_000, 100.0, 1.0, "trade"),
    ],
    pace=EACH_MOMENT,
)
def test_impossible_stamps(
    rows: list[tuple[int, str, int, float, float, str]], pace: tuple[int, int], shared: Path, captures: WriteCaptures
) -> None:
    """What is stamped far ahead or long before its receipt leaves no trace, whatever it states; what is near counts.
    Futures trades that are none of the market's build nothing."""
    at_ms, messages = BEGIN_MS, []
    for number, (gap_ms, symbol, ahead_ms, price, qty, kind) in enumerate(rows):
        at_ms += gap_ms
        recv_ns, time_ms = at_ms * MS, at_ms + ahead_ms
        if kind == "quote":
            messages.append(quote(recv_ns, symbol, time_ms, price, price * 1.01))
        elif kind == "day" and symbol == "C":
            messages.append(day_ticker(recv_ns, symbol, time_ms, price, (price, price * 2, price / 2, qty)))
        else:
            more = {"X": kind} if kind.isupper() else {}
            messages.append(trade(recv_ns, symbol, time_ms, price, qty, t=number + 1, **more))
    messages.append(quote(at_ms * MS, "A", at_ms, 1.0, 2.0))
    assert_as_brute_force(captures(messages), shared, pace, reference="A")


@settings(max_examples=15, deadline=None)
@given(ticks=tick_rows(ids=False), numbered=tick_rows(ids=True), pace=_paces)
def test_tick_files(ticks: list[TickRow], numbered: list[TickRow], pace: tuple[int, int], shared: Path) -> None:
    """Quotes and trades, with ids and without, many of one moment, over days; two files of the same symbols."""
    assert_as_brute_force(write_rows(ticks, shared / "ticks.parquet", ids=False), shared, pace, reference="S01")
    paths = write_rows(numbered, shared / "numbered.parquet")
    assert_as_brute_force(paths, shared, pace, reference="S01")
    others = [row._replace(symbol=f"N{row.symbol}") for row in ticks]
    both = [*paths, *write_rows(others, shared / "a.parquet", ids=False)]
    assert_as_brute_force(both, shared, EACH_MOMENT, reference="S01")


@settings(max_examples=20, deadline=None)
@given(
    deals=st.lists(
        st.tuples(st.sampled_from([0, 1, 40, 900, 15_000]), st.sampled_from([0, 40, 150, 700]),
                  st.sampled_from(PRICES), st.sampled_from(QUANTITIES)),
        min_size=1, max_size=30,
    ),
    words=st.lists(
        st.tuples(st.integers(0, 29), st.sampled_from([0, 5, 100, 800]), st.sampled_from(["candle", "ticker"])),
        max_size=10,
    ),
    named=st.booleans(),
    pace=_paces,
)  # fmt: skip
def test_what_a_venue_says_of_the_price(
    deals: list[tuple[int, int, float, float]],
    words: list[tuple[int, int, str]],
    named: bool,
    pace: tuple[int, int],
    shared: Path,
    captures: WriteCaptures,
) -> None:
    """Forming candles and 24 h tickers are said later than the last trade in them, before or after the trades of that
    time come. Where they name it, the last price is that of the newest trade that is known."""
    at_ms, times, messages, known = BEGIN_MS, list[int](), list[Received](), list[tuple[int, int, float]]()
    for number, (gap_ms, lag_ms, price, qty) in enumerate(deals, start=1):
        at_ms += gap_ms
        times.append(at_ms)
        messages.append(trade((at_ms + lag_ms) * MS + number, "A", at_ms, price, qty, t=number))
        known.append((messages[-1].recv_ns, number, price))
    for place, (number, later_ms, kind) in enumerate(words):
        last_id = min(number, len(deals) - 1) + 1
        price, said_ms = deals[last_id - 1][2], times[last_id - 1] + later_ms
        more = {"L": last_id} if named else {}
        recv_ns, numbers = said_ms * MS + 100 + place, (price, price, price, price, 1.0)
        if kind == "ticker":
            messages.append(day_ticker(recv_ns, "A", said_ms, price, (price, price, price, 1.0), **more))
        else:
            open_ms = times[last_id - 1] // 60_000 * 60_000
            messages.append(kline(recv_ns, "A", "1m", open_ms, numbers, False, said_ms, **more))
        known.append((recv_ns, last_id, price))
    _, brute = assert_as_brute_force(captures(messages), shared, pace, reference="A")
    if named:
        assert brute.market.symbols["A"].last == max(known, key=lambda one: one[1])[2]
