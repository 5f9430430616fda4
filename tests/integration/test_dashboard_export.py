"""The export of signals over real sockets, with a hub of the test's own."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harnesses.dashboard import HubStandIn, Site, served
from tickflag.common.errors import TickflagError
from tickflag.common.wire.requests import Unreachable


@pytest.fixture(scope="module")
def hub() -> HubStandIn:
    return HubStandIn()


@pytest.fixture(scope="module")
def site(hub: HubStandIn) -> Iterator[Site]:
    with served(hub) as site:
        yield site


def signals(*numbers: int, **fields: Any) -> dict[str, Any]:
    """A page of the journal, as the collector answers."""
    rows = [
        {"seq": seq, "trader": "rsi", "symbol": "=1+1", "event": "entered", "score": 1.5, "time_ms": 1_700_000_000_123,
         "cycle": 7, "note": "币, \"so\""} | fields
        for seq in numbers
    ]  # fmt: skip
    return {"signals": rows, "reached": numbers[-1], "whole": False, "journal_id": "j"}


def test_all_signals_as_a_table(site: Site, hub: HubStandIn) -> None:
    """Page by page of one journal until it is whole; with the filters in every question; no text is a formula."""
    hub.found.clear()
    hub.pages = [signals(9, 8), signals(5), {**signals(2, 1), "whole": True}]
    response = site.get("/api/signals.csv?trader=rsi&text=so&before=10")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="signals.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [int(row["seq"]) for row in rows] == [9, 8, 5, 2, 1]
    assert rows[0] == {
        "time": "2023-11-14T22:13:20.123Z", "seq": "9", "event": "entered", "symbol": "'=1+1", "trader": "rsi",
        "score": "1.5", "cycle": "7", "note": "币, \"so\"",
    }  # fmt: skip
    filters = {"trader": "rsi", "text": "so"}
    most = {"limit": 2_000}
    assert hub.found == [
        {"before": 10, **filters, **most},
        {"before": 8, "journal_id": "j", **filters, **most},
        {"before": 5, "journal_id": "j", **filters, **most},
    ]


def test_a_table_that_is_not_whole_says_so(site: Site, hub: HubStandIn) -> None:
    """At the most that was wanted, and where the engine ends in between; nothing is asked for in vain."""
    hub.found.clear()
    hub.pages = [signals(1, 2), signals(3)]
    last = site.get("/api/signals.csv?since=0&count=3").text.splitlines()[-1]
    assert last == "# this file ends after 3 signals: since=3 gives the next ones"
    assert [one["limit"] for one in hub.found] == [3, 1]
    hub.pages = [signals(2), TickflagError("it is\ngone")]
    assert site.get("/api/signals.csv").text.splitlines()[-1] == "# the file ends here: it is gone"
    hub.pages = [{**signals(4), "signals": [], "whole": True}]
    assert site.get("/api/signals.csv").text == '"time","seq","event","symbol","trader","score","cycle","note"\r\n'


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("event=gone", "argument 'event' of 'signals.csv' must be one of entered, left, score"),
        ("count=100001", "`count` must be a whole number from 1 to 100,000, not '100001'"),
        ("since=1&before=2", "signals are searched for from one place: give one of since, before and time_ms"),
        ("limit=5", "'signals.csv' has no argument 'limit'"),
        (f"text={'x' * 200}", "argument 'text' of 'signals.csv' must be a text of at most 128 characters"),
    ],
)
def test_a_table_of_what_cannot_be(site: Site, query: str, words: str) -> None:
    """One plain line as JSON, before anything is asked."""
    response = site.get(f"/api/signals.csv?{query}")
    assert (response.status_code, response.json()) == (400, {"error": words})


def test_no_table_without_an_engine(site: Site, hub: HubStandIn) -> None:
    """The refusal is no file."""
    hub.pages = [Unreachable("no collector is running")]
    response = site.get("/api/signals.csv")
    assert (response.status_code, response.json()) == (503, {"error": "no collector is running"})
