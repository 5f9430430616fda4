"""A follower of the signals, while the collector crashes under it."""

import json
import signal

import pytest

from tests.support.harnesses.engine import READY_S, Engine
from tests.support.processes.commands import tickflag_command


def test_no_signal_is_missed_or_repeated_over_a_collector_crash(engine: Engine) -> None:
    """The numbers that a follower prints have no hole and no double, though the collector was killed in between."""
    engine.start()
    engine.wait_ready()
    follower = tickflag_command("signals", "--since", "0", "--follow", "--json")
    engine.spawn("follower", *follower)
    engine.wait(lambda: engine.output("follower").count("\n") > 20, READY_S, "first signals")
    engine.kill("collector", signal.SIGKILL)
    engine.start("collector")
    engine.wait_ready()
    goal = engine.request("collector", "status")["collector"]["last_seq"] + 20
    engine.wait(lambda: numbers(engine)[-1] >= goal, READY_S, f"signal {goal}")
    assert engine.kill("follower", signal.SIGINT) == 0
    found = numbers(engine)
    assert found == list(range(1, found[-1] + 1))


@pytest.mark.parametrize("damage", ["flipped", "cut off", "lost"])
def test_a_damaged_journal_is_told_and_no_number_comes_twice(engine: Engine, damage: str) -> None:
    """The newest signal in the write-ahead log of a killed collector is damaged. A follower hears of another journal
    id, and the new numbers lie above all it ever saw."""
    engine.start(env={"TICKFLAG_COLLECTOR__HEARTBEAT_MS": "60000"})  # all signals stay in the log
    engine.wait_ready()
    engine.spawn("follower", *tickflag_command("signals", "--since", "0", "--follow", "--json"))
    engine.wait(lambda: engine.output("follower").count("\n") > 20, READY_S, "first signals")
    status = engine.request("collector", "status")["collector"]
    before, last = status["journal_id"], status["last_seq"]
    engine.wait(lambda: numbers(engine)[-1] > last, READY_S, "a signal that is in the log only")
    engine.kill("collector", signal.SIGKILL)
    log = engine.runtime.folder / "journal.sqlite-tail"
    data = log.read_bytes()
    assert data
    if damage == "flipped":
        log.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    elif damage == "cut off":
        log.write_bytes(data[:-1])
    else:
        log.unlink()
    engine.start("collector")
    engine.wait_ready()
    status = engine.request("collector", "status")["collector"]
    assert status["journal_id"] != before
    engine.wait(lambda: numbers(engine)[-1] >= status["first_seq"], READY_S, "the follower goes on")
    assert engine.kill("follower", signal.SIGINT) == 0
    found = numbers(engine)
    assert found == sorted(set(found))
    assert "the journal was begun anew" in engine.output("follower")
    assert "another journal id begins" in engine.output("collector")
    (notice,) = [one for one in engine.request("collector", "notices")["notices"] if one["what"] == "journal"]
    assert (notice["before"], notice["after"]) == (before, status["journal_id"])
    assert "are lost" in notice["reason"]


def numbers(engine: Engine) -> list[int]:
    """The numbers of the printed signals; other lines are the follower's notices."""
    lines = engine.output("follower").split("\n")[:-1]  # the last may be half written
    return [json.loads(line)["seq"] for line in lines if line.startswith("{")]
