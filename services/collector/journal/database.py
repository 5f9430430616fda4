"""Database: the connection to the journal's tables. Its errors become TickflagErrors that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickflag.services.collector.journal.file_errors import explained


class Database:
    """One thread. Waits some seconds for the locks of other programs, until `wait_for_locks` says otherwise."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        with explained(path):
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.text_factory = _text

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("the journal is closed")
        return self._connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for questions."""
        with explained(self._path):
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, for changes: all or nothing. Raises JournalLockedError while another program writes."""
        with explained(self._path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:  # after an interrupt, too, no half transaction may stay open
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def wait_for_locks(self, seconds: float) -> None:
        """How long to wait for locks of other programs from now on."""
        with explained(self._path):
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1_000)}")

    def try_checkpoint(self) -> bool:
        """Let SQLite move all from its own log to the file; False while another program reads an older state."""
        with explained(self._path):
            busy: int = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _text(stored: bytes) -> str:
    """A byte that was harmed must not keep the rest from being read."""
    return stored.decode(errors="replace")
