"""Journal: the signals and the match sets they add up to, in an SQLite file and two small files beside it.

journal.sqlite         the tables, see `tables.py`
journal.sqlite-tail    the write-ahead log: the newest signals
journal.sqlite-mark    which numbers may have been given out

A commit of signals is one write to the log; `fold` moves them to the tables later, many in one transaction. The tables
alone are right as of some earlier commit, tables and log together as of the last one.

Numbers are never used twice. Where signals were lost, a new journal id begins, above all numbers that may have been
given out; within one id there is no gap.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tickflag.common.wire.messages import Signal
from tickflag.services.collector.journal import tables
from tickflag.services.collector.journal.database import Database
from tickflag.services.collector.journal.disk_sync import SyncMode
from tickflag.services.collector.journal.file_errors import JournalLockedError, explained
from tickflag.services.collector.journal.files import JournalFiles
from tickflag.services.collector.journal.identity import LEAP, Begun, Found, begun
from tickflag.services.collector.journal.mark import BLOCK
from tickflag.services.collector.journal.salvage import NOTHING, Salvaged, is_damage, set_aside
from tickflag.services.collector.journal.write_ahead_log import SignalRow
from tickflag.services.collector.views.view import Position, UnnumberedSignal
from tickflag.services.collector.views.views import SavedTrader

PRUNE_STEP = 10_000
FOLD_STEP = 50  # signals: about half a millisecond, for which a result may have to wait
LOG_LIMIT_BYTES = 16 << 20
UNMOVED_LIMIT_BYTES = 64 << 20  # SQLite itself moves on what it has at 4 MB, unless somebody reads


class JournalState(NamedTuple):
    """Where the former life of the collector ended."""

    state_version: int
    traders: list[SavedTrader]


class Journal:
    """One thread of one process writes; other processes may read the tables at the same time.

    Every method raises TickflagError where a file is damaged or cannot be written, or the disk is full; then nothing
    was changed. Tables found damaged at the start are set aside. `path` is a file, or ":memory:".
    """

    def __init__(self, path: Path | str, keep: int = 1_000_000, sync: SyncMode = "off") -> None:
        self.path = path
        self.begun: Begun
        """How this life began: its journal id, and what was lost before."""
        self.hindrance = ""
        """What hinders the work on the files, as of the last `fold`; empty where nothing does."""
        self._keep = keep
        self._sync_mode: SyncMode = sync
        self.last_notice = 0
        """Number of the newest notice; before the first one of a journal id, the number after which they begin."""
        self._opened: JournalFiles | None = None
        self._late_positions: dict[str, Position] = {}
        """Those that could not be written while another program had the tables locked."""
        self._first_seq, self._last_seq, self._state_version = 1, 0, 0
        self.pending: list[SignalRow] = []
        """The signals that are in the log and not yet in the tables. To be read only."""
        self.database = Database(path)
        with explained(self.path):
            try:
                try:
                    self._open(NOTHING)
                except Exception as error:
                    if not is_damage(error, Path(path)):
                        raise
                    self.close()
                    salvaged, self.database = set_aside(Path(path), error), Database(path)
                    self._open(salvaged)
            except BaseException:  # the files must not stay open, not even after an interrupt
                self.close()
                raise

    @property
    def journal_id(self) -> str:
        """A random text; another one after something was lost."""
        return self.begun.identity.journal_id

    @property
    def last_seq(self) -> int:
        """Number of the newest signal; before the first one of a journal id, the number after which they begin."""
        return self._last_seq

    @property
    def first_seq(self) -> int:
        """Number of the oldest signal kept; `last_seq` + 1 where there is none."""
        return self._first_seq

    @property
    def size_bytes(self) -> int:
        """Size of the database."""
        with explained(self.path):
            return tables.size_bytes(self.database.connection)

    def load(self) -> JournalState:
        """The control state's version and every trader, as of the last commit."""
        self.fold_all()
        with explained(self.path):
            return JournalState(self._state_version, tables.saved_traders(self.database.connection))

    def commit(
        self, signals: Sequence[UnnumberedSignal], positions: Sequence[Position], state_version: int
    ) -> list[SignalRow]:
        """The signals with their numbers, after the batch was written as a whole: from now on they may be published.

        Without positions and with the version of the last commit, this takes microseconds. If the process is killed
        in the middle, signals may be there without their positions. So a position may be older than the matches.
        """
        rows = [SignalRow(seq, *signal) for seq, signal in enumerate(signals, self._last_seq + 1)]
        files = self._files
        log, mark = files.log, files.mark
        size, last_seq = log.size, self._last_seq + len(rows)
        with explained(self.path):
            try:
                if rows:
                    mark.reserve(last_seq, self.last_notice)
                    log.append(rows)
                    files.sync.after_commit()
                if positions or self._late_positions or state_version != self._state_version:
                    self._write_positions(positions, state_version)
                # Last: a number that stands in the mark is taken for published.
                mark.note(last_seq, self.last_notice, state_version)
            except BaseException:  # after an interrupt, too, nothing of the batch may be there
                log.cut(size)
                raise
        self._last_seq = last_seq
        self.pending += rows
        self._state_version = state_version
        return rows

    @property
    def unfolded(self) -> int:
        """How many signals are not in the tables yet."""
        return len(self.pending)

    def fold(self) -> bool:
        """Move some of the unfolded signals to the tables: few at a time, but more where there are many. True where
        another part should follow soon; not where something hinders, as `hindrance` then says."""
        files = self._files
        full = files.log.size > LOG_LIMIT_BYTES
        self.hindrance = f"{gone} was removed: what it has ends with this process" if (gone := files.missing()) else ""
        with explained(self.path):  # ahead of the need, as this waits for the disk
            files.mark.reserve(self._last_seq + BLOCK // 2, self.last_notice + BLOCK // 2)
        if files.unmoved_bytes > UNMOVED_LIMIT_BYTES and not full and not self.database.try_checkpoint():
            # Each fold would add whole pages to that file; large folds add fewest.
            self.hindrance = "another program has been reading an old state for long, so signals wait in the log"
            return False
        try:
            self._fold(len(self.pending) if full else max(FOLD_STEP, len(self.pending) // 8), wait=full)
        except JournalLockedError:
            self.hindrance = "another program has the tables locked, so signals wait in the log"
            return False
        return bool(self.pending)

    def fold_all(self) -> None:
        """Move all unfolded signals to the tables."""
        self._fold(len(self.pending))

    def signals(self, since: int, limit: int) -> list[Signal]:
        """At most `limit` signals of this journal id with a number above `since`, in order. May delete old ones
        first."""
        with contextlib.suppress(JournalLockedError):
            self.fold_all()
        after = max(since, self._first_seq - 1)
        with explained(self.path):
            rows = self.database.connection.execute(
                "SELECT * FROM signals WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            )
            found = [*rows, *(row for row in self.pending if row.seq > after)][:limit]
            return [Signal(**dict(zip(Signal.model_fields, row, strict=True))) for row in found]

    def after_transaction(self) -> None:
        """Something was written to the tables that no log has."""
        with explained(self.path):
            self._files.sync.after_transaction()

    def reserve_notices(self, last: int) -> None:
        """Make sure that notices up to the number `last` may be given out."""
        with explained(self.path):
            self._files.mark.reserve(self._last_seq, last)

    def note_notices(self, last: int) -> None:
        """The notices up to the number `last` are written, and are going to be published."""
        with explained(self.path):
            self._files.mark.note(self._last_seq, last, self._state_version)
        self.last_notice = last

    def close(self) -> None:
        """Release the files, with all that was committed on the disk."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self.database.close()

    def _write_positions(self, positions: Sequence[Position], state_version: int) -> None:
        """Write the positions to the tables; where they are locked, with the next ones. The mark has the version."""
        late = self._late_positions | {position.trader: position for position in positions}
        try:
            with self.database.writing() as database:
                database.executemany("INSERT OR REPLACE INTO traders VALUES (?, ?, ?, ?, ?)", late.values())
                database.execute("INSERT OR REPLACE INTO meta VALUES ('state_version', ?)", (state_version,))
        except JournalLockedError:
            self._late_positions = late
        else:
            self._late_positions = {}
            self._files.sync.after_fold()

    def _fold(self, count: int, wait: bool = False) -> None:
        rows = self.pending[:count]
        keep_from = self._keep_from(len(rows))
        with explained(self.path):
            if rows or keep_from > self._first_seq:
                with self.database.writing() as database:
                    tables.add_signals(database, rows, keep_from)
                self._files.sync.after_fold()
                self._first_seq = keep_from
                del self.pending[:count]
            # Only now: if the process ends before the cut, the numbers tell which signals the tables have already. And
            # only where the tables are on the disk as the setting wants it: after a power cut the log has the rest.
            log, sync = self._files.log, self._files.sync
            if not self.pending and log.size:
                if wait:
                    sync.sync()
                if sync.covers_all():
                    log.cut(0)

    @property
    def _files(self) -> JournalFiles:
        if self._opened is None:
            raise ValueError("the journal is closed")
        return self._opened

    def _open(self, salvaged: Salvaged) -> None:
        """Go on where the former life ended. `salvaged` is of tables that were set aside."""
        contents = tables.open_tables(self.database.connection, self.path)
        self._first_seq, self._last_seq = contents.first_seq, contents.last_seq
        self.last_notice, self._state_version = contents.last_notice, contents.state_version
        self._opened = files = JournalFiles(None if self.path == ":memory:" else Path(self.path), self._sync_mode)
        log, mark = files.log, files.mark
        if contents.fresh:
            log.cut(0)  # a log without its tables belongs to another journal
        for batch in log.recover():
            if batch[0].seq <= self._last_seq + 1 <= batch[-1].seq:  # earlier ones were folded, later ones have a gap
                self.pending += batch[self._last_seq + 1 - batch[0].seq :]
                self._last_seq = batch[-1].seq
        if mark.former is not None:
            self._state_version = max(self._state_version, mark.former.state_version)
        self._fold(len(self.pending), wait=True)
        last = max(self._last_seq, salvaged.last_seq), max(self.last_notice, salvaged.last_notice)
        self._identify(Found(contents, *last, log.fault, salvaged.damage), salvaged)
        self.database.wait_for_locks(0)  # else results would wait

    def _identify(self, found: Found, salvaged: Salvaged) -> None:
        """Go on with the journal id of the former life, or begin another one where something of that life is lost."""
        mark, sync = self._files.mark, self._files.sync
        self.begun = begin = begun(self.path, found, mark)
        identity = begin.identity
        if begin.new:
            with self.database.writing() as database:
                tables.add_identity(database, identity)
                tables.add_documents(database, salvaged.documents)
            sync.after_transaction()
        if begin.loss:
            self._last_seq, self.last_notice = identity.after_signal, identity.after_notice
            self._first_seq = self._last_seq + 1
            self._state_version += LEAP
        durable = sync.mode == "always"
        mark.begin(self.journal_id, self._last_seq, self.last_notice, self._state_version, durable)

    def _keep_from(self, more: int) -> int:
        """Number of the first signal to keep once `more` signals were added to the table. It moves in steps, so that
        most folds delete nothing and some delete a few thousand."""
        last_seq = self._last_seq - len(self.pending) + more
        excess = last_seq + 1 - self._first_seq - self._keep
        if excess < min(PRUNE_STEP, self._keep):
            return self._first_seq
        return self._first_seq + min(excess, max(PRUNE_STEP, more))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with contextlib.suppress(JournalLockedError):  # the log has it
                    self._fold(len(self.pending), wait=True)
        finally:
            self.close()
