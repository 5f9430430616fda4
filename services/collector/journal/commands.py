"""The journal's commands: notices, and the search for signals.

notices        since, limit, journal_id     what happened to circuits and feature flags, with numbers above `since`
signals.find   before or since or time_ms,  the signals that fit, the newest first; with `since` the oldest first
               trader, symbol, event, text, limit, journal_id
"""

from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.wire.arguments import Arguments, Command
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.journal.search import Search, searched

PAGE = 1_000
MAX_PAGE = 10_000


class NoticeCommands:
    """The commands run between two commits. One thread."""

    def __init__(self, record_store: RecordStore, journal: Journal) -> None:
        self._record_store, self._journal = record_store, journal
        self.commands: dict[str, Command] = {"notices": self._notices}

    def _notices(self, arguments: Arguments) -> dict[str, Any]:
        store = self._record_store
        check_journal(arguments, self._journal)
        since = arguments.number("since", max(0, store.last_seq - PAGE), 0)
        limit = arguments.number("limit", PAGE, 1, MAX_PAGE)
        arguments.end()
        notices = [notice.model_dump() for notice in store.notices(since, limit)]
        numbers = {"first_seq": store.first_seq, "last_seq": store.last_seq}
        return {"notices": notices, **numbers, "journal_id": self._journal.journal_id}


class SearchCommands:
    """The commands run between two commits. One thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.commands: dict[str, Command] = {"signals.find": self._find}

    def _find(self, arguments: Arguments) -> dict[str, Any]:
        journal = self._journal
        check_journal(arguments, journal)
        before, since = arguments.number("before", 0, 0), arguments.number("since", -1, -1)
        time_ms = arguments.number("time_ms", 0, 0)
        trader, symbol, event, text = (arguments.text(name, "") for name in ("trader", "symbol", "event", "text"))
        limit = arguments.number("limit", PAGE, 1, MAX_PAGE)
        arguments.end()
        if (before > 0) + (since >= 0) + (time_ms > 0) > 1:
            raise TickflagError("'signals.find' takes one of the arguments before, since and time_ms")
        number = since if since >= 0 else before or journal.last_seq + 1
        found = searched(journal, Search(number, limit, since >= 0, time_ms, trader, symbol, event, text))
        return {
            "signals": [row._asdict() for row in found.rows],
            "reached": found.reached,
            "whole": found.whole,
            "first_seq": journal.first_seq,
            "last_seq": journal.last_seq,
            "journal_id": journal.journal_id,
        }


def check_journal(arguments: Arguments, journal: Journal) -> None:
    """Refuse a request whose numbers are those of another journal. Without a `journal_id` all are taken for ours."""
    wanted = arguments.text("journal_id", "")
    if wanted and wanted != journal.journal_id:
        raise TickflagError(
            f"argument 'journal_id': {wanted[:80]!r} is another journal than this one, {journal.journal_id!r}: "
            "take a snapshot"
        )
