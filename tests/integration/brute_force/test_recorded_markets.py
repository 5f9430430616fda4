"""Recorded markets: every number that traders see is the brute force's, which imports nothing of the engine."""

from pathlib import Path

import pytest

from tests.support.markets.beside_brute_force import DEFAULT_PACE, EACH_MOMENT, EACH_SECOND, assert_as_brute_force
from tests.support.markets.recorded_parts import PARTS, WHOLE, RecordedPart

CANDLES = "klines"
TRADES = "ticks"
LONG = (TRADES, "raw_binance_spot", "raw_binance_usdm")
"""Files with more than fifty thousand moments."""
WHOLE_AT = [
    *((part, EACH_MOMENT) for part in WHOLE if not part.file.startswith(LONG)),
    # Candles come minutes apart: their moments have the default pace already.
    *((part, DEFAULT_PACE) for part in WHOLE if not part.file.startswith((CANDLES, TRADES))),
    *((part, EACH_SECOND) for part in WHOLE if part.file.startswith(TRADES)),
]


@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=pytest.mark.soak if part.file.startswith(LONG[1:]) else ()) for part in PARTS],
    ids=str,
)
def test_a_cycle_for_each_moment(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """Candles, 24 h figures, rankings, references and numbers that traders remember, at each moment of a part."""
    found, _ = assert_as_brute_force([part.write(test_data, tmp_path)], tmp_path)
    assert len({signal[0] for signal in found.signals}) > 3


@pytest.mark.parametrize("part", [part for part in PARTS if not part.file.startswith(CANDLES)], ids=str)
def test_the_default_pace(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """The same with cycles that are 100 ms apart, where updates are put off."""
    assert_as_brute_force([part.write(test_data, tmp_path)], tmp_path, DEFAULT_PACE)


@pytest.mark.soak
def test_several_recordings(test_data: Path, tmp_path: Path) -> None:
    """Captures of two markets, played together: symbols and moments mix."""
    files = ("raw_cryptofeed_binance.jsonl.gz", "raw_cryptofeed_binance_futures.jsonl.gz")
    assert_as_brute_force([test_data / file for file in files], tmp_path)
    part = RecordedPart("klines_octobot_bittrex_201807.parquet", stop=3_000).write(test_data, tmp_path)
    other = RecordedPart("klines_5m_binance_usdt_20210518_23.parquet", stop=500).write(test_data, tmp_path)
    assert_as_brute_force([other, part], tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize(("part", "pace"), WHOLE_AT, ids=str)
def test_whole_files(part: RecordedPart, pace: tuple[int, int], test_data: Path, tmp_path: Path) -> None:
    """The whole of each file."""
    assert_as_brute_force([test_data / part.file], tmp_path, pace)
