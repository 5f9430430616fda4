"""Candles from before the start: from the last run and from recordings; nothing from a damaged file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.markets.markets import MINUTE, NOON, kline_batch, open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag import save_recording
from tickflag.common.errors import TickflagError
from tickflag.common.protocol.rows import CandleWish, RowReader
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import CLOSE, CLOSED, VOLUME
from tickflag.common.settings_schema.feed import FeedBlock
from tickflag.common.units import NS_PER_S
from tickflag.services.feed import candle_file
from tickflag.services.feed.history import History
from tickflag.services.feed.market.market import MarketWriter

HOUR = 60 * MINUTE


class FakeLog:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda text, **fields: self.lines.append((text, fields))


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture
def log() -> Any:
    return FakeLog()


@contextmanager
def _started(
    runtime: Runtime, log: Any, history: list[str], wall_ns: int = NOON + HOUR, **plan: Any
) -> Iterator[MarketWriter]:
    """A market that begins with this history."""
    past = History(FeedBlock(history=history, history_age_s=3600), runtime, log)
    with open_market(runtime, **plan) as market:
        for one in past.batches(market.slot, wall_ns, market.next_watermark_ns):
            one.apply(market, 1)
        market.begin(0)
        yield market


def _candles(
    market: MarketWriter, symbol: str, interval: int = 0, forming: bool = False, n: int = 5
) -> list[list[float]]:
    """[close, volume] of the symbol's candles."""
    reader = RowReader(market.segment, 0, CandleWish(interval, n, (CLOSE, VOLUME), forming), 1)
    rows = reader.read(np.array([market.symbols.slot(symbol)], np.int32))
    assert rows.candles is not None
    assert rows.valid is not None
    found: list[list[float]] = rows.candles[:, 0, n - int(rows.valid[0]) :].T.tolist()
    return found


def _save(runtime: Runtime, fill: Callable[[MarketWriter], None], wall_ns: int = NOON + HOUR, **plan: Any) -> Path:
    """The file that a run with such a market leaves."""
    with open_market(runtime, **plan) as market:
        fill(market)
        History(FeedBlock(history=["last"]), runtime, FakeLog()).save(market, wall_ns)  # type: ignore[arg-type] # logs
    return candle_file.path(runtime)


def _two_minutes_and_a_half(market: MarketWriter) -> None:
    slots = [market.slot("A"), market.slot("B")]
    market.apply(kline_batch([slots[0]] * 7, range(1, 8), [NOON + n * MINUTE for n in range(7)], volume=10.0), 1)
    market.begin(0)  # the candles were history; what follows is built of trades
    market.apply(tick_batch([slots[0]], [9.0], NOON + 7 * MINUTE, qty=3.0), 1)
    market.apply(tick_batch([slots[1]], [5.0], NOON + 7 * MINUTE), 1)


# --- the last run


@pytest.mark.parametrize("depth", [2, 5, 9])
def test_the_last_run_goes_on(runtime: Runtime, log: Any, depth: int) -> None:
    """Closed candles are there again; the forming one gets further trades and closes at its end."""
    _save(runtime, _two_minutes_and_a_half)  # the ring of 5 has wrapped round
    with _started(runtime, log, ["last"], depth=depth, capacity=9) as market:
        kept = [[float(price), 10.0] for price in range(3, 8)][-depth:]
        assert _candles(market, "A", n=min(depth, 5)) == kept
        assert _candles(market, "A", forming=True, n=2) == [[7.0, 10.0], [9.0, 3.0]]
        assert _candles(market, "B", forming=True, n=1) == [[5.0, 1.0]]
        market.apply(tick_batch([0], [11.0], NOON + 7 * MINUTE + NS_PER_S, qty=4.0), 2)
        market.apply(tick_batch([0], [12.0], NOON + 8 * MINUTE), 2)
        assert _candles(market, "A", n=1) == [[11.0, 7.0]]
        assert market.segment.arrays.tickers["last"][:2].tolist() == [12.0, 5.0]
    assert log.lines == []


def test_other_symbols_and_intervals(runtime: Runtime, log: Any) -> None:
    """Slots may differ. A symbol that no longer trades is left out, and so is an interval that is no longer kept."""

    def fill(market: MarketWriter) -> None:
        _two_minutes_and_a_half(market)
        market.apply(tick_batch([market.slot("GONE")], [1.0], NOON, status=[1]), 1)

    _save(runtime, fill)
    with _started(runtime, log, ["last"], intervals_s=(30, 60)) as market:
        assert "GONE" not in market.symbols
        assert len(_candles(market, "A", interval=1)) == 5
        assert _candles(market, "A", interval=0) == []


def test_hours_count_into_the_day(runtime: Runtime, log: Any) -> None:
    """The 24 h figures of the last run's hours are there again."""

    def fill(market: MarketWriter) -> None:
        hours = [NOON + n * HOUR for n in range(3)]
        market.apply_saved(
            kline_batch([market.slot("A")] * 3, [4.0, 9.0, 2.0], hours, 3600, volume=5.0), 1, (3600,), 3600
        )

    _save(runtime, fill, intervals_s=(60, 3600))
    with _started(runtime, log, ["last"], intervals_s=(60, 3600)) as market:
        row = market.segment.arrays.tickers[0]
        assert [row[name].item() for name in ("open_24h", "high_24h", "low_24h", "volume_24h")] == [4.0, 9.0, 2.0, 15.0]


def test_without_the_setting_nothing_is_kept(runtime: Runtime, log: Any) -> None:
    """No file is written, and none is read."""
    with open_market(runtime, symbols=1) as market:
        History(FeedBlock(), runtime, log).save(market, NOON)
    assert not candle_file.path(runtime).exists()
    _save(runtime, _two_minutes_and_a_half)
    with _started(runtime, log, []) as market:
        assert len(market.symbols) == 0


def test_a_folder_that_cannot_be_written_is_told(runtime: Runtime, log: Any) -> None:
    """The stop goes on. The old file stays, without a half-written one beside it."""
    candle_file.path(runtime).mkdir()
    with open_market(runtime, symbols=1) as market:
        History(FeedBlock(history=["last"]), runtime, log).save(market, NOON)
    assert [text for text, _ in log.lines] == ["candles not saved"]
    assert [path.name for path in runtime.folder.glob("candles*")] == ["candles.npz"]


@pytest.mark.parametrize(
    ("wall_ns", "used"),
    [(NOON + HOUR, True), (NOON + 2 * HOUR, True), (NOON + 2 * HOUR + NS_PER_S, False), (NOON, False)],
)
def test_age(runtime: Runtime, log: Any, wall_ns: int, used: bool) -> None:
    """A file that is too old, or from the future, is not used, and the log says so."""
    _save(runtime, _two_minutes_and_a_half)
    with _started(runtime, log, ["last"], wall_ns) as market:
        assert (len(market.symbols) == 2) == used
    assert [text for text, _ in log.lines] == ([] if used else ["no history of the last run"])
    assert used or "s old; `feed.history_age_s` takes up to 3,600" in log.lines[0][1]["reason"]


def _without(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _other(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with np.load(path) as archive:
            found = {name: archive[name] for name in archive.files} | changes
        np.savez(path, **{name: value for name, value in found.items() if value is not None})

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_without, "it is written when the feed stops"),
        (_cut, "is damaged (BadZipFile"),
        (_flipped, "is damaged (BadZipFile"),
        (lambda path: path.write_bytes(b""), "is damaged (EOFError"),
        (lambda path: path.write_bytes(b"no archive at all"), "is damaged (ValueError"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is damaged ("),
        (_other(version=np.int64(9)), "was written by another version of this program"),
        (_other(rings=None), "is damaged (KeyError"),
        (_other(rings=np.zeros((2, 2, 7, 0))), "its arrays do not fit together"),
        (_other(rings=np.zeros((2, 3, 7, 5))), "its arrays do not fit together"),
        (_other(rings=np.zeros((2, 2, 7, 5), np.float32)), "its arrays do not fit together"),
        (_other(heads=np.full((2, 2), -1)), "its arrays do not fit together"),
        (_other(heads=np.zeros((2, 3), np.int64)), "its arrays do not fit together"),
        (_other(heads=np.zeros((2, 2))), "its arrays do not fit together"),
        (_other(opens=np.zeros((2, 2))), "its arrays do not fit together"),
        (_other(names=np.array(["A", "B"])), "its arrays do not fit together"),
        (_other(intervals_s=np.array([0, 60])), "its arrays do not fit together"),
        (_other(names=np.array([None, None])), "is damaged (ValueError"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_damaged_file_is_left_out(runtime: Runtime, log: Any, damage: Callable[[Path], None], reason: str) -> None:
    """The feed starts without the file, and one line of the log says why."""
    damage(_save(runtime, _two_minutes_and_a_half))
    with _started(runtime, log, ["last"]) as market:
        assert len(market.symbols) == 0
    ((text, fields),) = log.lines
    assert text == "no history of the last run"
    assert reason in fields["reason"]


def test_candles_that_cannot_be_are_rejected(runtime: Runtime, log: Any) -> None:
    """The market's kernels check every candle, whatever a file holds."""
    path = _save(runtime, _two_minutes_and_a_half)
    with np.load(path) as archive:
        rings = archive["rings"].copy()
    rings[0, 0, CLOSE, 0] = np.nan
    rings[0, 0, 0, 1] = np.inf
    rings[0, 0, 0, 2] = -1e300
    _other(rings=rings)(path)
    with _started(runtime, log, ["last"]) as market:
        assert len(_candles(market, "A")) == 2
        assert market.segment.counters()["rejected_updates"] == 3


# --- recordings


def _klines(path: Path, prices: list[float], interval: str = "1m", start_ns: int = NOON, step: int = MINUTE) -> str:
    frame = {"time": [start_ns + n * step for n in range(len(prices))], "volume": [10.0] * len(prices)}
    frame |= dict.fromkeys(("open", "high", "low", "close"), prices)
    save_recording(frame, path, symbol="A", interval=interval)
    return str(path)


def test_longer_candles_are_built_from_a_recording(runtime: Runtime, log: Any, tmp_path: Path) -> None:
    """One-minute candles build those of five minutes and the 24 h figures; then trades go on."""
    name = _klines(tmp_path / "k.parquet", [float(n) for n in range(1, 13)])
    with _started(runtime, log, [name], watermark_ns=2 * NS_PER_S) as market:
        assert _candles(market, "A") == [[float(n), 10.0] for n in range(8, 13)]
        assert _candles(market, "A", interval=1) == [[5.0, 50.0], [10.0, 50.0]]
        assert _candles(market, "A", interval=1, forming=True, n=1) == [[12.0, 20.0]]
        assert market.segment.arrays.tickers["volume_24h"][0] == 120.0
        market.apply(tick_batch([0], [20.0], NOON + 12 * MINUTE, qty=1.0), 1)
        market.apply(tick_batch([0], [21.0], NOON + 15 * MINUTE, qty=1.0), 1)
        assert _candles(market, "A", interval=1, n=1) == [[20.0, 21.0]]


def test_intervals_that_recordings_bring_are_taken_as_they_are(runtime: Runtime, log: Any, tmp_path: Path) -> None:
    """They are not built from shorter ones as well; later trades build them again."""
    names = [
        _klines(tmp_path / "1m.parquet", [1.0] * 10),
        _klines(tmp_path / "5m.parquet", [7.0, 8.0, 9.0], "5m", NOON - 5 * MINUTE, 5 * MINUTE),
    ]
    with _started(runtime, log, names) as market:
        assert _candles(market, "A", interval=1) == [[7.0, 10.0], [8.0, 10.0], [9.0, 10.0]]
        for minute in (10, 15):
            market.apply(tick_batch([0], [2.0], NOON + minute * MINUTE), 1)
        assert _candles(market, "A", interval=1, n=1) == [[2.0, 1.0]]


def test_trades_of_a_recording(runtime: Runtime, log: Any, tmp_path: Path) -> None:
    """Trades build candles as live ones do; the last run is applied after them."""
    path = tmp_path / "t.parquet"
    times = [NOON - 60 * MINUTE + n * 30 * NS_PER_S for n in range(4)]
    save_recording({"time": times, "price": [1.0, 2.0, 3.0, 4.0], "qty": [1.0] * 4}, path, symbol="A")
    with _started(runtime, log, [str(path)]) as market:
        assert _candles(market, "A") == [[2.0, 2.0]]
        assert _candles(market, "A", forming=True) == [[2.0, 2.0], [4.0, 2.0]]
    _save(runtime, _two_minutes_and_a_half)
    with _started(runtime, log, [str(path), "last"], depth=9) as market:
        assert [close for close, _ in _candles(market, "A", n=9)] == [2.0, 4.0, *map(float, range(3, 8))]


def test_a_recording_that_cannot_be_opened(runtime: Runtime, log: Any, tmp_path: Path) -> None:
    """Such a path is a mistake in the settings."""
    with pytest.raises(TickflagError, match=r"setting `feed.history`: .*nothing.parquet: cannot be opened"):
        History(FeedBlock(history=[str(tmp_path / "nothing.parquet")]), runtime, log)


def test_a_recording_that_ends_early(runtime: Runtime, log: Any, tmp_path: Path) -> None:
    """What was read before stays; the log reports each row at fault, the early end, and how many rows were at fault."""
    import gzip

    lines = [f'{{"recv_ns": {NOON + n}, "msg": {{"e": "trade", "s": "A", "p": "1", "q": "1", "T": {NOON // 10**6}}}}}'
             for n in range(20_000)]  # fmt: skip
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(["{bad", *lines]).encode())[:-4000])
    with _started(runtime, log, [str(path)]) as market:
        assert market.segment.counters()["updates"] > 0
    assert [text for text, _ in log.lines] == ["row refused", "history ends early", "rows at fault"]


def test_flags_and_cycles_are_as_ever(runtime: Runtime, log: Any) -> None:
    """The first cycle announces the history."""
    _save(runtime, _two_minutes_and_a_half)
    with _started(runtime, log, ["last"]) as market:
        assert market.dirty
        market.swap(lambda *_event: None, 2)
        assert market.segment.arrays.control[CLOSED] == 1
