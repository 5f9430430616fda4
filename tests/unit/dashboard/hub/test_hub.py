"""Hub: no bug of a topic and no end of the process leaves anybody waiting; nobody looks, nobody asks."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import WITHIN_S, wait_until
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.diagnosis.feed_figures import FeedFigures
from tickflag.common.errors import TickflagError
from tickflag.common.kept_switch import KeptSwitch
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings, load
from tickflag.common.wire.requests import Unreachable
from tickflag.services.dashboard.hub import lookout as lookout_module
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.hub.lookout import Lookout
from tickflag.services.dashboard.hub.topics.registry import TOPICS
from tickflag.services.dashboard.hub.topics.topic import Topic, Waiting


class Viewer:
    trusted = False

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.refusals: list[str] = []

    def put(self, identity: int, answer: Answer) -> None:
        self.answers.append(answer)

    def refuse(self, identity: int, error: str) -> None:
        self.refusals.append(error)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
        monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
        monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
        yield runtime


@pytest.fixture
def settings(runtime: Runtime) -> Settings:
    return load()


def _topic(name: str, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a topic of the test's own into the registry."""

    def prepare(arguments: Any) -> Any:
        arguments.end()
        return make

    monkeypatch.setitem(TOPICS, name, Topic(name, prepare, 0.01))


def test_a_bug_of_a_topic_is_told(settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the one who asked and to the log; the others go on."""

    def fail(_sight: Any, _trusted: bool) -> Answer:
        raise ZeroDivisionError("by zero")

    _topic("faulty", fail, monkeypatch)
    log: Any = RecordedLog()
    viewer = Viewer()
    with Hub(settings, runtime, log) as hub:
        with pytest.raises(TickflagError, match="failed at 'faulty': ZeroDivisionError: by zero"):
            hub.once("faulty", {}, True).result(WITHIN_S)
        hub.subscribe(viewer, 1, "faulty", {})
        hub.subscribe(viewer, 2, "overview", {})
        wait_until(lambda: viewer.answers and viewer.refusals)
    assert len(viewer.refusals) == 1


def test_the_same_answer_is_put_once(settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs no bytes again; one who comes later gets it at once."""
    made: list[int] = []

    def make(_sight: Any, _trusted: bool) -> Answer:
        made.append(1)
        return Answer({"same": True})

    _topic("steady", make, monkeypatch)
    log: Any = RecordedLog()
    first, second = Viewer(), Viewer()
    with Hub(settings, runtime, log) as hub:
        hub.subscribe(first, 1, "steady", {})
        wait_until(lambda: len(made) > 5)
        hub.subscribe(second, 1, "steady", {})
        wait_until(lambda: second.answers)
        before = len(made)
        wait_until(lambda: len(made) > before + 3)
    assert (len(first.answers), len(second.answers)) == (1, 1)


def test_nobody_waits_for_ever(settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an answer that does not come, or at a hub that ends."""

    def wait(_sight: Any, _trusted: bool) -> Answer:
        raise Waiting

    _topic("slow", wait, monkeypatch)
    log: Any = RecordedLog()
    viewer = Viewer()
    with Hub(settings, runtime, log) as hub:
        pending = hub.once("slow", {}, True)
    assert isinstance(pending.exception(WITHIN_S), Unreachable)
    assert isinstance(hub.once("slow", {}, True).exception(WITHIN_S), Unreachable)
    monkeypatch.setattr(lookout_module, "PATIENCE_S", 0.05)
    with Hub(settings, runtime, log) as hub:
        with pytest.raises(Unreachable, match="no answer in time"):
            hub.once("slow", {}, True).result(WITHIN_S)
        hub.subscribe(viewer, 1, "slow", {})
        wait_until(lambda: viewer.refusals)


def test_looks_while_nobody_looks(settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in ten seconds, for the charts of hours; none while monitoring is off."""
    log: Any = RecordedLog()
    now = [1_000.0]
    monkeypatch.setattr("tickflag.services.dashboard.hub.lookout.time.monotonic", lambda: now[0])
    switch = KeptSwitch(runtime.folder / "off", default=True)
    lookout = Lookout(settings, runtime, log, switch)
    looks: list[float] = []

    def figures() -> FeedFigures:
        looks.append(now[0])
        return lookout._sight.figures.feed

    monkeypatch.setattr(lookout._sight.market, "figures", figures)
    try:
        for _ in range(300):
            lookout.turn()
            now[0] += 0.1
        assert looks == pytest.approx([1_000.0, 1_010.0, 1_020.0], abs=0.2)
        switch.set(False)
        looks.clear()
        for _ in range(300):
            lookout.turn()
            now[0] += 0.1
        assert looks == []
        assert lookout.turn() >= 1.0
    finally:
        lookout.close()


def test_monitoring_off_ends_the_following_of_signals(settings: Settings, runtime: Runtime) -> None:
    """At once, and nobody who begins to look meanwhile makes it begin; on again, it begins again for those who look."""
    log: Any = RecordedLog()
    lookout = Lookout(settings, runtime, log, KeptSwitch(runtime.folder / "off", default=True))

    def follows() -> bool:
        lookout.turn()
        return lookout._sight.collector._link is not None

    def monitor(on: bool) -> None:
        lookout.do("monitoring", {"on": on}, "test", Future())

    try:
        assert not follows()
        lookout.subscribe(Viewer(), 1, "overview", {})
        assert follows()
        monitor(False)
        assert not follows()
        lookout.subscribe(Viewer(), 2, "overview", {})
        assert not follows()
        monitor(True)
        assert follows()
    finally:
        lookout.close()
