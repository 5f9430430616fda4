"""The feed's market against a model in plain Python, and its compiled kernels against their plain twins."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.markets.markets import MINUTE, NOON, memory, open_market, swap, tick_batch
from tests.support.oracles.market_model import HOUR_NS, MarketModel, ModelAnnouncement
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import SwapEvent
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import NEXT_DUE
from tickflag.services.feed.market.updates import KLINE, Batch, ticks

INTERVALS_S = (40, 60, 300)  # 60 is no multiple of 40
SYMBOLS = 5

_prices = st.sampled_from([0.5, 1.0, 2.0, 3.25, 1e9])
_quantities = st.sampled_from([0.0, 0.25, 1.0, 7.0])
# How the event time moves: within a candle, over boundaries, back, and by hours.
_moves = st.sampled_from([0, 1, 7 * NS_PER_S, 39 * NS_PER_S, MINUTE, 301 * NS_PER_S, -25 * NS_PER_S, -MINUTE,
                          -2 * HOUR_NS, HOUR_NS, 5 * HOUR_NS, 23 * HOUR_NS, 24 * HOUR_NS,
                          30 * HOUR_NS, -25 * HOUR_NS])  # fmt: skip
_waits = st.sampled_from([1, 10, 50, 100, 250])  # of monotonic time
_ids = st.integers(1, 4)  # few, so that some come twice
_trades = st.tuples(st.just("trade"), st.integers(0, SYMBOLS - 1), _moves, _prices, _quantities, _ids)
_others = st.tuples(st.sampled_from(["watermark", "due", "pending", "swap"]))
_steps = st.lists(st.tuples(_waits, _trades | _trades | _others), max_size=40)


def _assert_equal(market: MarketWriter, model: MarketModel) -> None:
    """Rows, candles, rings, announcements and timers equal the model's."""
    arrays = market.segment.arrays
    for slot, symbol in model.symbols.items():
        row = arrays.tickers[slot]
        assert arrays.versions[slot] == 2 * symbol.updates
        assert (row["last"], row["event_ns"]) == (symbol.last, symbol.event_ns)
        assert math.isclose(row["volume"], symbol.volume)
        opening, high, low, volume = model.day(slot)
        assert np.array_equal([row["open_24h"], row["high_24h"], row["low_24h"]], [opening, high, low], equal_nan=True)
        assert math.isclose(row["volume_24h"], volume, abs_tol=1e-9)
        change = symbol.last / opening - 1
        assert math.isclose(row["change_24h"], change, abs_tol=1e-12) or math.isnan(change) == math.isnan(opening)
        for k in range(len(INTERVALS_S)):
            closed = symbol.closed.get(k, [])
            assert arrays.heads[k, slot] == len(closed)
            depth = market.segment.layout.depth
            for number, candle in list(enumerate(closed))[-depth:]:
                row_of_ring = arrays.rings[k, slot, :, number % depth].tolist()
                assert np.array_equal(row_of_ring, candle.closed_row, equal_nan=True)
            forming, candle_now = arrays.opens[slot, k], symbol.forming.get(k)
            assert forming["trades"] == (candle_now.trades if candle_now else 0)
            if candle_now:
                fields = ("start_ns", "open", "high", "low", "close", "volume", "trades")
                states = [getattr(candle_now, field) for field in fields]
                assert np.array_equal([forming[field] for field in fields], states, equal_nan=True)
    for number, channel in enumerate(model.channels):
        assert market.state.cycle[number].tolist() == [len(channel.flagged), channel.oldest_ns]
    assert market.dirty == any(channel.flagged for channel in model.channels)
    due = [symbol.announced_ns + model.rate_limit_ns for symbol in model.symbols.values() if symbol.pending_ns]
    if due:
        assert 0 < market.pending[NEXT_DUE] <= min(due)
    counters = market.segment.counters()
    assert counters["updates"] == model.applied
    assert counters["late_ticks"] == model.late
    assert counters["double_trades"] == model.doubles
    assert counters["candles_closed"] == sum(len(c) for s in model.symbols.values() for c in s.closed.values())


def _told(events: list[SwapEvent], market: MarketWriter) -> list[ModelAnnouncement]:
    names = market.segment.channel_names
    for event in events:
        assert event.buffer == "AB"[event.cycle % 2]
        assert event.symbols == SYMBOLS
    return [ModelAnnouncement(names.index(e.channel), e.cycle, e.flagged, e.oldest_ns) for e in events]


@settings(deadline=None, max_examples=100)
@given(
    steps=_steps,
    rate_limit_ns=st.sampled_from([0, 100]),
    watermark_ns=st.sampled_from([0, 2 * NS_PER_S]),
    covered_ns=st.sampled_from([0, NOON + 2 * NS_PER_S]),
    with_ids=st.booleans(),
)
def test_the_market_is_its_model(
    steps: list[Any], rate_limit_ns: int, watermark_ns: int, covered_ns: int, with_ids: bool
) -> None:
    """After any trades, watermarks, announcements and swaps the segment holds what the plain market holds."""
    with (
        runtime_folder() as runtime,
        open_market(
            runtime, SYMBOLS, 3, INTERVALS_S, rate_limit_ns=rate_limit_ns, watermark_ns=watermark_ns, symbols=SYMBOLS
        ) as market,
    ):
        model = MarketModel(tuple(s * NS_PER_S for s in INTERVALS_S), rate_limit_ns, watermark_ns, covered_ns)
        market.begin(covered_ns)
        event_ns, newest_ns, now_ns = NOON, NOON, 1_000
        for wait, (step, *arguments) in steps:
            now_ns += wait
            match step:
                case "trade":
                    slot, move, price, qty, trade_id = arguments
                    trade_id *= with_ids
                    event_ns += move
                    newest_ns = max(newest_ns, event_ns)
                    model.trade(slot, event_ns, price, qty, now_ns, trade_id)
                    market.apply(tick_batch([slot], [price], event_ns, qty, trade_id=trade_id), now_ns)
                case "watermark":
                    assert market.next_watermark_ns(newest_ns) > newest_ns
                    step_ns = newest_ns - watermark_ns
                    if step_ns - step_ns % market._step_ns > market._watermark_done:
                        assert market.close_due(newest_ns, now_ns) == model.close_due(newest_ns, now_ns)
                case "due":
                    assert market.announce_due(now_ns) == model.announce_due(now_ns)
                    assert bool(market.pending[NEXT_DUE]) == any(s.pending_ns for s in model.symbols.values())
                case "pending":
                    assert market.announce_pending(now_ns) == model.announce_due(now_ns, everything=True)
                    assert market.pending[NEXT_DUE] == 0
                case "swap":
                    assert _told(swap(market, now_ns), market) == model.swap()
            _assert_equal(market, model)


@settings(deadline=None, max_examples=40)
@given(
    event_ns=st.integers(NOON, NOON + 700 * NS_PER_S), watermark_ns=st.sampled_from([0, 2 * NS_PER_S, 45 * NS_PER_S])
)
def test_a_candle_closes_at_the_first_watermark_past_its_end(event_ns: int, watermark_ns: int) -> None:
    """`next_watermark_ns` alone leads to the moment at which the watermark passes a candle's end: it closes then, not
    later."""
    with (
        runtime_folder() as runtime,
        open_market(runtime, 1, 3, INTERVALS_S, watermark_ns=watermark_ns, symbols=1) as market,
    ):
        market.apply(tick_batch([0], [1.0], event_ns), 1)
        heads = market.segment.arrays.heads
        now_ns = event_ns
        due = {k: event_ns - event_ns % (s * NS_PER_S) + s * NS_PER_S for k, s in enumerate(INTERVALS_S)}
        while due:
            now_ns = market.next_watermark_ns(now_ns)
            market.close_due(now_ns, 1)
            for k, end_ns in list(due.items()):
                if heads[k, 0]:
                    assert now_ns == end_ns + watermark_ns
                    del due[k]


_floats = st.sampled_from([math.nan, math.nan, 1.0, 1.5, 2.0, 0.0, -1.0, math.inf])
_slots = st.integers(-1, SYMBOLS - 1)
_any_tick = st.tuples(_slots, _moves, st.integers(0, 1), st.lists(_floats, min_size=10, max_size=10))
_any_kline = st.tuples(
    _slots, _moves, st.sampled_from([40, 60, 120, 300, 0]), st.booleans(),
    st.lists(st.sampled_from([1.0, 1.5, 2.0, math.nan, -1.0]), min_size=6, max_size=6),
)  # fmt: skip
_batches = st.lists(
    st.tuples(st.just("ticks"), _waits, st.lists(_any_tick, max_size=6))
    | st.tuples(st.just("klines"), _waits, st.lists(_any_kline, max_size=6))
    | st.tuples(st.sampled_from(["watermark", "due", "pending", "swap", "debug"]), _waits, st.just([])),
    max_size=8,
)


def _tick_rows(content: list[Any], event_ns: int) -> Batch:
    rows = ticks(len(content))
    for row, (slot, move, status, values) in zip(rows, content, strict=True):
        event_ns += move
        row["slot"], row["event_ns"], row["recv_ns"], row["status"] = slot, event_ns, event_ns + 5, status
        for field, value in zip((ticks(0).dtype.names or ())[5:], values, strict=True):
            row[field] = value
    return Batch(rows)


def _kline_rows(content: list[Any], event_ns: int) -> Batch:
    rows = np.zeros(len(content), KLINE)
    for row, (slot, move, interval_s, closed, values) in zip(rows, content, strict=True):
        event_ns += move
        length = max(interval_s, 1) * NS_PER_S
        row["slot"], row["open_ns"], row["interval_s"], row["closed"] = (
            slot,
            event_ns // length * length,
            interval_s,
            closed,
        )
        row["recv_ns"] = event_ns
        for field, value in zip(("open", "high", "low", "close", "volume", "trades"), values, strict=True):
            row[field] = value
        row["high"], row["low"] = max(values[:4]), min(values[:4])
    return Batch(rows)


def _after(market: MarketWriter, batches: list[Any]) -> tuple[dict[str, bytes], list[bytes], list[Any]]:
    """The bytes of segment and feed, and all events, after the batches."""
    event_ns, now_ns = NOON, 1_000
    events: list[Any] = []
    for step, wait, content in batches:
        now_ns += wait
        match step:
            case "ticks":
                market.apply(_tick_rows(content, event_ns), now_ns)
            case "klines":
                market.apply(_kline_rows(content, event_ns), now_ns)
            case "watermark":
                event_ns += MINUTE
                events.append(market.close_due(event_ns, now_ns))
            case "due":
                events.append(market.announce_due(now_ns))
            case "pending":
                events.append(market.announce_pending(now_ns))
            case "swap":
                events += [event.model_copy(update={"segment": "any"}) for event in swap(market, now_ns)]
            case "debug":
                market.segment.arrays.living[2] ^= 1
    return memory(market.segment), [array.tobytes() for array in market.state], events


def _market_over(segment: Segment) -> MarketWriter:
    market = MarketWriter(segment, 100, 2 * NS_PER_S)
    for number in range(SYMBOLS):
        market.slot(f"S{number}")
    return market


@settings(deadline=None, max_examples=100)
@given(batches=_batches)
def test_compiled_kernels_are_their_plain_twins(batches: list[Any]) -> None:
    """On any ticks and klines, sound or not, both versions leave the same bytes everywhere and give the same events."""
    with runtime_folder() as runtime:
        outcomes = []
        for plain in (False, True):
            with open_market(runtime, SYMBOLS, 3, INTERVALS_S) as owner:
                generation = owner.segment.generation
                if plain:
                    with plain_kernels():
                        outcome = _after(_market_over(owner.segment), batches)
                else:
                    outcome = _after(_market_over(owner.segment), batches)
                memory_, state, events = outcome
                same = [e.model_copy(update={"generation": 0}) if isinstance(e, SwapEvent) else e for e in events]
                assert all(not isinstance(e, SwapEvent) or e.generation == generation for e in events)
                outcomes.append((memory_, state, same))
        assert outcomes[0] == outcomes[1]
