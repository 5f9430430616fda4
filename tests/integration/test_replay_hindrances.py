"""`tickflag replay` says of each trader that found nothing why that is so."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS
from tests.support.markets.replays import replay, run, write_ticks

START_NS = START_MS * 1_000_000
MINUTE_MS = 60_000
S_PER_INTERVAL = {"1m": 60, "5m": 300, "1d": 86_400}
NOTHING = "@hookimpl\ndef evaluate(market):\n    return np.full(len(market), np.nan)\n"
LAST = "@hookimpl\ndef evaluate(market):\n    return market.last > 0.0\n"


def _klines(path: Path, rows: Sequence[tuple[str, str, int]]) -> Path:
    """Candles of (symbol, interval), so many of each from midnight on."""
    found = [
        (START_MS // 86_400_000 * 86_400_000 + n * S_PER_INTERVAL[interval] * 1_000, symbol, interval)
        for symbol, interval, count in rows
        for n in range(count)
    ]
    columns: dict[str, list[Any]] = dict(
        zip(("open_time_ms", "symbol", "interval"), map(list, zip(*sorted(found), strict=True)), strict=True)
    )
    columns |= {name: [5.0] * len(found) for name in ("open", "high", "low", "close", "volume")}
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def days(tmp_path: Path) -> Path:
    return _klines(tmp_path / "days.parquet", [("BTCUSDT", "1d", 4), ("ETHUSDT", "1d", 3)])


@pytest.mark.parametrize(
    ("declaration", "why", "status"),
    [
        (
            {"channel": "1m", "candles": "1m", "look_back": 15},
            "never evaluated: no symbol had 15 closed candles of 1m (there was none); "
            "the recordings bring candles of 1d",
            1,
        ),
        (
            {"candles": "1m", "look_back": 15},
            "evaluated 13 times, but no symbol had 15 closed candles of 1m (there was none); "
            "the recordings bring candles of 1d",
            1,
        ),
        (
            {"channel": "1d", "candles": "1d", "look_back": 15},
            "evaluated 7 times, but no symbol had 15 closed candles of 1d (most: 4, BTCUSDT); "
            "the recordings bring candles of 1d",
            0,
        ),
        (
            {"channel": "1d", "candles": "1d", "look_back": 4, "watch": ["ETH*"]},
            "evaluated 3 times, but no symbol had 4 closed candles of 1d (most: 3, ETHUSDT); "
            "the recordings bring candles of 1d",
            0,
        ),
        (
            {"watch": ["GOLD"]},
            "never evaluated: its `watch` and `exclude` leave none of the 2 symbols recorded (BTCUSDT, ETHUSDT)",
            1,
        ),
        (
            {"watch": ["btcusdt", "ETH-USDT"]},
            "never evaluated: its `watch` and `exclude` leave none of the 2 symbols recorded (BTCUSDT, ETHUSDT); "
            "`watch`: no symbol is named btcusdt (did you mean BTCUSDT?), ETH-USDT (did you mean ETHUSDT?)",
            1,
        ),
        (
            {"scope": "references", "references": ["SPY", "BTCUSDT"]},
            "evaluated 14 times, but its references have no data: SPY",
            0,
        ),
        (
            {"scope": "references", "references": ["ethusdt", "BTCUSDT"]},
            "evaluated 14 times, but its references have no data: ethusdt (did you mean ETHUSDT?)",
            0,
        ),
        ({"channel": "1d", "candles": "1d", "look_back": 4}, "evaluated 7 times, matched nothing", 0),
        ({"channel": "1d", "candles": "1d", "look_back": 5, "forming": True}, "evaluated 7 times, matched nothing", 0),
        ({"min_interval": 86_400}, "evaluated 8 times, matched nothing", 0),
    ],
)
def test_why_a_trader_found_nothing(
    days: Path, tmp_path: Path, declaration: dict[str, Any], why: str, status: int
) -> None:
    """The last line says it; the summary has it; the exit code is 1 where the recording has nothing for the trader."""
    path = write_trader(tmp_path, "seeker", NOTHING, **declaration)
    shown, told = (run("replay", *kind, "--traders", path, days) for kind in ([], ["--json"]))
    assert shown.stdout.splitlines()[-1] == f"seeker: {why}"
    assert (shown.status, told.status) == (status, status)
    summary = told.summary
    hindered = {} if why.endswith("matched nothing") else {"seeker": why}
    assert (summary["refused"], summary["hindered"]) == ((hindered, {}) if status else ({}, hindered))
    evaluations = 0 if why.startswith("never") else int(why.split()[1])
    assert summary["evaluations"] == {"seeker": evaluations}
    compared = run("replay", "--against", "full", "--traders", path, days)
    assert compared.status == status
    reason = why.removeprefix("never evaluated: ").split(", but ")[-1]
    assert [reason in line for line in compared.stdout.splitlines()] == ([True, False] if hindered else [False])


def test_a_trader_that_found_something(days: Path, tmp_path: Path) -> None:
    """A trader that matches with fewer candles than it asks for has what it needs: nothing is said of it."""
    path = write_trader(tmp_path, "any", LAST, channel="1d", candles="1d", look_back=15)
    shown = run("replay", "--traders", path, days)
    assert shown.status == 0
    assert not [line for line in shown.stdout.splitlines() if line.startswith("any: ")]


def test_a_short_recording_is_no_failure(tmp_path: Path) -> None:
    """Trades could make the candles, had the recording more of them: that is said, and the exit code is 0."""
    path = write_trader(tmp_path, "minutes", NOTHING, channel="1m")
    ticks = write_ticks(tmp_path / "ticks.parquet", [(START_NS, "A", 5.0, 1.0, None, None)])
    shown = run("replay", "--traders", path, ticks)
    assert shown.stdout.splitlines()[-1] == (
        "minutes: never evaluated: no symbol had 1 closed candle of 1m (there was none)"
    )
    assert shown.status == 0


def test_each_symbol_by_its_own_candles(tmp_path: Path) -> None:
    """Candles of one symbol are none of another; a period without the symbol that is watched is only too short."""
    path = write_trader(tmp_path, "minutes", NOTHING, channel="1m", watch=["ETH*"])
    klines = _klines(tmp_path / "klines.parquet", [("BTCUSDT", "1m", 4), ("ETHUSDT", "5m", 3)])
    shown = run("replay", "--traders", path, klines)
    assert shown.stdout.splitlines()[-1] == (
        "minutes: never evaluated: no symbol had 1 closed candle of 1m (there was none); "
        "the recordings bring candles of 5m"
    )
    assert shown.status == 1
    start = pd.Timestamp(START_MS // 86_400_000 * 86_400_000, unit="ms")
    shown = run("replay", "--traders", path, "--to", (start + pd.Timedelta(minutes=3)).isoformat(), klines)
    assert shown.stdout.splitlines()[-1] == "minutes: never evaluated: no row was played of what it watches (ETHUSDT)"
    assert shown.status == 0


def test_candles_that_make_longer_ones(tmp_path: Path) -> None:
    """Candles of a divisor serve a trader, however few there are."""
    path = write_trader(tmp_path, "fives", NOTHING, channel="5m")
    shown = run("replay", "--traders", path, _klines(tmp_path / "minutes.parquet", [("A", "1m", 3)]))
    assert shown.stdout.splitlines()[-1] == (
        "fives: never evaluated: no symbol had 1 closed candle of 5m (there was none); "
        "the recordings bring candles of 1m"
    )
    assert shown.status == 0


def test_combinations_of_a_sweep(days: Path, tmp_path: Path) -> None:
    """A line for each combination that could find nothing, and its reason in the document."""
    source = """\
        from pydantic import BaseModel
        from tickflag import Trader, hookimpl

        class Settings(BaseModel):
            interval: str = "1m"

        @hookimpl
        def settings():
            return Settings

        @hookimpl
        def trader(settings):
            return Trader(name="swept", channel=settings.interval)

        @hookimpl
        def evaluate(market):
            return market.last > 0.0
        """
    path = tmp_path / "swept.py"
    path.write_text("\n".join(line[8:] for line in source.splitlines()) + "\n")
    arguments = ("--traders", path, "--sweep", "swept.interval=1m,1d", days)
    why = "never evaluated: no symbol had 1 closed candle of 1m (there was none); the recordings bring candles of 1d"
    shown, told = run("replay", *arguments), replay(*arguments)
    assert (shown.status, told.status) == (1, 1)
    assert shown.stdout.splitlines()[-1] == f"swept interval=1m: {why}"
    assert [line["combination"]["hindered"] for line in told.lines] == [why, None]


def test_nothing_was_played(tmp_path: Path) -> None:
    """An empty recording is said to be one."""
    path = write_trader(tmp_path, "any", LAST)
    ticks = write_ticks(tmp_path / "ticks.parquet", [(START_NS, "A", 5.0, 1.0, None, None)])
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(ticks).slice(0, 0), ticks)
    shown = run("replay", "--traders", path, ticks)
    assert shown.stdout.splitlines()[-1] == "any: never evaluated: no row was played"


def test_updates_that_were_left_out(tmp_path: Path) -> None:
    """A trade that comes when its candle is closed is counted in the summary, and a line at the end tells of it."""
    path = write_trader(tmp_path, "any", LAST)
    second = 1_000_000_000
    trades = [(0, 5.0), (59, 6.0), (70, 7.0)]
    rows = [(START_NS + at * second, "A", price, 1.0, None, None) for at, price in trades]
    late = {"e": "trade", "E": START_MS + 30_000, "T": START_MS + 30_000, "s": "A", "p": "8", "q": "1", "t": 9}
    capture = tmp_path / "late.jsonl"
    capture.write_text(json.dumps({"recv_ns": START_NS + 80 * second, "msg": late}) + "\n")
    ticks = write_ticks(tmp_path / "ticks.parquet", rows)
    shown, told = run("replay", "--traders", path, ticks, capture), replay("--traders", path, ticks, capture)
    assert sum(told.summary["left_out"]["late_ticks"].values()) == 1
    line = shown.stdout.splitlines()[-1]
    assert line.startswith("late for their candle, which was closed without them: 1 update")
    assert replay("--traders", path, ticks).summary["left_out"] == {}
    compared = run("replay", "--against", "full", "--traders", path, ticks, capture).stdout.splitlines()
    assert (compared[0], compared[-1][:10]) == (line, "identical:")
