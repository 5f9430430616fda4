"""The search in the journal: it finds what a plain look through all signals finds, in steps of bounded cost."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickflag.common.errors import TickflagError
from tickflag.common.wire.arguments import Arguments
from tickflag.services.collector.journal import search as search_module
from tickflag.services.collector.journal.commands import SearchCommands
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.search import Search, searched
from tickflag.services.collector.journal.write_ahead_log import SignalRow
from tickflag.services.collector.views.view import Event, UnnumberedSignal

EVENTS: tuple[Event, ...] = ("entered", "score", "left")


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """Sixty signals, the last ten of which are in the log only; a step looks through seven numbers."""
    monkeypatch.setattr(search_module, "STEP", 7)
    with Journal(":memory:") as journal:
        for first in (0, 50):
            journal.commit([_signal(number) for number in range(first, 50 if first == 0 else 60)], [], 0)
            if first == 0:
                journal.fold_all()
        yield journal


def _signal(number: int) -> UnnumberedSignal:
    symbol, trader = ("BTCUSDT", "ETH/USDT:USDT", "币安人生USDT")[number % 3], ("rsi", "spread")[number % 2]
    return UnnumberedSignal(trader, symbol, EVENTS[number % 3], 1.0, 1_000 + 10 * number, number, "Big" * (number == 4))


def _all(journal: Journal, wanted: Search) -> list[SignalRow]:
    """The rows of all steps of a search."""
    rows: list[SignalRow] = []
    while True:
        step = searched(journal, wanted)
        rows += step.rows
        if step.whole:
            return rows
        assert step.reached != wanted.number
        wanted = wanted._replace(number=step.reached, until_ms=0)


@settings(max_examples=100)
@given(
    number=st.integers(0, 70), limit=st.integers(1, 9), upwards=st.booleans(),
    trader=st.sampled_from(["", "rsi", "spread", "none"]), symbol=st.sampled_from(["", "币安人生USDT"]),
    event=st.sampled_from(["", "left"]), text=st.sampled_from(["", "usdt", "BIG", "SI", "x"]),
)  # fmt: skip
def test_a_search_finds_what_a_plain_look_finds(
    number: int, limit: int, upwards: bool, trader: str, symbol: str, event: str, text: str
) -> None:
    """In both directions, whether a signal is in the tables or still in the log, and whatever a page holds."""
    with pytest.MonkeyPatch.context() as patch, Journal(":memory:") as journal:
        patch.setattr(search_module, "STEP", 7)
        rows = journal.commit([_signal(one) for one in range(50)], [], 0)
        journal.fold_all()
        rows += journal.commit([_signal(one) for one in range(50, 60)], [], 0)
        wanted = [
            row
            for row in rows
            if (row.seq > number if upwards else row.seq < number)
            and trader in ("", row.trader)
            and symbol in ("", row.symbol)
            and event in ("", row.event)
            and any(text.lower() in one.lower() for one in (row.symbol, row.trader, row.note))
        ]
        found = _all(journal, Search(number, limit, upwards, 0, trader, symbol, event, text))
        assert found == (wanted if upwards else wanted[::-1])


@pytest.mark.parametrize(("time_ms", "newest"), [(999, None), (1_000, 1), (1_009, 1), (1_505, 51), (9_999, 60)])
def test_a_search_from_a_time(journal: Journal, time_ms: int, newest: int | None) -> None:
    """It begins with the last signal up to the time, in the tables or in the log."""
    found = _all(journal, Search(0, 100, until_ms=time_ms))
    assert (found[0].seq if found else None) == newest
    assert len(found) == (newest or 0)


def test_the_command(journal: Journal) -> None:
    """It gives the newest signals, those before a number, after one, or up to a time, and where to go on."""
    find: Callable[..., Any] = SearchCommands(journal).commands["signals.find"]

    def found(**arguments: Any) -> list[int]:
        return [signal["seq"] for signal in find(Arguments("signals.find", arguments))["signals"]]

    assert found(limit=2) == [60, 59]
    assert found(before=5, limit=2) == [4, 3]
    assert found(since=5, limit=2) == [6, 7]
    assert found(since=0, limit=1) == [1]
    assert found(time_ms=1_000) == [1]
    page = find(Arguments("signals.find", {"symbol": "no such"}))
    assert (page["reached"], page["whole"], page["first_seq"], page["last_seq"]) == (54, False, 1, 60)
    with pytest.raises(TickflagError, match="one of the arguments before, since and time_ms"):
        found(before=1, since=1)
    with pytest.raises(TickflagError, match="another journal"):
        found(journal_id="other")


def test_an_empty_journal() -> None:
    """There is nothing to look through."""
    with Journal(":memory:") as journal:
        assert searched(journal, Search(1, 10)) == ([], 1, True)
        assert searched(journal, Search(0, 10, upwards=True)).whole
