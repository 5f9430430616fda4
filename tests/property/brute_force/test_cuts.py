"""The same rows give the same bytes, however they are cut into batches, row groups and files, and in any order."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.markets.cuts import CHUNKS, random_cut, shuffled
from tests.support.markets.generated_rows import (
    BEGIN_S,
    SECOND,
    KlineRow,
    TickRow,
    kline_rows,
    table,
    tick_rows,
    write_rows,
)
from tests.support.markets.measuring_traders import write_measuring_traders
from tests.support.markets.played import played

REFERENCE = "S01"
PACES = ((0.0, 0.0), (100.0, 100.0))


@pytest.fixture(scope="module")
def traders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traders of every scope, with numbers that they remember and with each close."""
    return write_measuring_traders(tmp_path_factory.mktemp("traders"), REFERENCE)


def assert_same(
    ticks: list[TickRow], klines: list[KlineRow], ids: bool, traders: Path, rng: Random, pace: tuple[float, float]
) -> None:
    """Play the rows from a file of each kind, then cut anew."""
    feed: dict[str, Any] = {"min_swap_interval_ms": pace[0], "rate_limit_ms": pace[1]}
    with TemporaryDirectory() as name:
        folder = Path(name)
        whole = [*write_rows(ticks, folder / "ticks.parquet", ids), *write_rows(klines, folder / "klines.parquet")]
        expected = played(whole, traders, **feed).output
        again = played(shuffled(whole, rng), traders, chunk_rows=rng.choice(CHUNKS), **feed).output
        assert again == expected, "another order of the arguments, other batches"
        cut = random_cut(table(ticks, ids), folder / "ticks", rng)
        if klines:
            cut += random_cut(table(klines), folder / "klines", rng)
        shown = ", ".join(str(path.relative_to(folder)) for path in cut)
        found = played(shuffled(cut, rng), traders, chunk_rows=rng.choice(CHUNKS), **feed).output
        assert found == expected, f"cut into {shown}"


@settings(max_examples=8, deadline=None)
@given(ticks=tick_rows(ids=False), seed=st.integers(0, 99), pace=st.sampled_from(PACES))
def test_ticks_in_the_order_of_their_files(
    ticks: list[TickRow], seed: int, pace: tuple[float, float], traders: Path
) -> None:
    """Ticks of one symbol and time, without ids, come in the order of their places and of their files' names."""
    assert_same(ticks, [], False, traders, Random(seed), pace)


@settings(max_examples=8, deadline=None)
@given(ticks=tick_rows(ids=True), seed=st.integers(0, 99), pace=st.sampled_from(PACES))
def test_ticks_in_the_order_of_their_ids(
    ticks: list[TickRow], seed: int, pace: tuple[float, float], traders: Path
) -> None:
    """Ticks of one symbol and time come by their ids, wherever they stand."""
    assert_same(ticks, [], True, traders, Random(seed), pace)


@settings(max_examples=10, deadline=None)
@given(ticks=tick_rows(ids=True), klines=kline_rows(("1m", "5m")), seed=st.integers(0, 99), pace=st.sampled_from(PACES))
def test_candles_and_ticks(
    ticks: list[TickRow], klines: list[KlineRow], seed: int, pace: tuple[float, float], traders: Path
) -> None:
    """Candles and ticks of the same symbols and times, each cut for itself."""
    assert_same(ticks, klines, True, traders, Random(seed), pace)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["ticks", "klines"])
def test_more_rows_than_a_batch(kind: str, tmp_path: Path) -> None:
    """Moments of 97 symbols that the batches of 65,536 rows cut in two, over 70,000 rows."""
    rng, ticks, klines = Random(7), list[TickRow](), list[KlineRow]()
    for moment in range(725):
        for number in range(97):
            price = 100.0 + rng.randrange(1_000) / 100
            if kind == "ticks":
                ts_ns = (BEGIN_S + moment) * SECOND
                ticks.append(TickRow(ts_ns, f"S{number:02}", price, 1.0, None, None, len(ticks) + 1))
            else:
                open_ms = (BEGIN_S + 300 * moment) // 300 * 300_000
                klines.append(KlineRow(open_ms, f"S{number:02}", "5m", price, price + 1, price - 1, price, 1.0))
    if kind == "klines":
        ticks.append(TickRow(BEGIN_S * SECOND, "S00", 100.0, 1.0, None, None, 1))
    traders = write_measuring_traders(tmp_path, REFERENCE, only=("every-close", "rank-last", "relative"))
    assert_same(ticks, klines, True, traders, rng, PACES[kind == "ticks"])
