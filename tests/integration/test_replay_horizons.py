"""Horizons of a replay's study beside the length of the candles: what is too short has no return."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS
from tests.support.markets.replays import replay, run, write_ticks

MINUTE_MS = 60_000
MIDNIGHT_MS = START_MS - START_MS % (1_440 * MINUTE_MS)
ABOVE = "@hookimpl\ndef evaluate(market):\n    return market.last > 102.5\n"


def _klines(path: Path, symbol: str, interval: str, minutes: int, count: int = 10) -> Path:
    """Candles whose close rises from 100 by 1."""
    closes = [100.0 + n for n in range(count)]
    columns: dict[str, Any] = {
        "open_time_ms": [MIDNIGHT_MS + n * minutes * MINUTE_MS for n in range(count)],
        "symbol": [symbol] * count,
        "interval": [interval] * count,
    }
    columns |= dict.fromkeys(("open", "high", "low", "close"), closes) | {"volume": [1.0] * count}
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def trader(tmp_path: Path) -> Path:
    return write_trader(tmp_path, "above", ABOVE)


@pytest.mark.parametrize(
    ("interval", "minutes", "names"),
    [
        ("1m", 1, ["1m", "5m", "15m", "1h"]),
        ("5m", 5, ["5m", "25m", "75m", "5h"]),
        ("1d", 1_440, ["1d", "5d", "15d", "60d"]),
    ],
)
def test_default_horizons_follow_the_candles(
    trader: Path, tmp_path: Path, interval: str, minutes: int, names: list[str]
) -> None:
    """1, 5, 15 and 60 candles, where they are longer than a minute."""
    path = _klines(tmp_path / "klines.parquet", "A", interval, minutes)
    returns = replay("--traders", trader, path).summary["traders"]["above"]["returns"]
    assert list(returns) == names
    assert returns[names[0]]["mean"] == pytest.approx(104 / 103 - 1)
    assert returns[names[1]]["mean"] == pytest.approx(108 / 103 - 1)


def test_a_horizon_shorter_than_the_candles_has_no_return(trader: Path, tmp_path: Path) -> None:
    """Neither the entry nor the baseline has a return then; tables show a dash, and the report has no value."""
    arguments = ("--traders", trader, "--horizons", "299s,5m", _klines(tmp_path / "klines.parquet", "A", "5m", 5))
    returns = replay("--report", tmp_path / "report", *arguments).summary["traders"]["above"]["returns"]
    nothing = dict.fromkeys(("mean", "median", "hit_rate", "baseline"))
    assert returns["299s"] == {**nothing, "count": 0, "baseline_count": 0, "beyond": 0, "unpriced": 1}
    assert (returns["5m"]["count"], returns["5m"]["hit_rate"], returns["5m"]["baseline_count"]) == (1, 1.0, 9)
    [row] = pyarrow.parquet.read_table(tmp_path / "report" / "entries.parquet").to_pylist()
    assert row["return_299s"] is None
    assert row["return_5m"] == pytest.approx(104 / 103 - 1)
    shown = [" ".join(line.split()) for line in run("replay", *arguments).stdout.splitlines()]
    assert "above 299s 0 - - - - 0" in shown
    swept = (_sweepable(tmp_path), "--sweep", "swept.limit=102.5", *arguments[2:])
    [line] = replay("--traders", *swept).lines
    assert line["combination"]["returns"] == returns


def _sweepable(folder: Path) -> Path:
    source = """\
        from pydantic import BaseModel
        from tickflag import Trader, hookimpl

        class Settings(BaseModel):
            limit: float = 0.0

        @hookimpl
        def settings():
            return Settings

        @hookimpl
        def trader():
            return Trader(name="swept")

        @hookimpl
        def evaluate(market, settings):
            return market.last > settings.limit
        """
    path = folder / "swept.py"
    path.write_text("\n".join(line[8:] for line in source.splitlines()) + "\n")
    return path


def test_each_symbol_by_its_own_recordings(trader: Path, tmp_path: Path) -> None:
    """A symbol with ticks has returns at short horizons, beside one of candles alone; so has one with both."""
    klines = [_klines(tmp_path / f"{name}.parquet", name, "5m", 5) for name in "AB"]
    rows = [
        (MIDNIGHT_MS * 1_000_000 + n * 10_000_000_000, name, 100.0 + n, 1.0, None, None)
        for n in range(20)
        for name in "BC"
    ]
    ticks = write_ticks(tmp_path / "ticks.parquet", rows)
    outcome = replay("--traders", trader, *klines, ticks)
    returns: Mapping[str, Any] = outcome.summary["traders"]["above"]["returns"]
    assert list(returns) == ["1m", "5m", "15m", "1h"]
    entered = [signal["symbol"] for signal in outcome.signals if signal["event"] == "entered"]
    assert sorted(set(entered)) == ["A", "B", "C"]
    assert returns["1m"]["unpriced"] == entered.count("A")
    assert returns["1m"]["count"] == len(entered) - entered.count("A") - returns["1m"]["beyond"]
    assert returns["5m"]["unpriced"] == 0


def test_symbols_of_one_file_have_candles_of_their_own(trader: Path, tmp_path: Path) -> None:
    """In one file A has candles of 1m and B of 5m: a minute after it entered only A has a return."""
    tables = [
        pyarrow.parquet.read_table(_klines(tmp_path / f"{name}.parquet", name, interval, minutes))
        for name, interval, minutes in (("A", "1m", 1), ("B", "5m", 5))
    ]
    path = tmp_path / "both.parquet"
    pyarrow.parquet.write_table(pa.concat_tables(tables).sort_by("open_time_ms"), path)
    returns = replay("--traders", trader, path).summary["traders"]["above"]["returns"]
    assert list(returns) == ["1m", "5m", "15m", "1h"]
    assert (returns["1m"]["count"], returns["1m"]["unpriced"]) == (1, 1)
    assert returns["1m"]["mean"] == pytest.approx(104 / 103 - 1)
    assert (returns["5m"]["count"], returns["5m"]["unpriced"]) == (2, 0)
