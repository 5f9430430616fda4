"""The collector is killed in the middle of a burst: its followers go on without a hole."""

import pytest

from tests.support.harnesses.engine import Engine
from tests.support.harnesses.follower_shells import SHELLS, FollowingProgram, Shell
from tests.support.markets.ledger import TRADERS, Ledger, settled


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.__name__))
def test_a_collector_killed_in_a_burst(engine: Engine, ledger: Ledger, shell: type[Shell]) -> None:
    """What the follower gave is the journal, and adds up to the matches of a full evaluation."""
    program = FollowingProgram(shell, engine.runtime)
    followed = program.followed
    try:
        engine.start_feed_last()
        for more in (30, 60):
            begin = len(followed.signals)
            program.follow_until(lambda begin=begin, more=more: len(followed.signals) >= begin + more)  # type: ignore[misc] # a lambda's default
            engine.kill("collector")
            engine.start("collector")
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        program.follow_until(
            lambda: (
                followed.place is not None
                and followed.place.signal == engine.request("collector", "status")["collector"]["last_seq"]
            )
        )
        assert [snapshot.why for snapshot in followed.snapshots] == ["start"]
        begin = followed.snapshots[0].place.signal
        assert [one.model_dump() for one in followed.signals] == engine.signals(begin)
        assert followed.matches == {name: engine.matches(name) for name in TRADERS}
    finally:
        program.stop()
