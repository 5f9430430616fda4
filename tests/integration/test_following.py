"""Followers of a real collector: both shells, through everything that befalls it and them."""

import asyncio
import itertools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.harnesses.collector_process import CollectorProcess, FakeWorker
from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.harnesses.follower_shells import SHELLS, FollowingProgram
from tests.support.processes.folders import runtime_folder
from tickflag import MatchSets, NewSignals, Place, follow, follow_async
from tickflag.common.client.follower.async_follower import AsyncFollower
from tickflag.common.client.follower.signal_feed import SignalFeed
from tickflag.common.runtime import JOURNAL


class FollowedScene:
    """A collector, a worker whose matches change with every cycle, and a program that follows."""

    def __init__(self, collector: CollectorProcess, program: FollowingProgram) -> None:
        self.collector, self.program = collector, program
        self.worker = FakeWorker(FakeTrader(), collector.results, collector.controls)
        self._cycle = 0
        self._killed = False

    def cycle(self, count: int = 1) -> None:
        """So many cycles; each changes some matches."""
        for _ in range(count):
            self._cycle += 1
            self.worker.change({f"S{n}": float(self._cycle // 3) for n in range(9) if self._cycle >> n & 1})

    def note(self) -> None:
        """The collector notes that a feature flag was changed."""
        self._killed = not self._killed
        self.collector.ask("flags.kill", flag="audit", on=self._killed)

    def caught_up(self) -> bool:
        """Whether the program has all that the journal has, and the collector all of the worker's results."""
        self.worker.beat()
        snapshot = self.collector.ask("snapshot")
        worker = self.worker.trader
        place = self.program.followed.place
        return (
            place is not None
            and (place.journal_id, place.signal, place.notice)
            == (snapshot["journal_id"], snapshot["last_seq"], snapshot["last_notice"])
            and snapshot["matches"].get(worker.name) == worker.matches
        )

    def follow(self) -> None:
        """Follow until all is there, and compare."""
        self.program.follow_until(self.caught_up)
        followed = self.program.followed
        assert followed.matches == {self.worker.trader.name: self.worker.trader.matches}
        assert not followed.away

    def restart(self, **settings: str) -> None:
        self.collector.end(signal.SIGKILL)
        self.collector.start(**settings)


def _name(tried: Any) -> str:
    return str(tried.__name__)


@pytest.fixture(params=SHELLS, ids=_name)
def scene(request: pytest.FixtureRequest) -> Iterator[FollowedScene]:
    """A program that follows a collector from its first results on."""
    with runtime_folder() as runtime:
        collector = CollectorProcess(runtime)
        program = FollowingProgram(request.param, runtime)
        try:
            scene = FollowedScene(collector, program)
            scene.cycle()
            scene.follow()
            yield scene
        finally:
            program.stop()
            collector.close()


def live(scene: FollowedScene) -> None:
    """Signals and notices come as they are published."""
    for _ in range(20):
        scene.cycle()
        scene.program.follow_until(lambda: True)
    scene.note()
    scene.follow()
    assert {one.what for one in scene.program.followed.notices} == {"feature flag"}


def pause(scene: FollowedScene) -> None:
    """The program stops for a while and goes on at its place."""
    scene.program.stop()
    scene.cycle(300)
    scene.note()
    scene.program.start()
    scene.follow()


def kill_in_a_burst(scene: FollowedScene) -> None:
    """The collector is killed in the middle of a burst."""
    for _ in range(2):
        scene.cycle(40)
        scene.program.follow_until(lambda: True)
        scene.cycle(40)
        scene.restart()
        scene.cycle(40)
    scene.follow()


def away(scene: FollowedScene) -> None:
    """The collector is away for long: said once, and so is its return."""
    scene.collector.end(signal.SIGTERM)
    followed = scene.program.followed
    scene.program.follow_until(lambda: followed.away)
    scene.collector.start()
    scene.cycle(5)
    scene.follow()
    assert followed.told[-2:] == ["away", "back"]


def new_journal(scene: FollowedScene) -> None:
    """The journal is lost: a snapshot and the notice about it."""
    scene.collector.end(signal.SIGKILL)
    for path in scene.collector.runtime.folder.glob(f"{JOURNAL}*"):
        if not path.name.endswith("-mark"):
            path.unlink()
    scene.cycle(5)
    scene.collector.start()
    scene.follow()
    assert scene.program.followed.snapshots[-1].why == "another journal"
    assert scene.program.followed.notices[-1].what == "journal"


def pruned(scene: FollowedScene) -> None:
    """The journal does not reach back to the place any more."""
    scene.program.stop()
    scene.restart(TICKFLAG_COLLECTOR__JOURNAL_KEEP="1")
    before = scene.program.followed.place
    assert before is not None

    def first_kept() -> int:
        scene.worker.beat()
        scene.cycle()
        return int(scene.collector.ask("snapshot")["first_seq"])

    scene.collector.wait_for(lambda: first_kept() > before.signal + 1)
    scene.program.start()
    scene.follow()
    snapshot = scene.program.followed.snapshots[-1]
    assert (snapshot.why, snapshot.before) == ("no longer kept", before)
    assert snapshot.first_signal > before.signal + 1


Scenario = Callable[[FollowedScene], None]
SCENARIOS: tuple[Scenario, ...] = (live, pause, kill_in_a_burst, away, new_journal, pruned)
LOSSLESS: tuple[Scenario, ...] = (live, pause, kill_in_a_burst)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_the_program_has_what_the_collector_has(
    scene: FollowedScene, scenario: Callable[[FollowedScene], None]
) -> None:
    """Each event fits behind the last one, what they add up to are the matches, and they equal the journal."""
    scenario(scene)
    followed = scene.program.followed
    if scenario in LOSSLESS:
        assert len(followed.snapshots) == 1
        begin = followed.snapshots[0].place.signal
        assert followed.signals == scene.collector.journalled()[begin:]


def test_messages_that_are_lost_are_asked_for(scene: FollowedScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three messages do not arrive, as where a queue is full."""
    receive, count = SignalFeed.receive, itertools.count()

    def lossy(feed: SignalFeed) -> Any:
        message = receive(feed)
        return message if message is False or next(count) % 3 == 0 else True

    monkeypatch.setattr(SignalFeed, "receive", lossy)
    for scenario in LOSSLESS:
        test_the_program_has_what_the_collector_has(scene, scenario)


@pytest.mark.parametrize("shell", SHELLS, ids=_name)
def test_a_program_may_be_there_before_the_collector(shell: Any) -> None:
    """It hears that there is none, once, and then of the first one."""
    with runtime_folder() as runtime:
        program = FollowingProgram(shell, runtime)
        collector = None
        try:
            program.follow_until(lambda: program.followed.away)
            collector = CollectorProcess(runtime)
            program.follow_until(lambda: bool(program.followed.snapshots))
            assert program.followed.told[-2:] == ["away", "back"]  # one that starts slowly may be away once more
        finally:
            program.stop()
            if collector is not None:
                collector.close()


def test_both_are_made_by_the_settings_and_can_be_iterated(scene: FollowedScene) -> None:
    """`follow` and `follow_async` find the engine of the given name and folder; `seek` goes back."""
    folder = scene.collector.runtime.folder
    where: Any = {"instance": folder.name, "root": folder.parent}
    scene.cycle(3)
    scene.follow()
    last = scene.program.followed.place
    assert last is not None
    before = Place(last.journal_id, last.signal - 1, last.notice)

    async def first_two() -> list[Any]:
        async with follow_async(last, **where) as follower:
            assert await follower.wait_event(0.0) is None
            follower.seek(before)
            events = [await anext(follower)]
            follower.seek(None)
            async for event in follower:
                return [*events, event]
        raise AssertionError

    with follow(last, **where) as follower:
        assert follower.wait_event(0.0) is None
        follower.seek(before)
        events = [next(follower)]
        follower.seek(None)
        events.append(next(iter(follower)))
    assert events == asyncio.run(first_two())
    assert isinstance(events[0], NewSignals)
    assert (events[0].place, len(events[0].signals)) == (last, 1)
    assert isinstance(events[1], MatchSets)


def test_a_wait_may_be_cancelled(scene: FollowedScene) -> None:
    """The event comes with the next wait."""

    async def cancelled_waits() -> Any:
        async with AsyncFollower(scene.collector.runtime, None, scene.program.followed.place) as follower:
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(follower.wait_event(), 0.02)
            scene.cycle()
            return await follower.wait_event()

    scene.follow()
    assert isinstance(asyncio.run(cancelled_waits()), NewSignals)
