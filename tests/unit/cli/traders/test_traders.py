"""`traders` and `matches`: their output for people."""

import json

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Role, Runtime
from tickflag.common.wire.requests import Unreachable


def test_why_a_trader_does_not_run(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The reason is the supervisor's, else the worker's last error; for a running trader, why another version does not
    run."""
    answers["traders"] = [
        trader_line("ends", state="restarting", reason="ended with status 3", error="older", restarts=4),
        trader_line("fails", state="failing", error="hook `evaluate` raised"),
        trader_line("well", error="once", cpu_ns=1_500_000_000, version="1.2", pid=77),
        trader_line("older", reason="new version refused: older.py: does not import"),
        trader_line("off", state="disabled", reason="by an operator", pid=0),
    ]
    lines = run("traders").stdout.splitlines()
    assert lines[0].split() == [
        "trader", "source", "version", "state", "matches", "restarts", "efficiency", "cpu", "pid", "why",
    ]  # fmt: skip
    assert lines[1].endswith("ended with status 3")
    assert lines[2].endswith("hook `evaluate` raised")
    assert lines[3].split()[2] == "1.2"
    assert lines[3].endswith("1.50 s   77")
    assert lines[4].endswith("new version refused: older.py: does not import")
    assert lines[5].endswith("-  by an operator")
    assert json.loads(run("traders", "--json").stdout) == answers["traders"]


def unreachable() -> None:
    raise Unreachable("it is still starting")


def test_what_a_trader_failed_of_stays_a_while(runtime: Runtime, run: Run, answers: Answers) -> None:
    """A trader that runs again looks well otherwise. Circuits that are not closed are shown too."""
    answers["traders"] = [
        trader_line(
            "again", fault="a cycle took longer than 1 s", circuits={"tracking": "closed", "plugin": "half-open"}
        ),
        trader_line("away", state="restarting", reason="ended with status 3", fault="ended with status 3"),
        trader_line("loops", state="stale", fault="a cycle took longer than 30 s"),
    ]
    lines = run("traders").stdout.splitlines()
    assert lines[3].endswith("failed a moment ago: a cycle took longer than 30 s")
    assert lines[1].endswith("plugin circuit half-open; failed a moment ago: a cycle took longer than 1 s")
    assert lines[2].count("ended with status 3") == 1


def test_no_traders(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The output says so, with the reason if it is known; JSON has an empty list."""
    answers["traders"] = []
    assert run("traders").stdout == "no traders: the trader service does not run\n"
    with Role(runtime, "trader"):
        for safe, said in ((True, ": safe mode loads none"), (False, " yet")):
            answers["supervisor"] = {"pid": 78, "safe": safe}
            assert run("traders").stdout == f"no traders{said}\n"
        answers["supervisor"] = unreachable
        assert run("traders").stdout == "no traders yet\n"
    assert json.loads(run("traders", "--json").stdout) == []


def test_matches_are_ranked(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The highest score comes first, then the order of names; stale matches are marked."""
    reply = {
        "trader": "t", "synced": True, "stale": False, "seq": 3, "cycle": 1_234,
        "matches": {"B": 1.0, "A": 1.0, "C": 2.5}, "notes": {"C": "new\thigh"}, "stale_symbols": ["A"],
    }  # fmt: skip
    answers["matches"] = lambda trader: {**reply, "trader": trader}
    lines = run("matches", "t").stdout.splitlines()
    assert lines[0].split() == ["symbol", "score", "note"]
    assert [line.split() for line in lines[1:4]] == [["C", "2.5", "new", "high"], ["A", "1", "stale"], ["B", "1"]]
    assert lines[4] == "3 matches of t at cycle 1,234"
    assert json.loads(run("matches", "t", "--json").stdout) == reply


def test_matches_of_a_trader_that_is_away(runtime: Runtime, run: Run, answers: Answers) -> None:
    """All matches are stale, and a snapshot is awaited."""
    answers["matches"] = {
        "trader": "t", "synced": False, "stale": True, "seq": 3, "cycle": 5, "matches": {"B": 1.0}, "notes": {},
        "stale_symbols": [],
    }  # fmt: skip
    lines = run("matches", "t").stdout.splitlines()
    assert lines[0].split() == ["symbol", "score"]
    assert lines[1].split() == ["B", "1", "stale"]
    assert lines[2] == "1 matches of t at cycle 5, a snapshot is on its way"
