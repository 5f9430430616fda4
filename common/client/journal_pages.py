"""Pages of the journal, for whoever reads it once. `follower` is for whoever goes on with what comes."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from tickflag.common.wire.requests import Ask

PAGE = 1_000

Row = dict[str, Any]
"""A signal or a notice."""


def journalled(ask: Ask, what: Literal["signals", "notices"], since: int) -> Iterator[Row]:
    """The signals or notices with a number above `since`, in order, as far as the journal has them by now.

    Raises what `ask` raises, also where another journal id begins meanwhile.
    """
    journal: dict[str, str] = {}
    while True:
        page = ask(what, since=since, limit=PAGE, **journal)
        if page.get("journal_id"):
            journal = {"journal_id": page["journal_id"]}
        yield from page[what]
        if not page[what] or page[what][-1]["seq"] >= page["last_seq"]:
            return
        since = page[what][-1]["seq"]


def newest(ask: Ask, limit: int, wanted: Callable[[Row], bool]) -> list[Row]:
    """The last `limit` signals that are `wanted`, in order. Raises what `ask` raises."""
    collector = ask("status")["collector"]
    until, first = collector["last_seq"], collector["first_seq"]
    found: list[Row] = []
    step = min(max(limit, 100), PAGE)
    while len(found) < limit and until >= first:
        since = max(first - 1, until - step)
        page = ask("signals", since=since, limit=until - since)["signals"]
        found = [signal for signal in page if wanted(signal)] + found
        until = since
    return found[-limit:]
