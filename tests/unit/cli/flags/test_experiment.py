"""`experiment`: the requests to the collector, and what is shown."""

import getpass
import json
from typing import Any

from tests.unit.cli.conftest import Answers, Run
from tickflag.common.runtime import Runtime


def _arm(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "arm": name, "value": name == "on", "share": 50.0, "present": 12, "traders": 13, "cycles": 1_234_567,
        "failures": 1_000, "results": 2_345, "seconds": 7_200.0, "means": {}, **fields,
    }  # fmt: skip


def _metric(name: str, value: float | None = 1.0, **fields: Any) -> dict[str, Any]:
    return {
        "metric": name, "value": value, "against": 2.0, "ratio": 0.5, "low": 0.4567, "high": 0.61, "why": "", **fields
    }  # fmt: skip


def _experiment(**fields: Any) -> dict[str, Any]:
    metrics = [
        _metric("cpu_ns", 12_345.6),
        _metric("processed", 50.25),
        _metric("latency_ns", None, ratio=None, low=None, high=None, why="no data in arm on"),
        _metric("bytes", 1_500.0),
        _metric("failures", 0.0123, low=None, high=None, why="only one trader in arm on"),
    ]
    return {
        "flag": "batch_mode", "running": True, "percentage": 50.0, "since_ms": 1_000,
        "arms": [_arm("on"), _arm("off", share=None)],
        "comparisons": [{"arm": "on", "against": "off", "metrics": metrics}],
        "sample_ratio": {"p": 0.4211, "chi_square": 0.1, "degrees": 1, "warning": False},
        **fields,
    }  # fmt: skip


OVERALL = {"saving": 0.931, "low": 0.928, "high": 0.934, "audits": 1_214, "part_ns": 1.0, "full_ns": 2.0}
TRACKING = {
    "since_ms": 1_000,
    "overall": OVERALL,
    "traders": [{"trader": "rsi", **OVERALL, "saving": 0.5, "low": None, "high": None, "audits": 1}],
}


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_report(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The arms, a line with its ratio for each metric, the check, and what tracking saves."""
    answers["experiments"] = {"experiments": [_experiment()], "tracking": TRACKING}
    lines = _lines(run("experiment", "report").stdout)
    assert lines[0].startswith("batch_mode: at 50 %, measured since ")
    assert lines[1:] == [
        "arm flag share traders now traders cycles failed results watched",
        "on on 50 % 12 13 1,234,567 1,000 2,345 2.0 h",
        "off off - 12 13 1,234,567 1,000 2,345 2.0 h",
        "",
        "on off ratio 95 % interval",
        "processor time of a cycle 12.3 us 0.0 us 0.5 0.457 to 0.61",
        "symbols of a cycle 50.25 2 0.5 0.457 to 0.61",
        "tick to result - 0.00 ms - no data in arm on",
        "result bytes of a cycle 1.5 kB 2 B 0.5 0.457 to 0.61",
        "failed cycles 1.23 % 200 % 0.5 only one trader in arm on",
        "",
        "sample ratio: p = 0.421: as chance gives it",
        "",
        "processor time saved by tracking 93.1 % (92.8 to 93.4, 1,214 audited cycles)",
        *lines[-3:],
    ]
    assert lines[-3].startswith("measured since ")
    assert lines[-2:] == ["trader saved by tracking", "rsi 50.0 % (1 audited cycle)"]
    assert json.loads(run("experiment", "report", "--json").stdout) == answers["experiments"]


def test_report_of_one_flag(runtime: Runtime, run: Run, answers: Answers) -> None:
    """Other experiments are not shown; tracking is, where its feature flag is the one asked for."""
    asked: list[dict[str, Any]] = []

    def answer(**arguments: Any) -> Any:
        asked.append(arguments)
        return {"experiments": [_experiment(running=False, percentage=None, sample_ratio=None)], "tracking": None}

    answers["experiments"] = answer
    lines = _lines(run("experiment", "report", "batch_mode").stdout)
    assert lines[0].startswith("batch_mode: ended, measured since ")
    assert lines[-1] == ""
    assert "sample ratio" not in " ".join(lines)
    assert asked == [{"flag": "batch_mode"}]


def test_what_the_check_says(runtime: Runtime, run: Run, answers: Answers) -> None:
    """There are too few traders for it, or traders are missing from an arm."""
    check: dict[str, Any] = {"p": None, "chi_square": None, "degrees": None, "warning": False}
    answers["experiments"] = {"experiments": [_experiment(sample_ratio=check)], "tracking": None}
    assert "sample ratio: too few traders to check it\n" in run("experiment", "report").stdout
    check |= {"p": 0.00012, "warning": True}
    words = "sample ratio: p = 0.00012: traders are missing from an arm, so do not trust the comparison\n"
    assert words in run("experiment", "report").stdout


def test_report_of_nothing(runtime: Runtime, run: Run, answers: Answers) -> None:
    """The output says how to begin an experiment."""
    empty: dict[str, Any] = {"since_ms": 0, "overall": None, "traders": []}
    answers["experiments"] = {"experiments": [], "tracking": empty}
    assert run("experiment", "report").stdout == (
        "processor time saved by tracking: no cycle was audited yet\n\n"
        "no feature flag divides the traders into arms: `tickflag flags set FLAG 50` does\n"
    )


def test_reset(runtime: Runtime, run: Run, answers: Answers) -> None:
    """One request, with the user's name."""
    asked: list[dict[str, Any]] = []

    def answer(**arguments: Any) -> Any:
        asked.append(arguments)
        return {"experiments": [], "tracking": None}

    answers["experiments.reset"] = answer
    assert run("experiment", "reset", "audit").stdout == "audit: nothing is measured yet\n"
    assert asked == [{"flag": "audit", "who": getpass.getuser()}]
    assert json.loads(run("experiment", "reset", "audit", "--json").stdout) == answer()
