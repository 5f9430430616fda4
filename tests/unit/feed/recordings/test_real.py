"""Real recordings: every file of the test data reads as its description says."""

import json
from collections import Counter
from gzip import open as gzip_open
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tickflag.services.feed.recordings import KlineChunk, RecordingError, TickChunk, merge, open_recording


def in_order(times: np.ndarray) -> bool:
    """Whether times never go backwards."""
    return bool((times[1:] >= times[:-1]).all())


@pytest.mark.parametrize(
    ("name", "symbols", "rows", "empty"),
    [
        ("ticks_us_equity_20131007.parquet", 4, 2_054_274, 0),
        ("ticks_fx_20140505.parquet", 3, 238_659, 0),
        ("quotes_1m_goog_options_20151224.parquet", 2_192, 275_552, 985),
    ],
)
def test_ticks(test_data: Path, name: str, symbols: int, rows: int, empty: int) -> None:
    """Every row comes through unchanged, except the minutes in which both sides are absent."""
    faults: list[object] = []
    recording = open_recording(test_data / name, faults.append)
    chunks = [chunk for chunk in recording if isinstance(chunk, TickChunk)]
    ticks = np.concatenate([chunk.ticks for chunk in chunks])
    assert not faults
    assert (recording.rows, len(ticks), recording.rejected) == (rows, rows - empty, 0)
    assert len(recording.symbols()) == symbols
    assert in_order(ticks["recv_ns"])
    assert (recording.start_ns, recording.end_ns) == (ticks["recv_ns"][0], ticks["recv_ns"][-1])

    frame = pd.read_parquet(test_data / name).dropna(subset=["price", "bid", "ask"], how="all")
    np.testing.assert_array_equal(frame["ts_ns"], ticks["recv_ns"])
    np.testing.assert_array_equal(frame["symbol"].astype(str), np.array(chunks[-1].symbols)[ticks["symbol"]])
    for column in ("price", "qty", "bid", "ask"):
        np.testing.assert_array_equal(frame[column], ticks[column])


@pytest.mark.parametrize(
    ("name", "intervals", "rows"),
    [
        ("klines_1m_aapl_options_20140606.parquet", {60}, 22_067),
        ("klines_1s_us_equity_20131008.parquet", {1}, 49_051),
        ("klines_5m_binance_usdt_20210518_23.parquet", {300}, 203_532),
        ("klines_octobot_bittrex_201807.parquet", {60, 300, 3600}, 97_595),
    ],
)
def test_klines(test_data: Path, name: str, intervals: set[int], rows: int) -> None:
    """Every candle comes through unchanged, in stable order of the time at which it closes."""
    recording = open_recording(test_data / name)
    chunks = [chunk for chunk in recording if isinstance(chunk, KlineChunk)]
    klines = np.concatenate([chunk.klines for chunk in chunks])
    assert (recording.rows, len(klines), recording.rejected) == (rows, rows, 0)
    assert recording.kline_intervals_s == intervals
    assert (recording.start_ns, recording.end_ns) == (klines["recv_ns"][0], klines["recv_ns"][-1])

    frame = pd.read_parquet(test_data / name)
    seconds = frame["interval"].astype(str).map({"1s": 1, "1m": 60, "5m": 300, "1h": 3600})
    order = np.argsort(frame["open_time_ms"].to_numpy() + seconds.to_numpy() * 1_000, kind="stable")
    frame = frame.iloc[order]
    np.testing.assert_array_equal(frame["open_time_ms"] * 1_000_000, klines["open_ns"])
    np.testing.assert_array_equal(frame["symbol"].astype(str), np.array(chunks[-1].symbols)[klines["symbol"]])
    for column in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(frame[column], klines[column])


@pytest.mark.parametrize(
    ("name", "symbols", "intervals"),
    [
        ("raw_binance_spot_20240808.jsonl.gz", {"BTCUSDT", "ETHUSDT"}, set()),
        ("raw_binance_coinm_20240808.jsonl.gz", {"BTCUSD_PERP", "ETHUSD_PERP"}, set()),
        ("raw_cryptofeed_binance.jsonl.gz", {"NKNUSDT", "LRCBTC", "BLZETH"}, {60}),
        ("raw_cryptofeed_binance_futures.jsonl.gz", {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}, {60}),
    ],
)
def test_captures(test_data: Path, name: str, symbols: set[str], intervals: set[int]) -> None:
    """Each best bid and ask, trade and kline comes through once; everything else is counted as skipped."""
    kinds: Counter[str] = Counter()
    with gzip_open(test_data / name) as file:
        for line in file:
            message = json.loads(line).get("msg")
            if message is not None:
                data = message.get("data", message)
                kinds[data.get("e", "snapshot" if "lastUpdateId" in data else "bookTicker")] += 1

    recording = open_recording(test_data / name)
    chunks = list(recording)
    ticks = sum(len(chunk) for chunk in chunks if isinstance(chunk, TickChunk))
    klines = sum(len(chunk) for chunk in chunks if isinstance(chunk, KlineChunk))
    assert ticks == kinds["bookTicker"] + kinds["trade"] + kinds["aggTrade"]
    assert klines == kinds["kline"]
    assert recording.rejected == 0
    assert recording.skipped.get("depth", 0) == kinds["depthUpdate"]
    assert recording.skipped.get("snapshot", 0) == kinds["snapshot"]
    assert sum(recording.skipped.values()) == kinds["depthUpdate"] + kinds["snapshot"]
    assert set(recording.symbols()) == set(chunks[-1].symbols) == symbols
    assert recording.kline_intervals_s == intervals
    assert in_order(np.concatenate([chunk.records["recv_ns"] for chunk in chunks]))


def test_example_messages(test_data: Path, tmp_path: Path) -> None:
    """The examples of every message type decode without a fault, once they are given times of receipt."""
    path = tmp_path / "examples.jsonl"
    with gzip_open(test_data / "messages_binance_examples.jsonl.gz", "rt") as file:
        path.write_text("".join(f'{{"recv_ns":{i + 1},{line[1:]}' for i, line in enumerate(file)))
    faults: list[object] = []
    recording = open_recording(path, faults.append)
    chunks = list(recording)
    assert not faults
    days = np.concatenate([chunk.ticks["volume_24h"] for chunk in chunks if isinstance(chunk, TickChunk)])
    assert np.count_nonzero(days == days) > 200
    assert sum(len(chunk) for chunk in chunks if isinstance(chunk, KlineChunk)) == 3
    assert set(recording.skipped) == {"depth", "markPrice", "other"}


@pytest.mark.parametrize(
    "name",
    [
        "arrivals_composite_30s.parquet",
        "tickers_daily_us_equity_201403.parquet",
        "messages_binance_examples.jsonl.gz",
        "snapshot_hyperliquid_all_asset_ctxs.jsonl.gz",
        "raw_cryptofeed_kraken.jsonl.gz",
        "raw_cryptofeed_hitbtc.jsonl.gz",
    ],
)
def test_what_is_no_recording_of_ours(test_data: Path, name: str) -> None:
    """Other files of the folder are refused with a reason."""
    with pytest.raises(RecordingError):
        open_recording(test_data / name)


def test_merge_of_overlapping_captures(test_data: Path) -> None:
    """Spot and coin-margined captures of the same minutes merge without loss and in order."""
    names = ("raw_binance_spot_20240808.jsonl.gz", "raw_binance_coinm_20240808.jsonl.gz")
    recordings = [open_recording(test_data / name) for name in names]
    chunks = list(merge(recordings))
    assert sum(map(len, chunks)) == sum(len(chunk) for recording in recordings for chunk in recording)
    assert in_order(np.concatenate([chunk.records["recv_ns"] for chunk in chunks]))
    assert set(chunks[-1].symbols) == {"BTCUSDT", "ETHUSDT", "BTCUSD_PERP", "ETHUSD_PERP"}
