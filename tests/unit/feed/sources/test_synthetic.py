"""The generated market: the same for a seed, uneven as real ones, with phases; the test sets the time."""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pytest

from tests.support.markets.markets import NOON
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings_schema.feed import SyntheticBlock
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.arguments import Arguments
from tickflag.services.feed.market.updates import Batch
from tickflag.services.feed.sources.source import Venue
from tickflag.services.feed.sources.synthetic import SyntheticSource, zipf_shares

BEGAN_NS = 5 * NS_PER_S
INTERVALS_S = (60, 300)


def opened(**settings: Any) -> tuple[SyntheticSource, list[Batch], list[str]]:
    """A source at its start, its history, and the names of its symbols by slot."""
    names: list[str] = []

    def slot(name: str) -> int:
        names.append(name)
        return len(names) - 1

    source = SyntheticSource(SyntheticBlock(**settings))
    venue = Venue(slot, INTERVALS_S, BEGAN_NS, NOON, cast(Logger, RecordedLog()))
    return source, list(source.open(venue)), names


def drained(source: SyntheticSource, at_s: Iterable[float]) -> list[Batch]:
    """The batches from draining the source at these times after the start."""
    batches = [source.drain(BEGAN_NS + int(s * NS_PER_S), NOON + int(s * NS_PER_S)) for s in at_s]
    return [batch for several in batches for batch in several]


def ticks(source: SyntheticSource, first_s: float, last_s: float) -> int:
    """How many ticks come in that time, when the source is drained every tenth of a second."""
    return sum(len(batch.rows) for batch in drained(source, np.arange(first_s, last_s, 0.1)))


def test_the_seed_makes_the_market() -> None:
    """Drained at the same times, a seed gives the same names, history and ticks, byte for byte; another seed does
    not."""
    (one, past, names), (two, same_past, same_names), (other, other_past, _) = (opened(seed=s) for s in (3, 3, 4))
    assert names == same_names
    assert len(set(names)) == 300
    times = np.arange(0.0, 5.0, 0.05)
    runs = [past + drained(one, times), same_past + drained(two, times), other_past + drained(other, times)]
    first, second, third = ([batch.rows.tobytes() for batch in run] for run in runs)
    assert first == second
    assert first != third


def test_the_past_ends_where_the_ticks_begin() -> None:
    """Each symbol has its closed candles of each interval up to the last full one; ticks go on from their last
    close."""
    source, past, names = opened(symbols=20, history=7)
    assert [batch.is_ticks for batch in past] == [False, False]
    for batch, seconds in zip(past, INTERVALS_S, strict=True):
        rows = batch.rows.reshape(7, len(names))
        assert (rows["interval_s"] == seconds).all()
        assert rows["closed"].all()
        assert (np.diff(rows["open_ns"], axis=0) == seconds * NS_PER_S).all()
        assert (rows["open_ns"][-1] + seconds * NS_PER_S == NOON).all()
        assert (rows["low"] > 0).all()
        np.testing.assert_allclose(rows["open"][1:], rows["close"][:-1])
        assert (rows["low"] <= np.minimum(rows["open"], rows["close"])).all()
        assert (rows["high"] >= np.maximum(rows["open"], rows["close"])).all()
    source.command("burst", Arguments("burst", {"symbols": 20}))
    (burst,) = drained(source, [0.0])
    np.testing.assert_allclose(burst.rows["price"], past[0].rows[-20:]["close"][burst.rows["slot"]], rtol=0.02)
    assert opened(symbols=20, history=0)[1] == []


def test_activity_is_zipfs() -> None:
    """A few symbols make most of the ticks: the shares of the busiest follow Zipf's law."""
    source, _, names = opened(rate=20_000.0)
    slots = np.concatenate([batch.rows["slot"] for batch in drained(source, np.arange(0.0, 5.0, 0.1))])
    counts = np.sort(np.bincount(slots, minlength=len(names)))[::-1]
    np.testing.assert_allclose(counts[:5] / len(slots), zipf_shares(len(names))[:5], rtol=0.1)


def test_a_busy_phase_follows_a_quiet_one() -> None:
    """A busy phase lasts a fifth of the quiet one and is busier by the set factor; then the market is quiet again."""
    source, _, _ = opened(rate=200.0, busy_factor=5.0, phase_s=10.0)
    quiet, busy, again = ticks(source, 0.0, 10.0), ticks(source, 10.1, 12.0), ticks(source, 12.2, 22.0)
    assert quiet / 10 == pytest.approx(200, rel=0.15)
    assert busy / 2 == pytest.approx(1_000, rel=0.15)
    assert again / 10 == pytest.approx(200, rel=0.15)


def test_after_a_pause_it_does_not_catch_up() -> None:
    """A feed that stood still for an hour gets the ticks of a second."""
    source, _, _ = opened(rate=1_000.0, busy_factor=1.0)
    (batch,) = drained(source, [3_600.0])
    assert len(batch.rows) == pytest.approx(1_000, rel=0.2)


def test_a_market_at_rest() -> None:
    """With a rate of 0 only bursts tick; the source still says when to drain it again."""
    source, _, _ = opened(rate=0.0)
    assert drained(source, range(1, 20)) == []
    assert source.next_ns() == BEGAN_NS + 20 * NS_PER_S


def test_a_burst_is_so_many_symbols_at_once() -> None:
    """Each symbol ticks once, in the next turn. Too many symbols, none, and what is no number are refused."""
    source, _, _ = opened(symbols=50, rate=0.0)
    assert source.command("burst", Arguments("burst", {"symbols": 30})) == {"symbols": 30}
    assert source.next_ns() == BEGAN_NS  # at once
    (batch,) = drained(source, [0.0])
    assert len(set(batch.rows["slot"].tolist())) == len(batch.rows) == 30
    assert drained(source, [0.0]) == []
    for wrong in (0, 51, "5", None):
        with pytest.raises(TickflagError, match="argument 'symbols' of 'burst' must be a whole number from 1 to 50"):
            source.command("burst", Arguments("burst", {"symbols": wrong}))
    with pytest.raises(TickflagError, match="no command 'crash'"):
        source.command("crash", Arguments("crash", {}))


def test_ticks_are_sound() -> None:
    """Prices are above 0 and between bid and ask, sizes are whole, times are those of the turn."""
    source, _, _ = opened(rate=5_000.0)
    (batch,) = drained(source, [1.0])
    rows = batch.rows
    assert (rows["price"] > 0).all()
    assert (rows["bid"] > 0).all()
    assert (rows["bid"] < rows["ask"]).all()
    assert (rows["qty"] >= 1).all()
    assert (rows["event_ns"] == NOON + NS_PER_S).all()
