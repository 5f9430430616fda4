"""RecordStore: notices, and documents by name, which the journal's database holds beside the signals.

notices     seq, time_ms, trader, what, before, after, reason      no gaps within the numbers of one journal id
documents   name, content                                          JSON, replaced as a whole
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tickflag.common.wire.messages import Notice
from tickflag.services.collector.journal.file_errors import JournalLockedError
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import UnnumberedNotice

KEEP = 10_000


class RecordStore:
    """Borrows the journal's database. One thread. Every method raises TickflagError as the journal does."""

    def __init__(self, journal: Journal, keep: int = KEEP) -> None:
        self._journal, self._keep = journal, keep
        after = journal.begun.identity.after_notice
        with journal.database.reading() as database:
            first, last = database.execute("SELECT min(seq), max(seq) FROM notices WHERE seq > ?", (after,)).fetchone()
        self.first_seq = first or after + 1
        """Number of the oldest notice kept; `last_seq` + 1 where there is none."""
        self.last_seq = last or after
        self._late: tuple[list[UnnumberedNotice], dict[str, Any]] = ([], {})

    @property
    def waiting(self) -> bool:
        """Whether the next `write` has something to do even without new notices and documents."""
        return any(self._late)

    def write(self, notices: Iterable[UnnumberedNotice], documents: Mapping[str, Any]) -> list[Notice]:
        """The notices with their numbers, after they were added and the documents replaced, all or nothing. While
        another program has the tables locked, none: the next call tries again with all that is waiting."""
        late = [*self._late[0], *notices], {**self._late[1], **documents}
        try:
            written = self._write(*late)
        except JournalLockedError:
            self._late = late
            return []
        self._late = ([], {})
        return written

    def _write(self, notices: list[UnnumberedNotice], documents: dict[str, Any]) -> list[Notice]:
        numbered = [Notice(seq=seq, **notice._asdict()) for seq, notice in enumerate(notices, self.last_seq + 1)]
        last_seq = self.last_seq + len(numbered)
        first_seq = max(self.first_seq, last_seq + 1 - self._keep)
        self._journal.reserve_notices(last_seq)
        with self._journal.database.writing() as database:
            database.executemany("INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, numbered))
            database.execute("DELETE FROM notices WHERE seq < ?", (first_seq,))
            texts = [(name, json.dumps(content, allow_nan=False)) for name, content in documents.items()]
            database.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?)", texts)
        self._journal.after_transaction()
        self._journal.note_notices(last_seq)
        self.first_seq, self.last_seq = first_seq, last_seq
        return numbered

    def notices(self, since: int, limit: int) -> list[Notice]:
        """At most `limit` notices with a number above `since`, in order."""
        with self._journal.database.reading() as database:
            after = max(since, self.first_seq - 1)
            rows = database.execute("SELECT * FROM notices WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
            return [Notice(**dict(zip(_FIELDS, row, strict=True))) for row in rows]

    def document(self, name: str) -> Any:
        """The document of this name; None where none was written. Raises ValueError where the document is damaged."""
        with self._journal.database.reading() as database:
            found = database.execute("SELECT content FROM documents WHERE name = ?", (name,)).fetchone()
        try:
            return None if found is None else json.loads(found[0])
        except RecursionError:
            raise ValueError(f"document {name!r} of the journal is nested too deep") from None


_FIELDS = ("seq", *UnnumberedNotice._fields)


def _row(notice: Notice) -> tuple[Any, ...]:
    return tuple(getattr(notice, field) for field in _FIELDS)
