"""Player: when a recording has its turns, and what each turn announces."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.markets.markets import MINUTE, NOON
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.feed.recordings import Chunk, Recording, TickChunk
from tickflag.services.feed.recordings.recording import Survey
from tickflag.services.feed.recordings.records import empty_ticks
from tickflag.services.replay.period import EVER, Period
from tickflag.services.replay.player import Player

END = NOON + MINUTE + 2 * NS_PER_S  # the watermark of the candle that begins at noon


class Trades(Recording):
    """Trades of one symbol: for each, (time, how much older the trade itself is)."""

    def __init__(self, *trades: tuple[int, int]) -> None:
        super().__init__(Path("trades"), None, 100)
        self._trades = trades

    def _look_through(self) -> Survey:
        return Survey(("S",), {}, self._trades[0][0], self._trades[-1][0], len(self._trades))

    def _read(self) -> Iterator[Chunk]:
        ticks = empty_ticks(len(self._trades))
        times, ages = np.array(self._trades).T
        ticks["symbol"], ticks["recv_ns"], ticks["event_ns"] = 0, times, times - ages
        ticks["price"], ticks["qty"] = 1.0, 1.0
        yield TickChunk(("S",), ticks)


def _turns(*trades: tuple[int, int], period: Period | None = None, **feed: Any) -> list[tuple[int, int, int]]:
    """(time, updates, cycles of the one-minute channel) at each turn of the traders."""
    values = {"min_swap_interval_ms": 100, "rate_limit_ms": 0, "watermark_ms": 2_000, **feed}
    settings = Settings.model_validate({"feed": values, "segment": {"intervals": ["1m"], "depth": 2}})
    with Player(settings, [Trades(*trades)], pytest.fail, period=period) as player:
        minute_closed = CONTROL_WORDS + CLOSED
        return [
            (player.now_ns, player.updates, int(player.segment.arrays.control[minute_closed])) for _ in player.play()
        ]


def _at(*milliseconds: float) -> Sequence[tuple[int, int]]:
    return [(NOON + int(ms * NS_PER_MS), 0) for ms in milliseconds]


def test_a_swap_that_is_free_takes_one_moment() -> None:
    """Rows of one time are one cycle; the rows of the swap interval after it are the next one, at the interval's
    end."""
    assert _turns(*_at(0, 0, 30, 60, 500)) == [
        (NOON, 2, 0),
        (NOON + 100 * NS_PER_MS, 4, 0),
        (NOON + 500 * NS_PER_MS, 5, 0),
    ]


def test_a_timer_comes_before_the_rows_of_its_time() -> None:
    """A swap that is due at the time of a row does not include that row."""
    assert _turns(*_at(0, 50, 100))[:2] == [(NOON, 1, 0), (NOON + 100 * NS_PER_MS, 2, 0)]


def test_a_candle_closes_at_its_watermark() -> None:
    """The close needs no row of its time; a later row is enough, for which the recording goes on."""
    assert _turns((NOON, 0), (END + MINUTE, 0))[:2] == [(NOON, 1, 0), (END, 1, 1)]


def test_late_rows_at_the_beginning_close_in_the_first_cycle() -> None:
    """As in the feed, the first turn closes the candles whose watermark has passed."""
    assert _turns((NOON, 10 * MINUTE)) == [(NOON, 1, 1)]


def test_what_was_put_off_is_announced_at_the_end() -> None:
    """At the end of the recording, and at that of the period, the rate limit does not count."""
    assert _turns(*_at(0, 500), rate_limit_ms=60_000) == [(NOON, 1, 0), (NOON + 500 * NS_PER_MS, 2, 0)]
    cut = Period(to_ns=NOON + NS_PER_S)
    assert _turns(*_at(0, 500, 2_000), period=cut, rate_limit_ms=60_000) == [
        (NOON, 1, 0),
        (NOON + 500 * NS_PER_MS, 2, 0),
    ]


def test_history_is_seen_once_when_the_period_begins() -> None:
    """No trader sees the cycles of the history, and no number of the period counts them."""
    period = Period(NOON + 250 * NS_PER_MS, EVER)
    assert _turns(*_at(0, 200, 300), period=period) == [
        (NOON + 250 * NS_PER_MS, 0, 0),
        (NOON + 300 * NS_PER_MS, 1, 0),
    ]
