"""One trader at work beside a real market: what it hands over, and what its successor makes of it."""

import re
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from common.codec import decode
from common.messages import Delta, Heartbeat, Snapshot
from common.runtime import Runtime
from common.settings import Settings
from common.traderapi import Market as View
from common.traderapi import Trader
from services.feed.growth import grown
from services.feed.market import Market
from services.trader.handover import inherit
from services.trader.order import Order
from services.trader.plugin import Plugin
from services.trader.post import FAILED_LIMIT_NS, MS, NO_SEGMENT_NS, REFUSED_NS, TOO_LARGE_NS, Post
from tests.support.markets import MINUTE, NOON, kline_batch, open_market, swap, tick_batch


def _counting(version: str = "1", **declaration: object) -> Plugin:
    """Matches what was updated, with how often as the score."""

    def evaluate(market: View) -> np.ndarray:
        market.state.updates += 1
        return np.asarray(market.state.updates, float)

    return Plugin(Trader(name="count", state={"updates": 0}, **declaration), evaluate, None, version)  # type: ignore[arg-type] # as given


class Desk:
    """A post, and what it sent."""

    def __init__(self, runtime: Runtime, folder: Path, plugin: Plugin) -> None:
        self.frames: list[bytes] = []
        self.legacy_path = folder / "count.handover"
        order = Order(folder / "count.py", "", {}, self.legacy_path)
        settings = Settings(runtime={"root": runtime.folder.parent}, instance=runtime.folder.name)  # type: ignore[arg-type] # as the environment gives it
        self.post = Post(order, plugin, 1, settings, runtime, self._send)

    def work(self, now_ns: int = 1) -> dict[str, float]:
        """Attach, step while there is something to do; gives the matches of the last snapshot or what entered since."""
        self.post.look(now_ns)
        while self.post.ready(now_ns):
            self.post.step(now_ns, lambda: None)
        found: dict[str, float] = {}
        for message in map(decode, self.frames):
            if isinstance(message, Snapshot):
                found = dict(message.matches)
            elif isinstance(message, Delta):
                found |= {**message.entered, **message.scores}
        self.frames.clear()
        return found

    def _send(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return True


def _trade(market: Market, *slots: int) -> None:
    market.apply(tick_batch(slots, [10.0] * len(slots)), 1)
    swap(market)


def test_its_numbers_go_on_with_a_successor(runtime: Runtime, market: Market, tmp_path: Path) -> None:
    """Of the same version: nothing counts twice, and what changed meanwhile counts once."""
    first = Desk(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        first.work()
    first.post.hand_over()
    _trade(market, 1)
    second = Desk(runtime, tmp_path, _counting())
    second.post.take_over(inherit(first.legacy_path))
    assert second.work() == {"S0": 3.0, "S1": 4.0}
    _trade(market, 0)
    assert second.work() == {"S0": 4.0}


def test_its_numbers_wait_for_a_feed(runtime: Runtime, market: Market, tmp_path: Path) -> None:
    """Successors that find no segment hand over what they were given."""
    desk = Desk(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        desk.work()
    pointer, away = runtime.pointer, tmp_path / "pointer"
    pointer.rename(away)
    for _ in range(2):
        desk.post.hand_over()
        desk = Desk(runtime, tmp_path, _counting())
        desk.post.take_over(inherit(desk.legacy_path))
        assert desk.work() == {}
    away.rename(pointer)
    _trade(market, 1)
    assert desk.work(10**18) == {"S0": 3.0, "S1": 4.0}


@pytest.mark.parametrize("grows", [0, 1, 2])
def test_its_numbers_over_generations(runtime: Runtime, market: Market, tmp_path: Path, grows: int) -> None:
    """Where the segment grew, be it twice before it looks, rows that it has seen do not count again, and what changed
    meanwhile counts once; where the feed began anew, each row counts as changed."""
    desk = Desk(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        desk.work()
    _trade(market, 1)
    with ExitStack() as resources:
        after = market
        for _ in range(grows):
            after = grown(after, runtime)
            resources.enter_context(after.segment)
            after.segment.publish(runtime)
        if not grows:
            after = resources.enter_context(open_market(runtime, symbols=2))
            _trade(after, 0, 1)
        now_ns = 10**18  # long after the last heartbeat
        desk.post.look(now_ns)
        assert desk.work(now_ns) == ({"S0": 3.0, "S1": 4.0} if grows else {"S0": 4.0, "S1": 4.0})
        _trade(after, 0)
        assert desk.work(now_ns) == {"S0": 4.0 if grows else 5.0}


def test_every_close_over_a_growth(runtime: Runtime, market: Market, tmp_path: Path) -> None:
    """A trader that wants each close, without numbers of its own, misses none while the segment grows."""
    seen: list[float] = []

    def evaluate(market: View) -> np.ndarray:
        seen.extend(market.candles.close[:, -1])
        return market.last > 0.0

    declared = Trader(name="count", channel="1m", candles="1m", look_back=1, columns=("close",), every_close=True)
    desk = Desk(runtime, tmp_path, Plugin(declared, evaluate, None))

    def close(at: Market, minute: int) -> None:
        at.apply(kline_batch([0], [float(minute)], NOON + minute * MINUTE), 1)
        swap(at)

    close(market, 1)
    desk.work()
    close(market, 2)
    close(market, 3)
    with grown(market, runtime).segment as segment:
        segment.publish(runtime)
        desk.post.look(10**18)
        desk.work(10**18)
    assert seen == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "other", [_counting("2"), Plugin(Trader(name="count"), lambda market: market.last > 5, None, "1")]
)
def test_another_version_or_kind_begins_anew(runtime: Runtime, market: Market, tmp_path: Path, other: Plugin) -> None:
    """Numbers mean what the code that wrote them says; the matches stay matches."""
    first = Desk(runtime, tmp_path, _counting())
    _trade(market, 0)
    _trade(market, 0)
    first.work()
    _trade(market, 0)
    first.work()
    first.post.hand_over()
    second = Desk(runtime, tmp_path, other)
    second.post.take_over(inherit(first.legacy_path))
    assert second.work() == {"S0": 1.0}


def test_matches_off_the_watch_list_are_dropped(runtime: Runtime, market: Market, tmp_path: Path) -> None:
    """They would never be evaluated again."""
    first = Desk(runtime, tmp_path, _counting())
    _trade(market, 0, 1)
    first.work()
    first.post.hand_over()
    second = Desk(runtime, tmp_path, _counting(watch=["S1"]))
    second.post.take_over(inherit(first.legacy_path))
    assert second.work() == {"S1": 1.0}


def test_a_result_too_large_for_a_message(
    runtime: Runtime, market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trader is failing and says why, goes on, and is well as soon as its result fits."""
    monkeypatch.setattr("common.codec.MAX_FRAME_BYTES", 900)
    words = ["x" * 200]

    def evaluate(market: View) -> object:
        everyone = np.ones(len(market), bool)
        return everyone, market.last, dict.fromkeys(range(len(market)), words[0])

    desk = Desk(runtime, tmp_path, Plugin(Trader(name="wordy"), evaluate, None))
    _trade(market, *range(4))
    assert desk.work(1) == {}

    def state(now_ns: int) -> tuple[str, str]:
        desk.post.look(now_ns)
        *_, beat = map(decode, desk.frames)
        assert isinstance(beat, Heartbeat)
        return beat.state, beat.error

    _trade(market, 0)
    assert desk.work(2) == {}
    failing, reason = state(TOO_LARGE_NS - MS)
    assert failing == "failing"
    assert reason.startswith("trader 'wordy': result with 4 matches and 4 notes: a message of ")
    words[0] = "x"
    market.apply(tick_batch(range(4), [11.0] * 4), 1)
    swap(market)
    assert desk.work(2 * TOO_LARGE_NS) == dict.fromkeys(("S0", "S1", "S2", "S3"), 11.0)
    assert state(3 * TOO_LARGE_NS)[1] == ""


def test_a_fault_is_in_the_log_with_time_and_stack(
    runtime: Runtime, market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once while it lasts; where it comes back, the line alone; another fault has its own stack."""
    words: list[str] = ["first", "first", "", "first", "second"]

    def evaluate(market: View) -> np.ndarray:
        if word := words.pop(0):
            raise ValueError(word)
        return market.last > 0.0

    desk = Desk(runtime, tmp_path, Plugin(Trader(name="faulty"), evaluate, None))
    _trade(market, 0)
    now_ns, logged = 1, []
    desk.post.look(now_ns)
    while words:
        if not desk.post.ready(now_ns):
            _trade(market, 0)
        desk.post.step(now_ns, lambda: None)
        now_ns += FAILED_LIMIT_NS
        logged.append(capsys.readouterr().err)
    begins = [re.sub(r"^[0-9-]{10}T[0-9:]{8}Z trader 'faulty': hook `evaluate` raised ", "", one) for one in logged]
    assert [one.partition("\n")[0] for one in begins] == [
        f"ValueError: {word}" if word else "" for word in ("first", "", "", "first", "second")
    ]
    assert [one.count("raise ValueError(word)") for one in logged] == [1, 0, 0, 0, 1]
    assert "plugin.py" not in logged[0]


def test_a_fault_whose_stack_cannot_be_told(
    runtime: Runtime,
    market: Market,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the memory limit there may be no room for it: the fault is told without."""

    def no_room(*_arguments: object, **_options: object) -> list[str]:
        raise MemoryError

    monkeypatch.setattr("traceback.format_tb", no_room)

    def evaluate(_market: View) -> np.ndarray:
        raise MemoryError("full")

    desk = Desk(runtime, tmp_path, Plugin(Trader(name="full"), evaluate, None))
    _trade(market, 0)
    desk.work()
    assert capsys.readouterr().err.endswith("trader 'full': hook `evaluate` raised MemoryError: full\n")


def test_a_refused_heartbeat_is_sent_again_soon(runtime: Runtime, tmp_path: Path) -> None:
    """And not only when the next one is due: the connection to the collector may not stand yet."""
    desk = Desk(runtime, tmp_path, _counting())
    taken: list[bytes] = []
    answers = [False, True, True]

    def send(frame: bytes) -> bool:
        taken.append(frame)
        return answers.pop(0)

    desk.post._send = send
    for now_ns in (MS, 2 * MS, MS + REFUSED_NS, MS + 2 * REFUSED_NS):
        desk.post.look(now_ns)
    assert len(taken) == 2


def test_it_waits_for_a_segment(runtime: Runtime, tmp_path: Path) -> None:
    """Without a feed it has nothing to do, says so, and looks again from time to time."""
    desk = Desk(runtime, tmp_path, _counting())
    desk.post.look(1)
    [beat] = map(decode, desk.frames)
    assert isinstance(beat, Heartbeat)
    assert (beat.state, beat.error) == ("waiting", "")
    assert not desk.post.ready(1)
    assert desk.post.due_ns(NO_SEGMENT_NS + MS) is None
