"""`signals --follow` and `notices --follow`: which events are shown, and what standard error says of the others."""

import json
from collections.abc import Iterable
from typing import Any, Self

import pytest

from tests.unit.cli.conftest import Answers, Run
from tickflag.common.client.follower.events import (
    CollectorAway,
    CollectorBack,
    Event,
    MatchSets,
    NewNotices,
    NewSignals,
    Place,
)
from tickflag.common.runtime import Runtime
from tickflag.common.wire.messages import Notice, Signal
from tickflag.services.cli.signals import following


class FakeFollower:
    """Gives the events of a script, then ends as Ctrl-C does."""

    places: list[Place | None]
    """Where it was told to go on."""
    events: Iterable[Event | None] = ()

    def __init__(self, _runtime: Runtime, _remote: Any, place: Place) -> None:
        FakeFollower.places = [place]
        self._events = iter(FakeFollower.events)

    def wait_event(self, _timeout_s: float) -> Event | None:
        for event in self._events:
            return event
        raise KeyboardInterrupt

    def seek(self, place: Place | None) -> None:
        FakeFollower.places.append(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass


def place(signal: int, notice: int, journal_id: str = "one") -> Place:
    return Place(journal_id, signal, notice)


def signals(*numbers: int) -> NewSignals:
    found = [
        Signal(seq=n, trader="t", symbol="S", event="entered", score=1.0, time_ms=n, cycle=n, note="") for n in numbers
    ]
    return NewSignals(place(numbers[-1], 0), tuple(found))


def notices(*numbers: int, missed: int = 0) -> NewNotices:
    found = [Notice(seq=n, time_ms=1, trader="", what="journal", before="", after="x") for n in numbers]
    return NewNotices(place(0, numbers[-1]), tuple(found), missed)


@pytest.fixture(autouse=True)
def journal(runtime: Runtime, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector with signals 3 to 9 and notices 3 to 5."""
    monkeypatch.setattr(following, "Follower", FakeFollower)
    answers["status"] = {"collector": {"last_seq": 9, "first_seq": 3, "journal_id": "one"}}
    answers["signals"] = lambda since, limit: {"signals": [], "last_seq": 9, "first_seq": 3, "journal_id": "one"}
    answers["notices"] = lambda limit: {"notices": [], "last_seq": 5, "first_seq": 3, "journal_id": "one"}


def shown(run: Run, *arguments: str) -> tuple[list[int], list[str]]:
    """The numbers on standard output, and the lines on standard error."""
    result = run(*arguments, "--follow", "--json")
    assert result.exit_code == 0
    return [json.loads(line)["seq"] for line in result.stdout.splitlines()], result.stderr.splitlines()


@pytest.mark.parametrize(
    ("arguments", "begin"),
    [
        (("signals",), place(9, 5)),
        (("signals", "--since", "4"), place(4, 5)),
        (("notices",), place(9, 5)),
        (("notices", "--since", "4"), place(9, 4)),
        (("notices", "--since", "0"), place(9, 2)),
        (("notices", "--since", "99"), place(9, 5)),
    ],
)
def test_where_following_begins(run: Run, arguments: tuple[str, ...], begin: Place) -> None:
    """At the given number as far as it exists, else with what comes from now on."""
    FakeFollower.events = ()
    assert shown(run, *arguments) == ([], [])
    assert FakeFollower.places == [begin]


def test_each_command_shows_its_own_and_both_tell_what_happens(run: Run) -> None:
    """Signals and notices go to standard output, the state of the collector to standard error."""
    FakeFollower.events = (
        signals(10), None, notices(6), CollectorAway("no collector"), CollectorBack(), signals(11, 12),
        notices(9, 10, missed=2),
    )  # fmt: skip
    said = [
        "tickflag: no collector; waiting for it",
        "tickflag: the collector is back",
        "tickflag: 2 notices are no longer kept",
    ]
    assert shown(run, "signals") == ([10, 11, 12], said)
    assert shown(run, "notices") == ([6, 9, 10], said)


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (
            MatchSets(place(30, 9, "two"), {}, "another journal", 21, place(12, 5)),
            "tickflag: the journal was begun anew",
        ),
        (
            MatchSets(place(30, 9, "two"), {}, "no longer kept", 21, place(12, 5)),
            "tickflag: signals 13 to 20 are no longer kept",
        ),
    ],
)
def test_after_a_hole_all_that_the_journal_has_is_shown(run: Run, snapshot: MatchSets, said: str) -> None:
    """Match sets are not shown, so the signals that they add up from are."""
    FakeFollower.events = (signals(12), snapshot, signals(21))
    assert shown(run, "signals") == ([12, 21], [said])
    assert FakeFollower.places[1:] == [place(20, 9, "two")]
