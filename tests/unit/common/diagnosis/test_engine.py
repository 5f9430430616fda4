"""What the figures of an engine mean, in words."""

from typing import Any

import pytest

from tickflag.common.diagnosis.engine import (
    batch_mode,
    of_feed,
    of_flag_file,
    of_roles,
    of_silence,
    of_traders,
    problems,
    why,
)

WELL = {"heartbeat_age_ms": 90.0, "symbols": 300, "capacity": 1024, "pid": 7, "refused_symbols": 0}


def test_the_processes() -> None:
    """Nothing runs, all run, or one is missing, which has a remedy."""
    assert [one.level for one in of_roles({"feed": None, "collector": None})] == ["ok"]
    missing, running = of_roles({"feed": None, "collector": 0})
    assert (missing.level, missing.found) == ("warn", "no feed is running")
    assert "tickflag.services.feed" in missing.do
    assert running.level == "ok"


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"state": "stopped"}, []),
        ({"state": "starting", "pid": 7}, [("heartbeat", "warn")]),
        ({"state": "running", **WELL}, [("heartbeat", "ok")]),
        ({"state": "stale", **WELL}, [("heartbeat", "fail")]),
        ({"state": "running", **WELL, "refused_symbols": 3}, [("heartbeat", "ok"), ("symbols", "warn")]),
    ],
)
def test_the_feed(facts: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Its heartbeat, and the room for symbols."""
    assert [(one.check, one.level) for one in of_feed(facts)] == found


def test_a_stale_feed_is_named() -> None:
    """The words stand alone, as on a page without the checks' names."""
    (stale,) = of_feed({"state": "stale", **WELL})
    assert stale.found.startswith("the feed is stale: last heartbeat ")


def test_a_silent_service_and_a_broken_file_of_flags() -> None:
    """Both have a remedy; no trouble is no diagnosis."""
    assert of_silence("collector", 7, "it is busy") == (
        "collector",
        "fail",
        "it is busy",
        "look at pid 7, then restart it",
    )
    assert list(of_flag_file("")) == []
    (trouble,) = of_flag_file("line 3: no such flag")
    assert (trouble.level, trouble.found) == ("warn", "line 3: no such flag")


def test_the_traders() -> None:
    """Each that is not well, with its reason and where its log is; then how many are well."""
    lines = [
        {"name": "a", "state": "running", "reason": "", "error": "", "log": ""},
        {"name": "b", "state": "failing", "reason": "", "error": "it raised", "log": ""},
        {"name": "c", "state": "skipped", "reason": "no hook", "error": "", "log": "file"},
        {"name": "d", "state": "stopped", "reason": "", "error": "", "log": ""},
        {"name": "e", "state": "running", "reason": "too slow", "error": "", "log": ""},
        {"name": "f", "state": "disabled", "reason": "by an operator", "error": "", "log": ""},
    ]
    assert list(of_traders(lines)) == [
        ("traders", "fail", "b is failing (it raised)", "`tickflag logs b`"),
        ("traders", "warn", "c is skipped (no hook)", "`tickflag logs file`"),
        ("traders", "warn", "d is stopped (no reason given)", "`tickflag logs d`"),
        ("traders", "warn", "e: too slow", "`tickflag logs e`"),
        ("traders", "ok", "3 of 6 are well", ""),
    ]


def test_all_problems() -> None:
    """What is wrong of all parts, and nothing of what is well; one line where nothing runs."""
    holders = {"feed": 1, "collector": 2, "trader": 3}
    feed = {"state": "running", **WELL}
    assert problems(holders, feed, {}, "", []) == []
    found = problems(holders, {"state": "stale", **WELL}, {"collector": "busy", "trader": "busy"}, "line 3", [])
    assert [(one.check, one.level) for one in found] == [
        ("heartbeat", "fail"), ("collector", "fail"), ("supervisor", "fail"), ("flags", "warn"),
    ]  # fmt: skip
    gone = problems({**holders, "collector": None}, feed, {"collector": "no collector is running"}, "", [])
    assert [one.found for one in gone] == ["no collector is running"]
    nothing = problems(dict.fromkeys(holders), {"state": "stopped"}, {}, "", [])
    assert [one.found for one in nothing] == ["no engine is running"]


def test_batch_mode() -> None:
    """The traders whose tracking is off, or not trusted; none where nothing is known."""
    assert batch_mode(None, None) == []
    flags = {"flags": [{"flag": "audit", "traders": {"a": False}}]}
    flags["flags"].append({"flag": "per_symbol_tracking", "traders": {"b": False, "c": True, "d": None}})
    assert batch_mode(flags, {"process_all": ["e", "b"]}) == ["b", "e"]


TRADER: dict[str, Any] = {"state": "running", "error": "", "reason": "", "fault": "", "circuits": {"plugin": "closed"}}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ({"error": "it raised"}, ""),
        ({"state": "failing", "error": "it raised"}, "it raised"),
        ({"state": "stopped", "error": "it raised"}, "it raised"),
        ({"state": "skipped", "reason": "no hook"}, "no hook"),
        ({"fault": "it raised"}, "failed a moment ago: it raised"),
        ({"reason": "too slow", "circuits": {"plugin": "open"}}, "too slow; plugin circuit open"),
    ],
)
def test_why(fields: dict[str, Any], text: str) -> None:
    """As `tickflag traders` says it."""
    assert why(TRADER | fields) == text
