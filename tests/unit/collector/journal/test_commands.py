"""The command on notices."""

import pytest

from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.common.errors import TickflagError
from tickflag.common.wire.arguments import Arguments
from tickflag.services.collector.journal.commands import NoticeCommands
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.journal.record_store import RecordStore


def test_notices() -> None:
    """The notices from a number on, up to a count, with the first and the last number; without arguments the newest
    ones."""
    queue = NoticeQueue(ManualClock(1_000_000_000))
    queue.add("feature flag", "off", "on", "ann")
    queue.add("plugin circuit", "closed", "half-open", "it raises", "rsi")
    queue.add("plugin circuit", "half-open", "open", "it raises", "rsi")
    with Journal(":memory:") as journal:
        store = RecordStore(journal)
        store.write(queue.drain(), {})
        notices = NoticeCommands(store, journal).commands["notices"]
        page = notices(Arguments("notices", {"since": 1, "limit": 1}))
        assert (page["first_seq"], page["last_seq"]) == (1, 3)
        assert [(one["seq"], one["before"], one["after"]) for one in page["notices"]] == [(2, "closed", "half-open")]
        assert page["journal_id"] == journal.journal_id
        with pytest.raises(TickflagError, match="'journal_id': 'other' is another journal than this one"):
            notices(Arguments("notices", {"journal_id": "other"}))
        whats = [one["what"] for one in notices(Arguments("notices", {}))["notices"]]
        assert whats == ["feature flag", "plugin circuit", "plugin circuit"]
