"""A follower of the signals, while the collector crashes under it."""

import json
import signal

import pytest

from tests.support.engine import READY_S, Engine

pytestmark = pytest.mark.timeout(240)


def test_no_signal_is_missed_or_repeated_over_a_collector_crash(engine: Engine) -> None:
    """The numbers a follower prints have no hole and no double, though the collector was killed in between."""
    engine.start()
    engine.wait_ready()
    follower = engine.cli_command("signals", "--since", "0", "--follow", "--json")
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


def numbers(engine: Engine) -> list[int]:
    """Of the signals printed; other lines are the follower's notices."""
    lines = engine.output("follower").split("\n")[:-1]  # the last may be half written
    return [json.loads(line)["seq"] for line in lines if line.startswith("{")]
