"""The worker's loop in a thread of the test: the supervisor's words in, the answers and the traders' messages out."""

import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
import zmq

from tests.support.markets.markets import swap, tick_batch
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.codec import decode, encode, encode_event
from tickflag.common.wire.messages import Control, Delta, Heartbeat, Snapshot
from tickflag.common.wire.sockets import CONTROL_OUT, EVENTS_OUT, RESULTS_IN, Context, Socket, open_socket, receive
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.worker import worker as module
from tickflag.services.trader.worker.activity_word import IDLE, ActivityWord
from tickflag.services.trader.worker.handover import inherit
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.worker import Worker, run_worker, send_word

WITHIN_S = 60.0

HIGH = """
    from tickflag import Trader, hookimpl

    @hookimpl
    def trader():
        return Trader(name="high")

    @hookimpl
    def evaluate{hook}
"""
VECTOR = HIGH.format(hook="(market):\n        return market.last > 10.0, market.last")
SINGLE = HIGH.format(hook="_symbol(symbol):\n        return symbol.last if symbol.last > 10.0 else None")


class WorkerThread:
    """A worker, with the supervisor's end of its pipe and the collector's and feed's ends of its sockets."""

    def __init__(self, context: Context, runtime: Runtime, folder: Path) -> None:
        self._folder = folder
        self.supervisor, pipe = Pipe()
        self.results = open_socket(context, runtime, RESULTS_IN)
        self.control = open_socket(context, runtime, CONTROL_OUT)
        self.events = open_socket(context, runtime, EVENTS_OUT)
        self.activity = ActivityWord(ActivityWord.words(get_context("forkserver")))
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            trader={"heartbeat_ms": 20.0, "slow_share": 1e-6},  # type: ignore[arg-type] # as above
        )
        self.messages: list[Any] = []
        self._pipe = pipe
        self._worker = Worker(settings, context, pipe, self.activity)
        self._thread = threading.Thread(target=self._worker.run)
        self._thread.start()

    def load(self, text: str, member: int = 1, name: str = "") -> dict[str, Any]:
        """Write a trader's file and have it loaded; gives the worker's answer."""
        path = self._folder / f"member{member}.py"
        path.write_text(textwrap.dedent(text))
        self.spec = LaunchSpec(path, name, {}, self._folder / f"{member}.handover")
        self.say(member, "load", spec=self.spec.to_words())
        return self.told()

    def say(self, member: int, word: str, **words: Any) -> None:
        send_word(self.supervisor, member=member, word=word, **words)

    def go(self, member: int = 1, inherits: bool = False) -> None:
        self.say(member, "go", incarnation=member, inherits=inherits)

    def told(self) -> dict[str, Any]:
        """The worker's next message to the supervisor, except one about a slow trader."""
        while self.supervisor.poll(WITHIN_S):
            words: dict[str, Any] = msgpack.unpackb(self.supervisor.recv_bytes())
            if words["state"] != "slow":
                return words
        raise AssertionError("the worker says nothing")

    def until(self, true: Callable[[Any], bool]) -> Any:
        """The first message to the collector for which `true` holds."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if self.results.poll(100):
                frame = receive(self.results)
                assert frame is not None
                self.messages.append(decode(frame))
                if true(self.messages[-1]):
                    return self.messages[-1]
        raise AssertionError(f"among {self.messages}")

    def ended(self) -> bool:
        self._thread.join(WITHIN_S)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.supervisor.close()
        assert self.ended()
        self._pipe.close()
        sockets: list[Socket | None] = [self.results, self.control, self.events]
        sockets += [self._worker._events, self._worker._control, self._worker._results]
        for socket in sockets:
            if socket is not None:
                socket.close(linger=0)


@pytest.fixture
def worker(runtime: Runtime, tmp_path: Path) -> Iterator[WorkerThread]:
    context: Context = zmq.Context()
    thread = WorkerThread(context, runtime, tmp_path)
    try:
        yield thread
    finally:
        thread.close()
        context.term()


def _trade(market: MarketWriter, price: float, *slots: int) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)
    swap(market)


def _of(kind: type[Any], **fields: Any) -> Callable[[Any], bool]:
    return lambda message: (
        isinstance(message, kind) and all(getattr(message, name) == value for name, value in fields.items())
    )


def test_a_trader_is_loaded_and_runs_when_it_is_told(worker: WorkerThread, market: MarketWriter) -> None:
    """A trader reports its name, sends its matches, and sends a last heartbeat when it is stopped; without a trader the
    worker ends."""
    _trade(market, 20.0, 1, 2)
    ready = worker.load(VECTOR)
    assert {name: ready[name] for name in ("member", "state", "name", "helpers")} == {
        "member": 1, "state": "ready", "name": "high", "helpers": [],
    }  # fmt: skip
    assert worker.activity.began_ns == IDLE
    worker.go()
    assert worker.until(_of(Snapshot)).matches == {"S1": 20.0, "S2": 20.0}
    assert worker.activity.member == 1
    worker.say(1, "stop")
    assert worker.told() == {"member": 1, "state": "ended"}
    assert worker.ended()
    worker.until(_of(Heartbeat, state="stopped"))


def test_what_does_not_load_is_refused(worker: WorkerThread) -> None:
    """The refusal has the reason. A word to an unknown member is ignored."""
    refused = worker.load("1 / 0")
    assert refused["state"] == "refused"
    assert "ZeroDivisionError" in refused["reason"]
    worker.say(1, "go", incarnation=1, inherits=False)
    assert worker.load(VECTOR, 2)["state"] == "ready"
    for word in ("stop", "replace", "drop"):  # a member that does not run yet has nothing to say or leave
        assert worker.load(VECTOR, 3)["state"] == "ready"
        worker.say(3, word)
        assert worker.told() == {"member": 3, "state": "ended"}
    assert not worker.spec.handover_path.exists()


def test_a_successor_goes_on(worker: WorkerThread, market: MarketWriter) -> None:
    """A successor goes on from what its predecessor left. The other member of the group works on meanwhile."""
    _trade(market, 20.0, 1)
    for member, name in ((1, "one"), (2, "two")):
        worker.load(VECTOR, member, name)
        worker.go(member)
    worker.until(_of(Snapshot, trader="one"))
    worker.until(_of(Heartbeat, trader="two", matches=1))
    path = worker.spec.handover_path
    worker.say(2, "replace")
    assert worker.told() == {"member": 2, "state": "ended"}
    assert inherit(path).matches == {"S1": 20.0}
    worker.load(VECTOR, 2, "two")
    worker.go(2, inherits=True)
    worker.until(_of(Snapshot, trader="two"))
    worker.say(2, "drop")
    assert worker.told() == {"member": 2, "state": "ended"}
    worker.until(_of(Heartbeat, trader="one"))


def test_events_wake_it_and_control_is_followed(worker: WorkerThread, market: MarketWriter) -> None:
    """A message that is no control state is ignored; a requested snapshot comes with its token."""
    _trade(market, 20.0, 1)
    worker.load(VECTOR)
    worker.go()
    worker.until(_of(Snapshot))
    worker.until(_of(Heartbeat, state="waiting"))  # the sockets are connected
    for _ in range(5):  # only the newest frame is kept: leave it the time to be read
        worker.control.send(b"nonsense")
        for _ in range(3):
            worker.until(_of(Heartbeat))
    for _ in range(50):
        worker.control.send(encode(Control(state_version=1, time_ms=1, resync={"high": 7})))
        if worker.until(_of(Heartbeat)) and any(map(_of(Snapshot, token=7), worker.messages)):
            break
    assert any(map(_of(Snapshot, token=7), worker.messages))
    market.apply(tick_batch([2], [30.0]), 1)
    market.swap(lambda event: worker.events.send(encode_event(event)), 1)
    assert worker.until(_of(Delta)).entered == {"S2": 30.0}


def test_names_that_are_no_symbols_are_told(worker: WorkerThread, market: MarketWriter) -> None:
    """The supervisor hears of them once."""
    _trade(market, 20.0, 1)
    worker.load(VECTOR.replace('name="high"', 'name="high", watch=["s1"]'))
    worker.go()
    assert worker.told()["remark"] == "`watch`: no symbol is named s1 (did you mean S1?)"
    worker.say(1, "stop")
    assert worker.told()["state"] == "ended"


def test_a_long_cycle_sends_heartbeats(worker: WorkerThread, market: MarketWriter) -> None:
    """A long cycle follows the control state between its chunks too."""
    slow = SINGLE.replace("return symbol", "import time; time.sleep(0.004); return symbol")
    _trade(market, 20.0, *range(60))
    worker.load(slow)
    worker.go()
    worker.until(_of(Snapshot))
    worker.until(_of(Heartbeat))  # the connection is up
    worker.messages.clear()
    _trade(market, 30.0, *range(60))
    began_ms = worker.until(_of(Delta)).time_ms
    assert any(message.time_ms > began_ms for message in worker.messages if isinstance(message, Heartbeat))


def test_short_chunks_of_a_long_cycle(worker: WorkerThread, market: MarketWriter) -> None:
    """The work between two chunks keeps its own pace."""
    _trade(market, 20.0, *range(60))
    worker.load(SINGLE)
    worker.go()
    assert len(worker.until(_of(Snapshot)).matches) == 60


def test_a_trader_that_goes_by_the_clock(worker: WorkerThread, market: MarketWriter) -> None:
    """The trader is evaluated again and again, though no event wakes it."""
    _trade(market, 20.0, 1)
    worker.load(VECTOR.replace('name="high"', 'name="high", every=0.01'))
    worker.go()
    worker.until(lambda message: isinstance(message, Heartbeat) and message.cycles >= 3)


def test_a_slow_trader_is_told_once(worker: WorkerThread, market: MarketWriter) -> None:
    """The supervisor hears it once, with the cost."""
    worker.load(VECTOR)
    worker.go()
    deadline = time.monotonic() + WITHIN_S
    price = 20.0
    while not worker.supervisor.poll(0.01):
        assert time.monotonic() < deadline
        price += 1.0
        market.apply(tick_batch([1], [price]), 1)
        market.swap(lambda event: worker.events.send(encode_event(event)), 1)
    words = msgpack.unpackb(worker.supervisor.recv_bytes())
    assert (words["state"], words["remark"][:5]) == ("slow", "slow:")


def test_a_supervisor_that_is_gone_ends_it(worker: WorkerThread) -> None:
    """The worker ends, whatever it runs."""
    worker.load(VECTOR)
    worker.go()
    worker.supervisor.close()
    assert worker.ended()


def test_a_child_that_comes_back_ends(
    worker: WorkerThread, market: MarketWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trader forks in its hook: the child process must not go on with the worker's sockets."""
    ends: list[int] = []
    another = SimpleNamespace(getpid=lambda: -1, _exit=ends.append)
    monkeypatch.setattr("tickflag.services.trader.worker.worker.os", another)
    _trade(market, 20.0, 1)
    worker.load(VECTOR)
    worker.go()
    worker.until(_of(Snapshot))
    assert set(ends) == {0}


def test_words_of_plain_values(tmp_path: Path) -> None:
    """TOML's dates travel as texts."""
    ours, theirs = Pipe()
    with ours, theirs:
        assert isinstance(ours, Connection)
        send_word(ours, given=tmp_path)
        assert msgpack.unpackb(theirs.recv_bytes()) == {"given": str(tmp_path)}


def test_kernels_that_the_fork_server_could_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs them itself, within its limits and before its trader."""
    done: list[str] = []
    worker = SimpleNamespace(run=lambda: done.append("run"))
    monkeypatch.setattr(module, "preloaded", False)
    monkeypatch.setattr(module, "confine", lambda *_: done.append("confine"))
    monkeypatch.setattr(module, "warm_up", lambda: done.append("warm up"))
    monkeypatch.setattr(module, "ActivityWord", lambda _: SimpleNamespace())
    monkeypatch.setattr(module, "Worker", lambda *_: worker)
    ours, theirs = Pipe()
    with ours, theirs:
        run_worker(Settings(), ours, theirs, None)
    assert done == ["confine", "warm up", "run"]
