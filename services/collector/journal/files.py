"""JournalFiles: the files beside the tables, opened and closed together, and what hinders the work on all of them."""

import contextlib
import os
from pathlib import Path

from tickflag.services.collector.journal.disk_sync import DiskSync, SyncMode
from tickflag.services.collector.journal.mark import JournalMark
from tickflag.services.collector.journal.write_ahead_log import WriteAheadLog


class JournalFiles:
    """One process, one thread. Raises OSError where a file cannot be used, or another process writes the journal."""

    def __init__(self, tables: Path | None, mode: SyncMode) -> None:
        """`tables` is the file of the database, which exists; None for one in memory."""
        self._tables = tables
        self.log = WriteAheadLog(tables and Path(f"{tables}-tail"))
        try:
            self.mark = JournalMark(tables and Path(f"{tables}-mark"))
        except BaseException:  # after an interrupt, too, the log must not stay open
            self.log.close()
            raise
        self.sync = DiskSync(mode, self.log.descriptor, tables)
        paths = () if tables is None else (tables, Path(f"{tables}-tail"), Path(f"{tables}-mark"))
        self._files = {path: _identity(path) for path in paths}

    def missing(self) -> str:
        """The first file that was removed, or replaced, since it was opened; empty where all are there."""
        return next((str(path) for path, known in self._files.items() if _identity(path) != known), "")

    @property
    def unmoved_bytes(self) -> int:
        """Size of what SQLite has not moved to the database yet; it cannot while somebody reads an older state."""
        try:
            return 0 if self._tables is None else os.stat(f"{self._tables}-wal").st_size
        except OSError:
            return 0

    def close(self) -> None:
        """Release the files, with all that was committed on the disk."""
        self.sync.close()
        with contextlib.suppress(OSError):  # the next life is told that the end was not orderly
            self.sync.sync()
            self.mark.end()
        self.sync.release()
        self.log.close()
        self.mark.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
