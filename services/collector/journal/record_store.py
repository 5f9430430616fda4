"""Records: what the collector keeps in the journal's database beside the signals: notices, and documents by name.

notices     seq, time_ms, trader, what, before, after, reason      no holes between the first and the last
documents   name, content                                          JSON, replaced as a whole
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from common.messages import Notice
from services.collector.journal import Journal

KEEP = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, trader TEXT NOT NULL, what TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
"""


class NoticeDraft(NamedTuple):
    """A notice before it has its number."""

    time_ms: int
    trader: str
    what: str
    before: str
    after: str
    reason: str = ""


class Records:
    """Borrows the journal's database. One thread. Raises TickflagError as the journal does."""

    def __init__(self, journal: Journal, keep: int = KEEP) -> None:
        self._journal, self._keep = journal, keep
        with journal.database() as database:
            database.executescript(_SCHEMA)
            first, last = database.execute("SELECT min(seq), max(seq) FROM notices").fetchone()
        self.first_seq = first or 1
        """Number of the oldest notice kept; `last_seq` + 1 where there is none."""
        self.last_seq = last or 0

    def write(self, notices: Iterable[NoticeDraft], documents: Mapping[str, Any]) -> list[Notice]:
        """Add notices and replace documents, all or nothing; gives the notices with their numbers."""
        numbered = [Notice(seq=seq, **draft._asdict()) for seq, draft in enumerate(notices, self.last_seq + 1)]
        last_seq = self.last_seq + len(numbered)
        first_seq = max(self.first_seq, last_seq + 1 - self._keep)
        with self._journal.transaction() as database:
            database.executemany("INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, numbered))
            database.execute("DELETE FROM notices WHERE seq < ?", (first_seq,))
            texts = [(name, json.dumps(content, allow_nan=False)) for name, content in documents.items()]
            database.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?)", texts)
        self.first_seq, self.last_seq = first_seq, last_seq
        return numbered

    def notices(self, since: int, limit: int) -> list[Notice]:
        """At most `limit` notices with a number above `since`, in order."""
        with self._journal.database() as database:
            rows = database.execute("SELECT * FROM notices WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))
            return [Notice(**dict(zip(_FIELDS, row, strict=True))) for row in rows]

    def document(self, name: str) -> Any:
        """What was written under this name last; None where nothing was. Raises ValueError where it is damaged."""
        with self._journal.database() as database:
            found = database.execute("SELECT content FROM documents WHERE name = ?", (name,)).fetchone()
        try:
            return None if found is None else json.loads(found[0])
        except RecursionError:
            raise ValueError(f"document {name!r} of the journal is nested too deep") from None


_FIELDS = ("seq", *NoticeDraft._fields)


def _row(notice: Notice) -> tuple[Any, ...]:
    return tuple(getattr(notice, field) for field in _FIELDS)
