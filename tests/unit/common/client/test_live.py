"""A notebook sees what feed and collector have, and is told what does not run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.harnesses.collector_process import CollectorProcess, FakeWorker
from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.markets.markets import MINUTE, NOON, kline_batch, open_market, tick_batch
from tickflag import Live, attach
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.segment import AttachError
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.requests import Unreachable
from tickflag.services.feed.market.market import MarketWriter


@contextmanager
def _feed(runtime: Runtime, **plan: Any) -> Iterator[MarketWriter]:
    """A market that a running feed would have."""
    with Role(runtime, "feed"), open_market(runtime, **plan) as market:
        yield market


@pytest.fixture
def settled(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The runtime folder, named by the settings."""
    monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
    monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
    monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
    return runtime


@pytest.fixture
def live(settled: Runtime) -> Iterator[Live]:
    """A client that was attached while a role was held; nothing runs when the test begins."""
    with Role(settled, "feed"), attach() as live:
        pass
    yield live
    live.close()


def test_the_market(settled: Runtime, live: Live) -> None:
    """Symbols with data are listed, with their tickers and ages; others are left out."""
    with _feed(settled, symbols=3) as market:
        market.apply(tick_batch([0, 2], [1.5, 3.5], [NOON, NOON + NS_PER_S], bid=[1.0, np.nan], status=[0, 1]), 1)
        frame = live.market()
        assert frame.index.tolist() == ["S0", "S2"]
        assert frame["last"].tolist() == [1.5, 3.5]
        assert frame["bid"].isna().tolist() == [False, True]
        assert frame["trading"].tolist() == [True, False]
        assert frame.loc["S0", "time"] == pd.Timestamp(NOON, tz="UTC")
        assert frame.loc["S0", "age_s"] == pytest.approx(frame.loc["S2", "age_s"] + 1.0, abs=1e-3)
        assert live.market(["S2"])["last"].tolist() == [3.5]
        market.apply(tick_batch([0], [2.5]), 2)
        assert frame.loc["S0", "last"] == 1.5
        assert live.market().loc["S0", "last"] == 2.5
        assert live.market([]).empty
        with pytest.raises(TickflagError, match="no symbol 'S9' among the 3 of the segment: did you mean S"):
            live.market(["S9"])


def test_candles(settled: Runtime, live: Live) -> None:
    """Candles of one symbol by time, of several by symbol and time: as many as there are, with the forming one on
    request."""
    with _feed(settled, symbols=3) as market:
        minutes = [NOON + number * MINUTE for number in range(4)]
        market.apply(kline_batch([0] * 4, [1.0, 2.0, 3.0, 4.0], minutes), 1)
        market.apply(kline_batch([1], [9.0]), 1)
        market.apply(tick_batch([0], [5.0], NOON + 4 * MINUTE), 1)
        alone = live.candles("S0", "1m")
        assert alone.index.tolist() == [pd.Timestamp(time, tz="UTC") for time in minutes]
        assert alone["close"].tolist() == [1.0, 2.0, 3.0, 4.0]
        assert list(alone.columns) == ["open", "high", "low", "close", "volume", "trades"]
        assert live.candles("S0", "1m", n=2)["close"].tolist() == [3.0, 4.0]
        assert live.candles("S0", "1m", n=2, forming=True)["close"].tolist() == [4.0, 5.0]
        assert live.candles("S2", "1m").empty
        every = live.candles("1m", n=2)
        assert every["close"].tolist() == [3.0, 4.0, 9.0]
        assert every.index.get_level_values("symbol").tolist() == ["S0", "S0", "S1"]
        assert live.candles("1m", symbols=["S1"])["close"].tolist() == [9.0]
        for n in (0, 6):
            with pytest.raises(TickflagError, match=f"n must be 1 to 5, not {n}: the feed keeps `segment.depth`"):
                live.candles("S0", "1m", n=n)
        with pytest.raises(TickflagError, match="this feed keeps no '3m' candles; it keeps 1m, 5m"):
            live.candles("3m")


def test_a_new_generation_is_found(settled: Runtime, live: Live) -> None:
    """A restarted feed has other slots; the next call sees its market."""
    with _feed(settled, symbols=2) as market:
        market.apply(tick_batch([1], [1.0]), 1)
        assert live.market().index.tolist() == ["S1"]
    with _feed(settled) as market:
        market.apply(tick_batch([market.slot("NEW")], [2.0]), 1)
        assert live.market().index.tolist() == ["NEW"]


def test_a_row_that_stays_locked(settled: Runtime, live: Live) -> None:
    """A feed that stands still within an update is told apart from a busy one."""
    with _feed(settled, symbols=2) as market:
        market.apply(tick_batch([0, 1], [1.0, 2.0]), 1)
        market.segment.arrays.versions[1] += 1
        with pytest.raises(TickflagError, match="1 rows stay locked: the feed stands still"):
            live.market()
        assert live.market(["S0"])["last"].tolist() == [1.0]


def test_what_does_not_run_is_told(settled: Runtime, live: Live) -> None:
    """The error has the command that starts it. A feed without a segment is starting; a damaged segment is reported as
    damaged."""
    questions: list[Callable[[], Any]] = [live.market, lambda: live.candles("1m")]
    for question in questions:
        with pytest.raises(Unreachable, match=r"no feed is running for instance .* \(start it with `tickflag start`\)"):
            question()
    for question in (live.matches, live.signals, live.traders):
        with pytest.raises(Unreachable, match="no collector is running for instance"):
            question()
    with Role(settled, "feed"):
        with pytest.raises(Unreachable, match=r"the feed \(pid \d+\) is starting: try again"):
            live.market()
        (settled.folder / "x.seg").write_bytes(b"nothing like it" * 999)
        settled.write_pointer("x.seg")
        with pytest.raises(AttachError, match="not a tickflag segment"):
            live.market()


def test_attaching(settled: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings choose the engine, or name and folder do; an engine that does not run is reported at once."""
    where = settled.folder.parent
    with pytest.raises(Unreachable, match=rf"no engine is running for instance '{settled.folder.name}' in {where} "):
        attach()
    monkeypatch.delenv("TICKFLAG_RUNTIME__ROOT")
    monkeypatch.delenv("TICKFLAG_INSTANCE")
    with _feed(settled, symbols=1) as market:
        market.apply(tick_batch([0], [1.0]), 1)
        with attach(settled.folder.name, root=where, frame="numpy") as live:
            assert live.market()["symbol"].tolist() == ["S0"]
    with pytest.raises(TickflagError, match=r"instance '\.\./x'"):
        attach("../x", root=tmp_path)


def test_matches_signals_and_traders(settled: Runtime) -> None:
    """The collector's view of one trader and of all; the newest signals and those after a number."""
    site = CollectorProcess(settled)
    try:
        one, two = (FakeWorker(FakeTrader(name), site.results, site.controls) for name in ("one", "two"))

        def reported() -> bool:
            for worker, matches in ((one, {"A": 1.0, "B": 3.0}), (two, {"C": 2.0})):
                worker.trader.matches = matches
                worker.beat()
            one.send(roster("one", "two", "new"))
            return len(site.ask("traders")) == 3 and len(site.journalled()) == 3

        site.wait_for(reported)
        with attach() as live:
            every = live.matches()
            assert every["symbol"].tolist() == ["B", "A", "C"]
            assert every["trader"].tolist() == ["one", "one", "two"]
            assert every["score"].tolist() == [3.0, 1.0, 2.0]
            assert not every["stale"].any()
            assert live.matches("two")["symbol"].tolist() == ["C"]
            with pytest.raises(TickflagError, match="no trader 'nobody'"):
                live.matches("nobody")
            assert live.traders().index.tolist() == ["new", "one", "two"]
            assert live.traders().loc["one", "matches"] == 2
            assert live.signals(since=0).index.tolist() == [1, 2, 3]
            assert live.signals(since=1, limit=1).index.tolist() == [2]
            assert live.signals(limit=2).index.tolist() == [2, 3]
            assert live.signals(0, trader="two", limit=None)["symbol"].tolist() == ["C"]
            assert set(live.signals()["event"]) == {"entered"}
            assert live.signals(3).empty
            with pytest.raises(TickflagError, match="signals without a `limit` need a `since`"):
                live.signals(limit=None)
            two.change({})
            site.wait_for(lambda: len(site.journalled()) == 4)
            assert live.matches("two").empty
    finally:
        site.close()


def test_a_collector_that_knows_nobody(settled: Runtime) -> None:
    """Empty frames have their columns."""
    site = CollectorProcess(settled)
    try:
        site.wait_for(lambda: site.ask("traders") == [])
        with attach() as live:
            assert list(live.matches().columns) == ["symbol", "trader", "score", "stale", "note"]
            assert live.traders().empty
            assert list(live.signals().columns) == ["time", "trader", "symbol", "event", "score", "cycle", "note"]
    finally:
        site.close()
