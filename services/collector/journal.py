"""Journal: the signals and the match sets they add up to, in an SQLite file and a tail beside it.

signals   seq, trader, symbol, event, score, time_ms, cycle, note      no holes between the first and the last
matches   trader, symbol, score                                        what all signals ever written add up to
traders   name, incarnation, seq, cycle, retired                       a result of each, of late
meta      state_version                                                of the control state

A commit of signals is one write to the tail; `fold` moves them to the tables later, many in one transaction. The tables
alone are right as of some commit, tables and tail together as of the last one.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from common.errors import TickflagError
from common.messages import Signal
from services.collector.tail import Row, Tail
from services.collector.view import Draft, Position
from services.collector.views import Saved

FORMAT = 3
PRUNE_STEP = 10_000
FOLD_STEP = 50  # about half a millisecond, which is what a result that comes meanwhile has to wait
TAIL_LIMIT_BYTES = 16 << 20

_SCHEMA = f"""
BEGIN;
CREATE TABLE signals (
    seq INTEGER PRIMARY KEY, trader TEXT NOT NULL, symbol TEXT NOT NULL, event TEXT NOT NULL,
    score REAL NOT NULL, time_ms INTEGER NOT NULL, cycle INTEGER NOT NULL, note TEXT NOT NULL
);
CREATE TABLE matches (
    trader TEXT NOT NULL, symbol TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (trader, symbol)
) WITHOUT ROWID;
CREATE TABLE traders (
    name TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, cycle INTEGER NOT NULL,
    retired INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
COMMIT;
"""

# Beside the format, which stays the same: one who does not know the table passes it over.


class State(NamedTuple):
    """What a former life left."""

    state_version: int
    traders: list[Saved]


class Journal:
    """One thread, one process writes; others may read the tables meanwhile.

    Every method raises TickflagError where a file is damaged, cannot be written or the disk is full; nothing of the
    batch is then in it. `path` is a file, or ":memory:".
    """

    def __init__(self, path: Path | str, keep: int = 1_000_000) -> None:
        self.path = path
        self._keep = keep
        self._database: sqlite3.Connection | None = None
        self._tail: Tail | None = None
        self._first_seq, self._last_seq, self._state_version = 1, 0, 0
        self._pending: list[Row] = []
        """What the tail has and the tables have not."""
        with self._explained():
            try:
                self._database = sqlite3.connect(path, isolation_level=None)
                self._open()
            except BaseException:  # whatever it was, the files must not stay open
                self.close()
                raise

    @property
    def last_seq(self) -> int:
        """Number of the newest signal, 0 before the first."""
        return self._last_seq

    @property
    def first_seq(self) -> int:
        """Number of the oldest signal kept; `last_seq` + 1 where there is none."""
        return self._first_seq

    @property
    def size_bytes(self) -> int:
        """Size of the database."""
        with self._explained():
            (pages,), (page_bytes,) = self._one("PRAGMA page_count"), self._one("PRAGMA page_size")
            return int(pages * page_bytes)

    def load(self) -> State:
        """The control state's version and every trader, as of the last commit."""
        self.fold_all()
        with self._explained():
            matches: dict[str, dict[str, float]] = {}
            for trader, symbol, score in self._connection.execute("SELECT trader, symbol, score FROM matches"):
                matches.setdefault(trader, {})[symbol] = score
            rows = self._connection.execute("SELECT name, incarnation, seq, cycle, retired FROM traders")
            # Where the process ended between signals and position, a trader that reports for the first time, or again,
            # has matches and no position, or one that says it is gone.
            positions = {name: Position(name) for name in matches}
            for name, incarnation, seq, cycle, retired in rows:
                positions[name] = Position(name, incarnation, seq, cycle, bool(retired) and name not in matches)
            traders = [Saved(positions[name], matches.get(name, {})) for name in sorted(positions)]
            return State(self._state_version, traders)

    def commit(self, drafts: Sequence[Draft], positions: Sequence[Position], state_version: int) -> list[Row]:
        """Write one batch as a whole; gives the drafts with their numbers, which may be published from then on.

        Without positions and with the version of the last commit it takes microseconds. Where the process is killed
        in the middle, the signals may be there without the positions: a position may be older than the matches.
        """
        rows = [Row(seq, *draft) for seq, draft in enumerate(drafts, self._last_seq + 1)]
        tail = self._open_tail
        size = tail.size
        with self._explained():
            try:
                if rows:
                    tail.append(rows)
                if positions or state_version != self._state_version:
                    with self._written() as database:
                        database.executemany("INSERT OR REPLACE INTO traders VALUES (?, ?, ?, ?, ?)", positions)
                        database.execute("INSERT OR REPLACE INTO meta VALUES ('state_version', ?)", (state_version,))
            except BaseException:  # an interrupt too must leave nothing of the batch
                tail.cut(size)
                raise
        self._last_seq += len(rows)
        self._pending += rows
        self._state_version = state_version
        return rows

    @property
    def unfolded(self) -> int:
        """Signals that the tables do not have yet."""
        return len(self._pending)

    def fold(self) -> None:
        """Move a part of the tail to the tables: a small one, but the larger, the more there is."""
        full = self._open_tail.size > TAIL_LIMIT_BYTES
        self._fold(len(self._pending) if full else max(FOLD_STEP, len(self._pending) // 8))

    def fold_all(self) -> None:
        """Move the whole tail to the tables."""
        self._fold(len(self._pending))

    def signals(self, since: int, limit: int) -> list[Signal]:
        """At most `limit` signals with a number above `since`, in order. May delete old ones first."""
        self.fold_all()
        with self._explained():
            rows = self._connection.execute("SELECT * FROM signals WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))
            return [Signal(**dict(zip(Signal.model_fields, row, strict=True))) for row in rows]

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """For tables of others in the same file; errors are told as ours."""
        with self._explained():
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """As `database`, to change them: all or nothing."""
        with self._explained(), self._written() as database:
            yield database

    def close(self) -> None:
        """Release the files. What was not committed is gone."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None
        if self._database is not None:
            self._database.close()
            self._database = None

    def _fold(self, count: int) -> None:
        rows = self._pending[:count]
        keep_from = self._keep_from(len(rows))
        with self._explained():
            if rows or keep_from > self._first_seq:
                # The last signal of a match decides whether it still is one.
                final = {(row.trader, row.symbol): row for row in rows}
                gone = [key for key, row in final.items() if row.event == "left"]
                there = [(*key, row.score) for key, row in final.items() if row.event != "left"]
                with self._written() as database:
                    database.executemany("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                    database.executemany("DELETE FROM matches WHERE trader = ? AND symbol = ?", gone)
                    database.executemany("INSERT OR REPLACE INTO matches VALUES (?, ?, ?)", there)
                    database.execute("DELETE FROM signals WHERE seq < ?", (keep_from,))
                self._first_seq = keep_from
                del self._pending[:count]
            # Only now: if the process ends between the two, the numbers tell what the tables have already.
            if not self._pending and self._open_tail.size:
                self._open_tail.cut(0)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        database = self._connection
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:  # an interrupt too must leave no half transaction open
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise ValueError("the journal is closed")
        return self._database

    @property
    def _open_tail(self) -> Tail:
        if self._tail is None:
            raise ValueError("the journal is closed")
        return self._tail

    def _one(self, statement: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._connection.execute(statement).fetchone()
        return row

    def _open(self) -> None:
        (version,) = self._one("PRAGMA user_version")
        (tables,) = self._one("SELECT count(*) FROM sqlite_schema")
        if version not in (0, FORMAT):
            age, remedy = ("a newer", "update") if version > FORMAT else ("an older", "use that one")
            raise TickflagError(
                f"journal {self.path} has format {version}, written by {age} tickflag than this one, which knows "
                f"format {FORMAT}: {remedy}, or move the file away (signal numbers then start anew)"
            )
        if version == 0 and tables:
            raise TickflagError(f"journal {self.path} is some other program's database: move it away")
        # A commit survives the end of the process, however it comes; the last ones may not survive a power cut.
        self._one("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            self._connection.executescript(_SCHEMA)
        (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()  # 0.3 s for a million signals
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict.splitlines()[-1])
        first, last, count = self._one("SELECT min(seq), max(seq), count(*) FROM signals")
        self._first_seq, self._last_seq = first or 1, last or 0
        self._state_version = self._one("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'state_version'")[0]
        if count != self._last_seq - self._first_seq + 1:
            raise sqlite3.DatabaseError(f"signals are missing between {first} and {last}")
        self._tail = Tail(None if self.path == ":memory:" else Path(f"{self.path}-tail"))
        if version == 0:
            self._tail.cut(0)  # another journal's
        for batch in self._tail.recover():
            # Those before were folded. After a power cut some may be missing between table and tail: the end is lost.
            if batch[0].seq <= self._last_seq + 1 <= batch[-1].seq:
                self._pending += batch[self._last_seq + 1 - batch[0].seq :]
                self._last_seq = batch[-1].seq
        self.fold_all()

    def _keep_from(self, more: int) -> int:
        """The first signal to keep when so many more are in the table. In steps: a fold deletes a few thousand, now and
        then, or none."""
        last_seq = self._last_seq - len(self._pending) + more
        excess = last_seq + 1 - self._first_seq - self._keep
        if excess < min(PRUNE_STEP, self._keep):
            return self._first_seq
        return self._first_seq + min(excess, max(PRUNE_STEP, more))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the files as ours, with what to do."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise TickflagError(
                f"journal {self.path} cannot be used: {error}: look at free space, permissions and who else has it open"
            ) from None
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise  # a misuse, which is our own bug
            raise TickflagError(
                f"journal {self.path} is damaged: {error}: move it and its -wal, -shm and -tail files away and start "
                "again (signal numbers then start anew)"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.fold_all()
        finally:
            self.close()
