"""Pages of the journal: all rows, or the newest ones, each once and in order."""

from typing import Any

import pytest

from tickflag.common.client.journal_pages import journalled, newest
from tickflag.common.errors import TickflagError


class FakeJournal:
    """Answers as the collector does. `signals` and `notices` have the same numbers."""

    def __init__(self, last: int = 0, first: int = 1, journal_id: str = "one") -> None:
        self.last, self.first, self.journal_id = last, first, journal_id

    def ask(self, what: str, since: int = 0, limit: int = 0, journal_id: str = "") -> Any:
        bounds = {"last_seq": self.last, "first_seq": self.first}
        if what == "status":
            return {"collector": bounds}
        if journal_id not in ("", self.journal_id):
            raise TickflagError("another journal")
        rows = [row(number) for number in range(since + 1, min(since + limit, self.last) + 1)]
        return {what: rows, **bounds, **({"journal_id": self.journal_id} if self.journal_id else {})}


def row(number: int) -> dict[str, Any]:
    return {"seq": number, "trader": "ab"[number % 2]}


def numbers(rows: Any) -> list[int]:
    return [one["seq"] for one in rows]


@pytest.mark.parametrize("what", ["signals", "notices"])
@pytest.mark.parametrize("journal_id", ["one", ""])
def test_every_row_after_a_number(what: Any, journal_id: str) -> None:
    """Page by page, also where the journal has no id."""
    journal = FakeJournal(2_500, journal_id=journal_id)
    assert numbers(journalled(journal.ask, what, 7)) == list(range(8, 2_501))
    assert numbers(journalled(journal.ask, what, 2_500)) == []


def test_a_journal_that_is_begun_anew_between_two_pages() -> None:
    """The collector's refusal is raised: the rows do not belong together."""
    journal = FakeJournal(2_500)
    rows = journalled(journal.ask, "signals", 0)
    next(rows)
    journal.journal_id = "two"
    with pytest.raises(TickflagError, match="another journal"):
        list(rows)


@pytest.mark.parametrize(("last", "first", "limit"), [(0, 1, 20), (5, 1, 20), (5_000, 1, 20), (5_000, 4_990, 2_000)])
def test_newest(last: int, first: int, limit: int) -> None:
    """The newest `limit` signals, as far as the journal reaches, in order."""
    everything = range(first, last + 1)
    journal = FakeJournal(last, first)
    assert numbers(newest(journal.ask, limit, lambda _signal: True)) == list(everything)[-limit:]
    odd = numbers(newest(journal.ask, limit, lambda signal: signal["trader"] == "b"))
    assert odd == [number for number in everything if number % 2][-limit:]
