"""When a replay asks its traders, as docs/replay.md says: the times of the signals."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS
from tests.support.markets.replays import replay, write_ticks

START_NS = START_MS * 1_000_000  # a whole minute
LAST = "@hookimpl\ndef evaluate(market):\n    return market.last\n"
CLOSE = "@hookimpl\ndef evaluate(market):\n    return market.candles.close[:, -1]\n"


def _told(folder: Path, trader: Path, trades: Sequence[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    """(ms since the start, symbol, score) of each signal, from trades (ms, symbol, price)."""
    rows = [(START_NS + ms * 1_000_000, symbol, price, 1.0, None, None) for ms, symbol, price in trades]
    outcome = replay("--traders", trader, write_ticks(folder / "ticks.parquet", rows))
    assert outcome.status == 0
    return [(signal["time_ms"] - START_MS, signal["symbol"], signal["score"]) for signal in outcome.signals]


def test_at_once_or_after_the_swap_interval(tmp_path: Path) -> None:
    """A change is a cycle at once where the last one is 100 ms old; else it waits for that, with all that came."""
    trader = write_trader(tmp_path, "price", LAST)
    trades = [(0, "A", 1.0), (30, "B", 2.0), (60, "C", 3.0), (250, "D", 4.0), (350, "E", 5.0), (351, "F", 6.0)]
    assert _told(tmp_path, trader, trades) == [
        (0, "A", 1.0),
        (100, "B", 2.0), (100, "C", 3.0),
        (250, "D", 4.0),
        (350, "E", 5.0),
        (351, "F", 6.0),  # the end of the recording announces what is put off
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trades", "at_ms"),
    [
        ([(1_000, "A", 5.0), (60_300, "A", 6.0), (90_000, "B", 1.0)], 60_300),  # the next trade
        ([(1_000, "A", 5.0), (90_000, "A", 6.0)], 62_000),  # the watermark
        ([(1_000, "A", 5.0), (60_300, "B", 6.0), (90_000, "A", 1.0)], 62_000),  # a trade of another symbol closes none
    ],
)
def test_a_candle_that_is_built_of_ticks(tmp_path: Path, trades: list[tuple[int, str, float]], at_ms: int) -> None:
    """It closes with the symbol's first later trade, or 2 s after its end."""
    trader = write_trader(tmp_path, "close", CLOSE, channel="1m", candles="1m", look_back=1)
    told = [one for one in _told(tmp_path, trader, trades) if one[1] == "A"]
    assert told[0] == (at_ms, "A", 5.0)
