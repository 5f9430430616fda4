"""`status`: what is shown of a whole engine, of a part of one, and of none."""

import json
import os
import time
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.services.cli.engine.status import overall


def test_nothing_runs(runtime: Runtime, run: Run) -> None:
    """One line and exit code 1; JSON has the states."""
    result = run("status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "tickflag: nothing is running for instance 'test' (start it with `tickflag start`)\n"
    result = run("status", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [document[part] for part in ("feed", "collector", "supervisor")] == [{"state": "stopped"}] * 3


def test_a_feed_alone(runtime: Runtime, run: Run) -> None:
    """A feed without a segment is starting, one without a heartbeat is stale, one with a heartbeat is running."""
    with Role(runtime, "feed"):
        assert json.loads(run("status", "--json").stdout)["feed"]["state"] == "starting"
        with Segment.create(runtime, layout.plan(40, 2, (60,))) as segment:
            segment.publish(runtime)
            segment.arrays.living[layout.COUNTER["updates"]] = 12_345
            segment.arrays.living[layout.SYMBOL_COUNT] = 7
            assert json.loads(run("status", "--json").stdout)["feed"]["state"] == "stale"
            segment.arrays.living[layout.HEARTBEAT] = time.monotonic_ns()
            feed = json.loads(run("status", "--json").stdout)["feed"]
            assert (feed["state"], feed["updates"], feed["symbols"], feed["capacity"]) == ("running", 12_345, 7, 40)
            result = run("status")
    assert result.exit_code == 0
    assert "7 of 40 symbols, 12,345 updates" in result.stdout
    assert "collector  stopped" in result.stdout


def test_traders_and_what_they_saved(runtime: Runtime, run: Run, answers: Answers) -> None:
    """A line for each trader, and the sums of all."""
    answers["status"] = {
        "collector": {"pid": 77, "uptime_s": 300.0, "last_seq": 1_500, "metrics": "http://127.0.0.1:9465/metrics"},
        "traders": [
            trader_line("a", matches=3, processed=10, skipped=90, bytes_sent=100, bytes_full=1_000),
            trader_line("b", state="stale", matches=2, stale=2, processed=100, age_ms=None),
        ],
    }
    answers["supervisor"] = {"pid": 78, "safe": False}
    with Role(runtime, "trader"):
        result = run("status")
    assert result.exit_code == 0
    assert "traders    running (pid 78)\n" in result.stdout
    assert "collector  running (pid 77), up 5 min, 1,500 signals\n" in result.stdout
    assert "           metrics at http://127.0.0.1:9465/metrics\n" in result.stdout
    assert "saved      45.0 % of the evaluations, 90.0 % of the result bytes (900 B)" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[-2:]]
    assert rows[0] == ["a", "running", "3", "90.0", "%", "90.0", "%", "0", "10", "ms"]
    assert rows[1] == ["b", "stale", "2", "(2", "stale)", "0.0", "%", "-", "0", "-"]


def test_why_a_trader_is_not_as_it_should_be(runtime: Runtime, run: Run, answers: Answers) -> None:
    """A refused edit of a running trader, and an error, each have a short line below the table."""
    answers["status"] = {
        "collector": {"pid": 77, "uptime_s": 3.0, "last_seq": 0},
        "traders": [
            trader_line("a"),
            trader_line("b", reason="new version refused: b.py: does not import:\n" + "x" * 1_000),
            trader_line("c", state="failing", error="it raised (line 7)"),
        ],
    }
    lines = run("status").stdout.splitlines()
    told = "new version refused: b.py: does not import: "
    assert lines[-3:] == ["", f"b: {told}{'x' * (147 - len(told))}...", "c: it raised (line 7)"]


def test_snapshots_that_were_asked_for_save_nothing(runtime: Runtime, run: Run, answers: Answers) -> None:
    """More bytes were sent than full results of the cycles would have had: the saving is 0, not negative."""
    line = trader_line("a", processed=1, bytes_sent=300, bytes_full=100)
    answers["status"] = {"collector": {"pid": 77, "uptime_s": 3.0, "last_seq": 0}, "traders": [line]}
    answers["supervisor"] = {"pid": 78, "safe": False}
    with Role(runtime, "trader"):
        shown = run("status").stdout
    assert "0.0 % of the result bytes (0 B)" in shown
    assert shown.splitlines()[-1].split()[5:7] == ["0.0", "%"]


def test_what_tracking_saves(runtime: Runtime, run: Run, answers: Answers) -> None:
    """One line has the saving once a cycle was audited; the interval needs two."""
    status: dict[str, Any] = {"collector": {"pid": 77, "uptime_s": 3.0, "last_seq": 0}, "traders": [], "saving": None}
    answers["status"] = status
    assert "tracking" not in run("status").stdout
    assert json.loads(run("status", "--json").stdout)["saving"] is None
    status["saving"] = {"saving": 0.9312, "low": 0.9279, "high": 0.9341, "audits": 214, "part_ns": 1.0, "full_ns": 2.0}
    line = "processor time saved by tracking 93.1 % (92.8 to 93.4, 214 audited cycles)\n"
    assert line in run("status").stdout
    assert json.loads(run("status", "--json").stdout)["saving"] == status["saving"]
    status["saving"] |= {"low": None, "high": None, "audits": 1}
    assert "processor time saved by tracking 93.1 % (1 audited cycle)\n" in run("status").stdout


def test_safe_mode(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The output says so in place of the traders."""
    answers["status"] = {"collector": {"pid": 77, "uptime_s": 3.0, "last_seq": 0}, "traders": []}
    answers["supervisor"] = {"pid": 78, "safe": True}
    with Role(runtime, "trader"):
        assert "traders    running (pid 78), safe mode: no trader is loaded" in run("status").stdout
        assert json.loads(run("status", "--json").stdout)["supervisor"]["safe"] is True


def test_a_supervisor_that_does_not_answer(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start takes a while: the supervisor counts as running."""
    monkeypatch.setattr("tickflag.services.cli.engine.status.SUPERVISOR_S", 0.05)
    with Role(runtime, "trader"):
        assert f"traders    running (pid {os.getpid()})\n" in run("status").stdout


def test_overall_of_nothing() -> None:
    """No work was done, and none was saved."""
    total = overall([])
    assert total["efficiency"] == 0.0
    assert total["bytes_saved"] == 0


def test_metrics_that_are_off_take_no_line(runtime: Runtime, run: Run, answers: Answers) -> None:
    """An older collector does not report metrics either."""
    for collector in ({"metrics": ""}, {}):
        answers["status"] = {"collector": {"pid": 77, "uptime_s": 1.0, "last_seq": 1, **collector}, "traders": []}
        assert "metrics" not in run("status").stdout
