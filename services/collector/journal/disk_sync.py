"""DiskSync: brings what was written to the journal's files to the disk, so that a power cut costs little.

off       when the operating system likes
1s        within a second, in a thread, so that no result waits for the disk
always    before it is published
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Literal

SyncMode = Literal["off", "1s", "always"]
EVERY_S = 1.0


class DiskSync:
    """Call every method from one thread. Raises OSError where the disk fails, also what the thread met with.

    `log` is the descriptor of the write-ahead log, borrowed; `tables` the file of the database, None for one in memory.
    """

    def __init__(self, mode: SyncMode, log: int, tables: Path | None) -> None:
        self.mode: SyncMode = "off" if tables is None else mode
        self._log, self._tables = log, tables
        self._written = self._synced = 0
        self._fault: OSError | None = None
        self._opening = threading.Lock()  # guards the field that follows
        self._tables_log = -1
        """The log of SQLite itself, which stays open: later, descriptors may be short."""
        self._wanted, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        if self.mode == "1s":
            self._thread.start()

    def after_commit(self) -> None:
        """Something was written to the log: bring it to the disk, now or soon."""
        self._written += 1
        if self.mode == "always":
            os.fdatasync(self._log)
        elif self.mode == "1s" and not self._wanted.is_set():
            self._wanted.set()

    def after_fold(self) -> None:
        """Something was written to the tables that the log has too, or that may be lost: bring it to the disk soon."""
        self._written += 1
        if self.mode == "1s":
            self._wanted.set()

    def after_transaction(self) -> None:
        """Something was written to the tables that stands in no log: bring it to the disk, now or soon."""
        self._written += 1
        if self.mode == "always":
            self._sync_tables()
        elif self.mode == "1s":
            self._wanted.set()

    def covers_all(self) -> bool:
        """Whether all that was written is on the disk, or need not be: then the log may be emptied. Does not wait,
        except in the mode `always`."""
        if self._fault is not None:
            raise self._fault
        if self.mode == "always":
            self._sync_tables()
        return self.mode != "1s" or self._synced == self._written

    def sync(self) -> None:
        """Bring all to the disk, and wait for it; nothing in the mode `off`."""
        if self.mode != "off":
            os.fdatasync(self._log)
            self._sync_tables()
            self._synced = self._written

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wanted.set()
        if self.mode == "1s":
            self._thread.join()

    def release(self) -> None:
        """Close what is open. Nothing is called after it."""
        with self._opening:
            self._close_tables_log()

    def _close_tables_log(self) -> None:
        if self._tables_log >= 0:
            os.close(self._tables_log)
            self._tables_log = -1

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._ended.is_set():
                return
            self._wanted.clear()  # first: what is written from here on wants another round
            written = self._written
            try:
                os.fdatasync(self._log)
                self._sync_tables()
            except OSError as error:
                self._fault = error
                return
            self._synced = written
            self._ended.wait(EVERY_S)

    def _sync_tables(self) -> None:
        """SQLite appends its commits to this file, and brings the file to the disk itself before it moves them on."""
        with self._opening, contextlib.suppress(FileNotFoundError):  # it is made by the first write
            there = os.stat(f"{self._tables}-wal")
            if self._tables_log < 0 or not os.path.samestat(there, os.fstat(self._tables_log)):
                opened = os.open(f"{self._tables}-wal", os.O_RDONLY | os.O_CLOEXEC)
                self._close_tables_log()
                self._tables_log = opened
            os.fsync(self._tables_log)
