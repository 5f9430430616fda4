"""One trader at work beside a real market: what it hands over, and what its successor does with it."""

import re
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.support.markets.markets import MINUTE, NOON, kline_batch, open_market, swap, tick_batch
from tickflag import Market as View
from tickflag import Trader
from tickflag.common.histogram import LATENCY_BOUNDS_NS
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.codec import decode, encode_event
from tickflag.common.wire.messages import Control, Delta, Fault, Heartbeat, Snapshot
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.worker.handover import inherit
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.session import (
    FAILED_FIRST_NS,
    FAILED_LIMIT_NS,
    NO_SEGMENT_NS,
    REFUSED_NS,
    TOO_LARGE_NS,
    TraderSession,
)


def _counting(version: str = "1", **declaration: object) -> Plugin:
    """A trader that matches every symbol, with the number of its updates as score."""

    def evaluate(market: View) -> np.ndarray:
        market.state.updates += 1
        return np.asarray(market.state.updates, float)

    return Plugin(Trader(name="count", state={"updates": 0}, **declaration), evaluate, None, version)  # type: ignore[arg-type] # as given


class SessionHarness:
    """A session, and the frames it sent."""

    def __init__(self, runtime: Runtime, folder: Path, plugin: Plugin) -> None:
        self.frames: list[bytes] = []
        self.handover_path = folder / "count.handover"
        spec = LaunchSpec(folder / "count.py", "", {}, self.handover_path)
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            audit={"share": 0.0},  # type: ignore[arg-type] # as above; else an evaluation may come twice
        )
        self.session = TraderSession(spec, plugin, 1, settings, runtime, self._send)

    def work(self, now_ns: int = 1) -> dict[str, float]:
        """Attach, and step while there is something to do; gives the matches of the last snapshot, or what entered
        since."""
        self.session.housekeep(now_ns)
        while self.session.ready(now_ns):
            self.session.step(now_ns, lambda: None)
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


def _trade(market: MarketWriter, *slots: int) -> None:
    market.apply(tick_batch(slots, [10.0] * len(slots)), 1)
    swap(market)


def test_its_numbers_go_on_with_a_successor(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """With a successor of the same version nothing counts twice, and what changed meanwhile counts once."""
    first = SessionHarness(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        first.work()
    first.session.hand_over()
    _trade(market, 1)
    second = SessionHarness(runtime, tmp_path, _counting())
    second.session.take_over(inherit(first.handover_path))
    assert second.work() == {"S0": 3.0, "S1": 4.0}
    _trade(market, 0)
    assert second.work() == {"S0": 4.0}


def test_its_numbers_wait_for_a_feed(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """A successor that finds no segment hands over what it was given."""
    harness = SessionHarness(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        harness.work()
    pointer, away = runtime.pointer, tmp_path / "pointer"
    pointer.rename(away)
    for _ in range(2):
        harness.session.hand_over()
        harness = SessionHarness(runtime, tmp_path, _counting())
        harness.session.take_over(inherit(harness.handover_path))
        assert harness.work() == {}
    away.rename(pointer)
    _trade(market, 1)
    assert harness.work(10**18) == {"S0": 3.0, "S1": 4.0}


@pytest.mark.parametrize("grows", [0, 1, 2])
def test_its_numbers_over_generations(runtime: Runtime, market: MarketWriter, tmp_path: Path, grows: int) -> None:
    """A segment that grew, be it twice between two checks, is no new beginning: rows that the trader has seen do not
    count again, and what changed meanwhile counts once.

    Where the feed began anew, each row counts as changed.
    """
    harness = SessionHarness(runtime, tmp_path, _counting())
    for _ in range(3):
        _trade(market, 0, 1)
        harness.work()
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
        harness.session.housekeep(now_ns)
        assert harness.work(now_ns) == ({"S0": 3.0, "S1": 4.0} if grows else {"S0": 4.0, "S1": 4.0})
        _trade(after, 0)
        assert harness.work(now_ns) == {"S0": 4.0 if grows else 5.0}


def test_every_close_over_a_growth(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """A trader that wants each close, without numbers of its own, misses none while the segment grows."""
    seen: list[float] = []

    def evaluate(market: View) -> np.ndarray:
        seen.extend(market.candles.close[:, -1])
        return market.last > 0.0

    declared = Trader(name="count", channel="1m", candles="1m", look_back=1, columns=("close",), every_close=True)
    harness = SessionHarness(runtime, tmp_path, Plugin(declared, evaluate, None))

    def close(at: MarketWriter, minute: int) -> None:
        at.apply(kline_batch([0], [float(minute)], NOON + minute * MINUTE), 1)
        swap(at)

    close(market, 1)
    harness.work()
    close(market, 2)
    close(market, 3)
    with grown(market, runtime).segment as segment:
        segment.publish(runtime)
        harness.session.housekeep(10**18)
        harness.work(10**18)
    assert seen == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "other", [_counting("2"), Plugin(Trader(name="count"), lambda market: market.last > 5, None, "1")]
)
def test_another_version_or_kind_begins_anew(
    runtime: Runtime, market: MarketWriter, tmp_path: Path, other: Plugin
) -> None:
    """Numbers mean what the code that wrote them says, so they are dropped; the matches stay."""
    first = SessionHarness(runtime, tmp_path, _counting())
    _trade(market, 0)
    _trade(market, 0)
    first.work()
    _trade(market, 0)
    first.work()
    first.session.hand_over()
    second = SessionHarness(runtime, tmp_path, other)
    second.session.take_over(inherit(first.handover_path))
    assert second.work() == {"S0": 1.0}


def test_matches_off_the_watch_list_are_dropped(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """Such matches would never be evaluated again."""
    first = SessionHarness(runtime, tmp_path, _counting())
    _trade(market, 0, 1)
    first.work()
    first.session.hand_over()
    second = SessionHarness(runtime, tmp_path, _counting(watch=["S1"]))
    second.session.take_over(inherit(first.handover_path))
    assert second.work() == {"S1": 1.0}


def test_a_result_too_large_for_a_message(
    runtime: Runtime, market: MarketWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trader is failing, says why, and goes on. It is well as soon as its result fits."""
    monkeypatch.setattr("tickflag.common.wire.codec.MAX_FRAME_BYTES", 900)
    words = ["x" * 200]

    def evaluate(market: View) -> object:
        everyone = np.ones(len(market), bool)
        return everyone, market.last, dict.fromkeys(range(len(market)), words[0])

    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="wordy"), evaluate, None))
    _trade(market, *range(4))
    assert harness.work(1) == {}

    def state(now_ns: int) -> tuple[str, str]:
        harness.session.housekeep(now_ns)
        *_, beat = map(decode, harness.frames)
        assert isinstance(beat, Heartbeat)
        return beat.state, beat.error

    _trade(market, 0)
    assert harness.work(2) == {}
    failing, reason = state(TOO_LARGE_NS - NS_PER_MS)
    assert failing == "failing"
    assert reason.startswith("trader 'wordy': result with 4 matches and 4 notes: a message of ")
    words[0] = "x"
    market.apply(tick_batch(range(4), [11.0] * 4), 1)
    swap(market)
    assert harness.work(2 * TOO_LARGE_NS) == dict.fromkeys(("S0", "S1", "S2", "S3"), 11.0)
    assert state(3 * TOO_LARGE_NS)[1] == ""


def test_a_fault_is_in_the_log_with_time_and_stack(
    runtime: Runtime, market: MarketWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stack comes once while the fault lasts. A fault that comes back has the line alone; another fault has its own
    stack."""
    words: list[str] = ["first", "first", "", "first", "second"]

    def evaluate(market: View) -> np.ndarray:
        if word := words.pop(0):
            raise ValueError(word)
        return market.last > 0.0

    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="faulty"), evaluate, None))
    _trade(market, 0)
    now_ns, logged = 1, []
    harness.session.housekeep(now_ns)
    while words:
        if not harness.session.ready(now_ns):
            _trade(market, 0)
        harness.session.step(now_ns, lambda: None)
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
    market: MarketWriter,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the memory limit there may be no room for the stack: the fault is reported without it."""

    def no_room(*_arguments: object, **_options: object) -> list[str]:
        raise MemoryError

    monkeypatch.setattr("traceback.format_tb", no_room)

    def evaluate(_market: View) -> np.ndarray:
        raise MemoryError("full")

    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="full"), evaluate, None))
    _trade(market, 0)
    harness.work()
    assert capsys.readouterr().err.endswith("trader 'full': hook `evaluate` raised MemoryError: full\n")


def test_a_refused_heartbeat_is_sent_again_soon(runtime: Runtime, tmp_path: Path) -> None:
    """The heartbeat does not wait until the next one is due: the connection to the collector may not be up yet."""
    harness = SessionHarness(runtime, tmp_path, _counting())
    taken: list[bytes] = []
    answers = [False, True, True]

    def send(frame: bytes) -> bool:
        taken.append(frame)
        return answers.pop(0)

    harness.session._send = send
    for now_ns in (NS_PER_MS, 2 * NS_PER_MS, NS_PER_MS + REFUSED_NS, NS_PER_MS + 2 * REFUSED_NS):
        harness.session.housekeep(now_ns)
    assert len(taken) == 2


def test_it_waits_for_a_segment(runtime: Runtime, tmp_path: Path) -> None:
    """Without a feed the trader has nothing to do, says so, and checks again from time to time."""
    harness = SessionHarness(runtime, tmp_path, _counting())
    harness.session.housekeep(1)
    [beat] = map(decode, harness.frames)
    assert isinstance(beat, Heartbeat)
    assert (beat.state, beat.error) == ("waiting", "")
    assert not harness.session.ready(1)
    assert harness.session.due_ns(NO_SEGMENT_NS + NS_PER_MS) is None


def _all_match(market: View) -> np.ndarray:
    return market.last > 0.0


def test_ctrl_c_that_a_trader_raises_is_its_fault(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """The real interrupt does not reach a worker."""

    def evaluate(_market: View) -> np.ndarray:
        raise KeyboardInterrupt

    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="rude"), evaluate, None))
    _trade(market, 0)
    harness.session.housekeep(1)
    harness.session.step(1, lambda: None)
    harness.session.beat("failing", 1)
    beat = decode(harness.frames[-1])
    assert isinstance(beat, Heartbeat)
    assert (beat.error, beat.failures) == ("trader 'rude': raised KeyboardInterrupt", 1)
    assert not harness.session.ready(1)
    assert harness.session.due_ns(1) == 1 + FAILED_FIRST_NS


def test_a_refused_result_is_sent_again_soon(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """A snapshot is sent once the collector may be back; until then nothing is encoded."""
    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="patient"), _all_match, None))
    _trade(market, 0)
    offered: list[bytes] = []
    harness.session._results._send = lambda frame: bool(offered.append(frame))  # type: ignore[func-returns-value] # None
    assert harness.work() == {}
    assert len(offered) == 1
    harness.session._results._send = harness._send
    assert harness.work(REFUSED_NS) == {}
    assert harness.work(1 + REFUSED_NS) == {"S0": 1.0}


def test_a_sign_of_life_out_of_a_long_step(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """A heartbeat is sent where one is due, and only then."""
    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="slow"), _all_match, None))
    harness.session.housekeep(1)
    harness.frames.clear()
    harness.session.beat_if_due(2)
    assert harness.frames == []
    harness.session.beat_if_due(10**12)
    assert [type(message) for message in map(decode, harness.frames)] == [Heartbeat]


def test_a_heartbeat_tells_how_long_cycles_took(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """All of the incarnation, by their time; no count shrinks."""
    harness = SessionHarness(runtime, tmp_path, _counting())
    told = []
    for cycles in (1, 2):
        _trade(market, 0)
        harness.work(cycles)
        harness.session.beat("running", cycles)
        beat = decode(harness.frames.pop())
        assert isinstance(beat, Heartbeat)
        assert len(beat.cost_buckets) == len(LATENCY_BOUNDS_NS) + 1
        assert sum(beat.cost_buckets) == beat.cycles == cycles
        told.append(beat.cost_sum_ns)
    assert 0 < told[0] < told[1]


def test_a_snapshot_is_sent_when_it_is_asked_for(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """The snapshot has the token of the request, once; a request to another trader brings none."""
    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="asked"), _all_match, None))
    _trade(market, 0)
    harness.work()
    for resync in ({"other": 5}, {"asked": 7}, {"asked": 7}):
        harness.session.follow_control(Control(state_version=1, time_ms=1, resync=resync))
        while harness.session.ready(1):
            harness.session.step(1, lambda: None)
    [snapshot] = map(decode, harness.frames)
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.token, snapshot.matches) == (7, {"S0": 1.0})


def test_events_are_hints(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """Three events change nothing: one of the trader's own segment, one that cannot be read, one from before it
    attached.

    An event of another generation makes the session check for a new segment, and begin on it.
    """
    harness = SessionHarness(runtime, tmp_path, Plugin(Trader(name="hinted"), _all_match, None))
    own: list[bytes] = []
    market.apply(tick_batch([0], [10.0]), 1)
    market.swap(lambda event: own.extend((encode_event(event), encode_event(event._replace(segment="other")))), 1)
    harness.session.follow_event(own[0])
    harness.work()
    runner = harness.session._runner
    after = grown(market, runtime)
    try:
        after.segment.publish(runtime)
        for frame in (*own, b"nonsense"):
            harness.session.follow_event(frame)
            assert harness.session._runner is runner
        other: list[bytes] = []
        after.apply(tick_batch([1], [10.0]), 1)
        after.swap(lambda event: other.append(encode_event(event)), 1)
        harness.session.follow_event(other[0])
        assert harness.session._runner is None
        assert harness.session.due_ns(1) is None
        assert harness.work() == {"S0": 1.0, "S1": 1.0}
        harness.session.follow_event(other[0])
        assert harness.session._runner is not None
    finally:
        after.segment.close()


def test_an_interval_that_the_feed_does_not_keep(
    runtime: Runtime, market: MarketWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trader reports it in its log and to the collector, and tries again from time to time."""
    trader = Trader(name="hourly", candles="1h", look_back=2)
    harness = SessionHarness(runtime, tmp_path, Plugin(trader, _all_match, None))
    for now_ns in (1, 2, 10**12):
        harness.session.housekeep(now_ns)
    assert capsys.readouterr().err.count("trader 'hourly': ") == 1
    beat = decode(harness.frames[-1])
    assert isinstance(beat, Heartbeat)
    assert (beat.state, "1h" in beat.error) == ("failing", True)


def test_closes_that_came_too_late_are_told(runtime: Runtime, market: MarketWriter, tmp_path: Path) -> None:
    """A trader that wants each close reports them as a gap."""
    trader = Trader(name="each", channel="1m", candles="1m", look_back=2, columns=("close",), every_close=True)
    harness = SessionHarness(runtime, tmp_path, Plugin(trader, _all_match, None))
    for minutes in ([0], range(1, 10)):  # the ring holds five
        for minute in minutes:
            market.apply(kline_batch([0], [1.0], NOON + minute * MINUTE), 1)
        swap(market)
        harness.session.housekeep(1)
        harness.session.step(1, lambda: None)
    faults = [message for message in map(decode, harness.frames) if isinstance(message, Fault)]
    assert [(fault.what, fault.text) for fault in faults] == [
        ("gap", "closed candles were overwritten before they were evaluated")
    ]


def test_names_that_are_no_symbols_are_told_once_the_market_is_known(
    runtime: Runtime, market: MarketWriter, tmp_path: Path
) -> None:
    """Not while symbols are still added; when there are more, again."""
    harness = SessionHarness(runtime, tmp_path, _counting(watch=["s1", "S99"]))
    told = []
    for beat in range(1, 4):
        harness.session.housekeep(beat * 10**12)
        told.append(harness.session.absent_names.text)
    assert told == ["", *["`watch`: no symbol is named s1 (did you mean S1?), S99 (did you mean S9?)"] * 2]
    market.symbols.slot("S99")
    for beat in range(4, 6):
        harness.session.housekeep(beat * 10**12)
        told.append(harness.session.absent_names.text)
    assert told[-1] == "`watch`: no symbol is named s1 (did you mean S1?)"
