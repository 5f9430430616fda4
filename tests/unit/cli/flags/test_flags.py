"""`flags`: the requests to the collector, and what is shown."""

import getpass
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Runtime


def _flag(name: str = "audit", **fields: Any) -> dict[str, Any]:
    return {
        "flag": name, "meaning": "Evaluate both ways.", "built_in": True, "by": "trader", "default": True,
        "killed": False, "setting": None, "percentage": None, "arms": [], "force": {}, "owners": {}, "ramp": None,
        "traders": {"rsi": True, "macd": False}, **fields,
    }  # fmt: skip


def _recording(asked: list[dict[str, Any]], answer: Any) -> Callable[..., Any]:
    """A function that gives the answer, and records its arguments."""

    def ask(**arguments: Any) -> Any:
        asked.append(arguments)
        return answer

    return ask


RAMP = {"percentage": 5.0, "step": 1, "state": "holding", "due_ms": 5, "steps": [[5.0, 1.0, False], [10.0, 1.0, True]]}


def test_list(runtime: Runtime, run: Run, answers: Answers) -> None:
    """A line for each feature flag: for how many it is on, and what is special about it."""
    flags = [
        _flag(),
        _flag("batch_mode", percentage=2.5, force={"rsi": True}, owners={"desk": True}, ramp=RAMP),
        _flag("delta_results", killed=True, setting=True),
        _flag("symbol_rate_limit", by="symbol", default=False, setting=False),
    ]
    answers["flags.list"] = {"revision": 3, "trouble": "", "flags": flags}
    lines = [" ".join(line.split()) for line in run("flags", "list").stdout.splitlines()]
    assert lines[1:] == [
        "audit 1 of 2 - on - Evaluate both ways.",
        "batch_mode 1 of 2 2.5 on 2 ramp 1/2 holding Evaluate both ways.",
        "delta_results 1 of 2 - on - killed Evaluate both ways.",
        "symbol_rate_limit by symbol - off - off by the setting Evaluate both ways.",
    ]
    assert json.loads(run("flags", "list", "--json").stdout) == answers["flags.list"]


def test_trouble_is_told(runtime: Runtime, run: Run, answers: Answers) -> None:
    """Standard error has it."""
    answers["flags.list"] = {"revision": 3, "trouble": "the file is damaged", "flags": []}
    assert run("flags", "list").stderr == "warning: the file is damaged\n"


@pytest.mark.parametrize(
    ("line", "what", "expected"),
    [
        ("set audit on", "set", {"value": True, "new": False, "description": None}),
        ("set audit off", "set", {"value": False, "new": False, "description": None}),
        ("set audit 2.5%", "set", {"value": 2.5, "new": False, "description": None}),
        (
            "set audit 10 --new --meaning text --arm a=50 --arm b=49.5:off",
            "set",
            {
                "value": 10.0,
                "new": True,
                "description": "text",
                "arms": [{"name": "a", "share": 50.0, "value": True}, {"name": "b", "share": 49.5, "value": False}],
            },
        ),
        ("force audit on --trader rsi", "force", {"trader": "rsi", "value": True}),
        ("force audit off --owner desk", "force", {"owner": "desk", "value": False}),
        ("force audit clear --symbol A", "force", {"symbol": "A", "value": None}),
        ("kill audit", "kill", {"on": True}),
        ("kill audit --undo", "kill", {"on": False}),
        (
            "ramp audit 0.5:90 5:2m 25%:1.5h:approve 100:0:approve",
            "ramp",
            {"steps": [[0.5, 90.0, False], [5.0, 120.0, False], [25.0, 5_400.0, True], [100.0, 0.0, True]]},
        ),
        ("approve audit", "approve", {}),
        ("halt audit", "halt", {}),
        ("rollback audit", "rollback", {}),
        ("remove audit", "remove", {}),
    ],
)
def test_changes(runtime: Runtime, run: Run, answers: Answers, line: str, what: str, expected: dict[str, Any]) -> None:
    """Each change is one request, with the user's name; the answer is the feature flag's new state."""
    asked: list[dict[str, Any]] = []

    answers[f"flags.{what}"] = _recording(asked, {"revision": 4, "flag": _flag(percentage=5.0, ramp=RAMP)})
    answers["traders"] = [trader_line("rsi")]
    result = run("flags", *line.split())
    assert result.stdout.startswith("audit: default on, 5 %, ramp 1/2 holding\n")
    assert result.stderr == ""
    assert asked == [{"flag": "audit", "who": getpass.getuser()} | expected]
    assert json.loads(run("flags", *line.split(), "--json").stdout)["revision"] == 4


@pytest.mark.parametrize(
    ("line", "out", "err"),
    [
        ("on --trader rsi", "trader rsi: forced on", ""),
        ("off --owner desk", "owner desk: forced off", ""),
        ("clear --trader nosuch", "trader nosuch: no longer forced", ""),
        ("on --trader nosuch", "trader nosuch: forced on", "no trader 'nosuch' has reported: it counts once one does"),
    ],
)
def test_what_is_forced_is_said(runtime: Runtime, run: Run, answers: Answers, line: str, out: str, err: str) -> None:
    """Also where no such trader has reported: that may be a mistake, or come before the trader."""
    answers["flags.force"] = {"revision": 4, "flag": _flag()}
    answers["traders"] = [trader_line("rsi")]
    result = run("flags", "force", "audit", *line.split())
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [out]
    assert err in result.stderr
    assert (result.stderr == "") is (err == "")


def test_a_removed_flag_has_nothing_to_show(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The output says that it is removed."""
    answers["flags.remove"] = {"revision": 4, "flag": None}
    assert run("flags", "remove", "use_ema").stdout == "use_ema: nothing is set any more\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("set audit maybe", "'maybe' is not `on`, `off` or a percentage"),
        ("set audit on --arm a", "'a' is not as `a=50`"),
        ("force audit on", "give one of --trader, --owner and --symbol"),
        ("force audit on --trader a --owner b", "give one of --trader, --owner and --symbol"),
        ("ramp audit 5", "'5' is not as `5:1h`"),
        ("ramp audit 5:1y", "'5:1y' is not as `5:1h`"),
    ],
)
def test_wrong_usage(runtime: Runtime, run: Run, answers: Answers, line: str, words: str) -> None:
    """The collector gets no request."""
    result = run("flags", *line.split())
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_explain(runtime: Runtime, run: Run, answers: Answers) -> None:
    """One line: value, reason, bucket and arm."""
    found = {
        "flag": "audit", "by": "trader", "name": "rsi", "owner": "", "value": True, "reason": "percentage",
        "why": "the percentage decides", "bucket": 12_345, "arm": "a", "percentage": 25.0, "known": True,
    }  # fmt: skip
    answers["flags.explain"] = found
    line = "audit is on for rsi: the percentage decides, bucket 12,345 of 100,000 at 25 %, arm a\n"
    assert run("flags", "explain", "audit", "rsi").stdout == line
    assert json.loads(run("flags", "explain", "audit", "rsi", "--json").stdout) == found
    asked: list[dict[str, Any]] = []
    plain = found | {"value": False, "why": "that is the default", "bucket": None, "arm": None, "known": False}
    answers["flags.explain"] = _recording(asked, plain)
    result = run("flags", "explain", "audit", "rsi", "--owner", "desk")
    assert result.stdout == "audit is off for rsi: that is the default\n"
    assert result.stderr == "no trader 'rsi' has reported\n"
    assert asked == [{"flag": "audit", "name": "rsi", "owner": "desk"}]


def test_history(runtime: Runtime, run: Run, answers: Answers) -> None:
    """A line for each change; one feature flag, and a number of lines, can be chosen."""
    asked: list[dict[str, Any]] = []
    change = {
        "revision": 3, "time_ms": 1_000, "who": "ann", "flag": "audit", "field": "killed", "before": None, "after": True
    }  # fmt: skip
    percentage = change | {"field": "percentage", "before": 5.0, "after": None}
    answers["flags.history"] = _recording(asked, [change, percentage])
    lines = run("flags", "history").stdout.splitlines()
    assert lines[1].split()[2:] == ["3", "ann", "audit", "killed", "-", "on"]
    assert lines[2].split()[2:] == ["3", "ann", "audit", "percentage", "5", "%", "-"]
    assert json.loads(run("flags", "history", "audit", "--limit", "5", "--json").stdout)[0] == change
    assert asked == [{}, {"flag": "audit", "limit": 5}]
    answers["flags.history"] = []
    assert run("flags", "history").stdout == "nothing was changed yet\n"
