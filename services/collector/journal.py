"""Journal: the signals and the match sets they add up to, in one SQLite file.

signals   seq, trader, symbol, event, score, time_ms, cycle      no holes between the first and the last
matches   trader, symbol, score                                  what all signals ever written add up to
traders   name, incarnation, seq, cycle, retired                 the result up to which that holds
meta      state_version                                          of the control state
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from common.errors import TickflagError
from common.messages import Signal
from services.collector.view import Draft, Position
from services.collector.views import Saved

FORMAT = 1
PRUNE_STEP = 10_000

_SCHEMA = f"""
BEGIN;
CREATE TABLE signals (
    seq INTEGER PRIMARY KEY, trader TEXT NOT NULL, symbol TEXT NOT NULL, event TEXT NOT NULL,
    score REAL NOT NULL, time_ms INTEGER NOT NULL, cycle INTEGER NOT NULL
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


class State(NamedTuple):
    """What a former life left."""

    state_version: int
    traders: list[Saved]


class Journal:
    """One thread, one process writes; others may read the file meanwhile.

    Every method raises TickflagError where the file is damaged, cannot be written or the disk is full; nothing of the
    batch is then in it. `path` is a file, or ":memory:".
    """

    def __init__(self, path: Path | str, keep: int = 1_000_000) -> None:
        self.path = path
        self._keep = keep
        self._database: sqlite3.Connection | None = None
        self._first_seq, self._last_seq, self._state_version = 1, 0, 0
        with self._explained():
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._open()
            except BaseException:  # whatever it was, the file must not stay open
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
        with self._explained():
            matches: dict[str, dict[str, float]] = {}
            for trader, symbol, score in self._connection.execute("SELECT trader, symbol, score FROM matches"):
                matches.setdefault(trader, {})[symbol] = score
            rows = self._connection.execute("SELECT name, incarnation, seq, cycle, retired FROM traders ORDER BY name")
            traders = [
                Saved(Position(name, incarnation, seq, cycle, bool(retired)), matches.get(name, {}))
                for name, incarnation, seq, cycle, retired in rows
            ]
            return State(self._state_version, traders)

    def commit(self, drafts: Sequence[Draft], positions: Sequence[Position], state_version: int) -> list[Signal]:
        """Write one batch as a whole; gives the drafts as numbered signals, which may be published from then on."""
        first = self._last_seq + 1
        keep_from = self._keep_from(self._last_seq + len(drafts))
        # The last draft of a match decides whether it still is one; a batch may hold several.
        final = {(draft.trader, draft.symbol): draft for draft in drafts}
        with self._explained():
            execute, executemany = self._connection.execute, self._connection.executemany
            execute("BEGIN IMMEDIATE")
            try:
                if drafts:
                    executemany(
                        "INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?)",
                        [(seq, *draft) for seq, draft in enumerate(drafts, first)],
                    )
                    gone = [key for key, draft in final.items() if draft.event == "left"]
                    there = [(*key, draft.score) for key, draft in final.items() if draft.event != "left"]
                    if gone:
                        executemany("DELETE FROM matches WHERE trader = ? AND symbol = ?", gone)
                    if there:
                        executemany("INSERT OR REPLACE INTO matches VALUES (?, ?, ?)", there)
                if positions:
                    executemany("INSERT OR REPLACE INTO traders VALUES (?, ?, ?, ?, ?)", positions)
                if state_version != self._state_version:
                    execute("INSERT OR REPLACE INTO meta VALUES ('state_version', ?)", (state_version,))
                if keep_from > self._first_seq:
                    execute("DELETE FROM signals WHERE seq < ?", (keep_from,))
                execute("COMMIT")
            except BaseException:  # an interrupt too must leave no half transaction open
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        self._last_seq += len(drafts)
        self._first_seq = keep_from
        self._state_version = state_version
        return [
            Signal(seq=seq, trader=trader, symbol=symbol, event=event, score=score, time_ms=time_ms, cycle=cycle)
            for seq, (trader, symbol, event, score, time_ms, cycle) in enumerate(drafts, first)
        ]

    def signals(self, since: int, limit: int) -> list[Signal]:
        """At most `limit` signals with a number above `since`, in order."""
        with self._explained():
            rows = self._connection.execute("SELECT * FROM signals WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))
            return [Signal(**dict(zip(Signal.model_fields, row, strict=True))) for row in rows]

    def close(self) -> None:
        """What was not committed is gone."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise ValueError("the journal is closed")
        return self._database

    def _one(self, statement: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._connection.execute(statement).fetchone()
        return row

    def _open(self) -> None:
        (version,) = self._one("PRAGMA user_version")
        (tables,) = self._one("SELECT count(*) FROM sqlite_schema")
        if version > FORMAT:
            raise TickflagError(
                f"journal {self.path} has format {version}, written by a newer tickflag than this one, which knows "
                f"format {FORMAT}: update, or move the file away (signal numbers then start anew)"
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

    def _keep_from(self, last_seq: int) -> int:
        """The first signal to keep. In steps: a commit deletes a few thousand signals, now and then, or none."""
        excess = last_seq + 1 - self._first_seq - self._keep
        if excess < min(PRUNE_STEP, self._keep):
            return self._first_seq
        return self._first_seq + min(excess, PRUNE_STEP)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors as ours, with what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise TickflagError(
                f"journal {self.path} cannot be used: {error}: look at free space, permissions and who else has it open"
            ) from None
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise  # a misuse, which is our own bug
            raise TickflagError(
                f"journal {self.path} is damaged: {error}: move it and its -wal and -shm files away and start again "
                "(signal numbers then start anew)"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
