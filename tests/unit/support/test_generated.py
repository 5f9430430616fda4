"""The generated recording is what its generator makes."""

import pyarrow.parquet as parquet

from tests.support.markets import generated


def test_the_files_are_what_the_generator_makes() -> None:
    """Each column and row is the same on any machine."""
    for path, table in zip((generated.TICKS, generated.KLINES), generated.tables(), strict=True):
        assert parquet.read_table(path).equals(table)
        assert path.stat().st_size < 300_000


def test_it_is_a_quiet_market_with_every_kind_of_row() -> None:
    """40 symbols, a few of which make most of the ticks; trades, quotes and one-sided quotes; several at one time."""
    ticks, klines = generated.generate()
    names = [row[1] for row in ticks]
    assert len(set(names)) == len({row[1] for row in klines}) == generated.SYMBOLS
    counts = sorted((names.count(name) for name in set(names)), reverse=True)
    assert sum(counts[:4]) > len(names) * 0.4
    shapes = {tuple(value is None for value in row[2:]) for row in ticks}
    assert len(shapes) == 4
    times = [row[0] for row in ticks]
    assert times == sorted(times)
    assert 0.8 * len(times) < len(set(times)) < 0.95 * len(times)
    assert times[-1] - times[0] > 19 * 60 * 10**9
