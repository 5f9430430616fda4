"""The journal's tables: made, checked, brought to the present format.

signals   seq, trader, symbol, event, score, time_ms, cycle, note      no gaps within the numbers of one journal id
matches   trader, symbol, score                                        the sum of all signals that were ever written
traders   name, incarnation, seq, cycle, retired                       a recent position of each trader
meta      state_version                                                of the control state
journals  id, after_signal, after_notice                               the journal ids, and where each begins

The format covers the first four tables: a program ignores tables that it does not know.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tickflag.common.errors import TickflagError
from tickflag.services.collector.journal.write_ahead_log import SignalRow
from tickflag.services.collector.views.view import Position
from tickflag.services.collector.views.views import SavedTrader

FORMAT = 3
_MOST_FORMATS = 1_000  # a number beyond is harm, and not a newer version's

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
_MIGRATION = f"""
BEGIN;
ALTER TABLE signals ADD COLUMN note TEXT NOT NULL DEFAULT '';
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_MORE = """
CREATE TABLE IF NOT EXISTS notices (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, trader TEXT NOT NULL, what TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journals (
    id TEXT PRIMARY KEY, after_signal INTEGER NOT NULL, after_notice INTEGER NOT NULL
) WITHOUT ROWID;
"""
# Table -> what is true of a row that no program of ours has written. SQLite has no checksums, so a page that was harmed
# may well be a page.
_WRONG = {
    "signals": (
        "event NOT IN ('entered', 'left', 'score') OR typeof(trader) <> 'text' OR length(trader) NOT BETWEEN 1 AND 128 "
        "OR typeof(symbol) <> 'text' OR length(symbol) NOT BETWEEN 1 AND 128 OR typeof(score) <> 'real' "
        "OR abs(score) > 1.7976931348623157e308 OR typeof(time_ms) <> 'integer' OR time_ms < 0 "
        "OR typeof(cycle) <> 'integer' OR cycle < 0 OR typeof(note) <> 'text' OR length(note) > 200 OR seq < 1"
    ),
    "matches": (
        "typeof(trader) <> 'text' OR length(trader) NOT BETWEEN 1 AND 128 OR typeof(symbol) <> 'text' "
        "OR length(symbol) NOT BETWEEN 1 AND 128 OR typeof(score) <> 'real' OR abs(score) > 1.7976931348623157e308"
    ),
    "traders": (
        "typeof(name) <> 'text' OR length(name) NOT BETWEEN 1 AND 128 OR typeof(incarnation) <> 'integer' "
        "OR incarnation < 0 OR typeof(seq) <> 'integer' OR seq < 0 OR typeof(cycle) <> 'integer' OR cycle < 0 "
        "OR retired NOT IN (0, 1)"
    ),
    "meta": "typeof(value) <> 'integer' OR value < 0",
    "notices": (
        "typeof(time_ms) <> 'integer' OR time_ms < 0 OR typeof(trader) <> 'text' OR length(trader) > 128 "
        "OR typeof(what) <> 'text' OR length(what) NOT BETWEEN 1 AND 128 OR typeof(before) <> 'text' "
        "OR length(before) > 4096 OR typeof(after) <> 'text' OR length(after) > 4096 OR typeof(reason) <> 'text' "
        "OR length(reason) > 4096 OR seq < 1"
    ),
    "documents": "typeof(name) <> 'text' OR typeof(content) <> 'text'",
    "journals": (
        "typeof(id) <> 'text' OR length(id) NOT BETWEEN 1 AND 64 OR typeof(after_signal) <> 'integer' "
        "OR after_signal < 0 OR typeof(after_notice) <> 'integer' OR after_notice < 0"
    ),
}


class ForeignError(TickflagError):
    """The file is some other program's database."""


class Identity(NamedTuple):
    """A journal id, and the numbers after which its signals and notices begin."""

    journal_id: str
    after_signal: int
    after_notice: int


class Contents(NamedTuple):
    """What the tables hold."""

    fresh: bool
    """They were made just now."""
    identity: Identity | None
    """The newest one; None where no program has written any yet."""
    first_seq: int
    last_seq: int
    last_notice: int
    state_version: int


def open_tables(database: sqlite3.Connection, path: Path | str) -> Contents:
    """Make the tables where there are none, and bring older ones to this format. Raises TickflagError for a file that
    this program must not touch, sqlite3.DatabaseError for a damaged one."""
    (version,) = _one(database, "PRAGMA user_version")
    (tables,) = _one(database, "SELECT count(*) FROM sqlite_schema")
    if not 0 <= version < _MOST_FORMATS:
        raise sqlite3.DatabaseError(f"format {version}")
    if version > FORMAT:
        raise TickflagError(
            f"journal {path} has format {version}, written by a newer tickflag than this one, which knows format "
            f"{FORMAT}: update, or move the file away (signal numbers then start anew)"
        )
    if version == 0 and tables:
        raise ForeignError(f"journal {path} is some other program's database: move it away")
    # A commit survives every end of the process; what survives a power cut, DiskSync decides.
    _one(database, "PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        database.executescript(_SCHEMA)
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()  # 0.3 s for a million signals
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict.splitlines()[-1])
    if 0 < version < FORMAT:
        database.executescript(_MIGRATION)
    database.executescript(_MORE)
    for table, wrong in _WRONG.items():
        (count,) = _one(database, f"SELECT count(*) FROM {table} WHERE {wrong}")
        if count:
            raise sqlite3.DatabaseError(f"{count:,} rows of the table {table} are not as they were written")
    row = database.execute("SELECT * FROM journals ORDER BY after_signal DESC, after_notice DESC LIMIT 1").fetchone()
    identity = None if row is None else Identity(*row)
    after = identity.after_signal if identity else 0
    first, last, count = _one(database, "SELECT min(seq), max(seq), count(*) FROM signals WHERE seq > ?", after)
    if count and count != last - first + 1:
        raise sqlite3.DatabaseError(f"signals are missing between {first} and {last}")
    (last_notice,) = _one(database, "SELECT coalesce(max(seq), 0) FROM notices")
    (state_version,) = _one(database, "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'state_version'")
    return Contents(version == 0, identity, first or after + 1, last or after, last_notice, state_version)


def add_identity(database: sqlite3.Connection, identity: Identity) -> None:
    """Write a new journal id, which counts from now on."""
    database.execute("INSERT INTO journals VALUES (?, ?, ?)", identity)


def add_signals(database: sqlite3.Connection, rows: Sequence[SignalRow], keep_from: int) -> None:
    """Add the signals, and what they change in the match sets; delete the signals before `keep_from`."""
    # The last signal of a symbol decides whether it is a match.
    final = {(row.trader, row.symbol): row for row in rows}
    gone = [key for key, row in final.items() if row.event == "left"]
    there = [(*key, row.score) for key, row in final.items() if row.event != "left"]
    database.executemany("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    database.executemany("DELETE FROM matches WHERE trader = ? AND symbol = ?", gone)
    database.executemany("INSERT OR REPLACE INTO matches VALUES (?, ?, ?)", there)
    database.execute("DELETE FROM signals WHERE seq < ?", (keep_from,))


def saved_traders(database: sqlite3.Connection) -> list[SavedTrader]:
    """Every trader as of the last fold, sorted by name."""
    matches: dict[str, dict[str, float]] = {}
    for trader, symbol, score in database.execute("SELECT trader, symbol, score FROM matches"):
        matches.setdefault(trader, {})[symbol] = score
    rows = database.execute("SELECT name, incarnation, seq, cycle, retired FROM traders")
    # The process may have ended after it wrote signals and before it wrote positions. Then a trader that had just
    # reported, for the first time or again, has matches, but no position or a retired one.
    positions = {name: Position(name) for name in matches}
    for name, incarnation, seq, cycle, retired in rows:
        positions[name] = Position(name, incarnation, seq, cycle, bool(retired) and name not in matches)
    return [SavedTrader(positions[name], matches.get(name, {})) for name in sorted(positions)]


def add_documents(database: sqlite3.Connection, documents: Mapping[str, str]) -> None:
    """Add documents, of which the table has none of these names."""
    database.executemany("INSERT INTO documents VALUES (?, ?)", documents.items())


def size_bytes(database: sqlite3.Connection) -> int:
    """Size of the database."""
    (pages,), (page_bytes,) = _one(database, "PRAGMA page_count"), _one(database, "PRAGMA page_size")
    return pages * page_bytes


def _one(database: sqlite3.Connection, statement: str, *values: int) -> tuple[int, ...]:
    row: tuple[int, ...] = database.execute(statement, values).fetchone()
    return row
