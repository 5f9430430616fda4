"""Set damaged tables aside, and salvage from them what does not come back by itself.

The files stay as they are, under the name `journal.sqlite-damaged-<UTC time>`. Signals and match sets are not salvaged:
another journal id begins, and the traders' snapshots bring the matches back.
"""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tickflag.services.collector.journal.tables import ForeignError
from tickflag.services.collector.journal.write_ahead_log import WriteAheadLog

_OURS = ("-mark", "-tail")  # no other program makes such files
_SET_ASIDE = ("-tail", "-wal", "-shm", "")  # the tables last: until then, a start that is killed finds them damaged


class Salvaged(NamedTuple):
    """What is known of tables that were set aside."""

    damage: str
    """What was found, and where the files are now."""
    last_seq: int
    """The highest number of a signal that could be read."""
    last_notice: int
    documents: dict[str, str]
    """Name -> JSON."""


NOTHING = Salvaged("", 0, 0, {})
"""Where the tables were not set aside."""


def is_damage(error: Exception, path: Path) -> bool:
    """Whether an error of opening the tables means that they are damaged, and they are ours."""
    if not any(Path(f"{path}{kind}").exists() for kind in _OURS):
        return False
    cause = error.__context__ if isinstance(error.__context__, sqlite3.Error) else error  # `explained` may have told it
    if isinstance(cause, sqlite3.OperationalError):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        # A table or column that is missing; or a head that asks to be read only, where that is no matter of permission.
        may_write = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        return code == sqlite3.SQLITE_ERROR or (code == sqlite3.SQLITE_READONLY and may_write)
    # UnicodeDecodeError is Python's, about what SQLite says of names that it cannot read.
    return isinstance(cause, ForeignError | sqlite3.DatabaseError | UnicodeDecodeError)


def set_aside(path: Path, error: Exception) -> Salvaged:
    """Give the tables and what belongs to them another name. Raises OSError where that is impossible, or another
    process writes the journal."""
    log = WriteAheadLog(Path(f"{path}-tail"))  # which is locked
    try:
        aside = _free_name(path)
        last = [batch[-1].seq for batch in log.batches()[0][-1:]]
        for kind in _SET_ASIDE:
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{kind}", f"{aside}{kind}")
    finally:
        log.close()
    reason = " ".join(str(error).split())
    damage = f"{path} was damaged ({reason[:500]}): it is kept as {aside}, and only there are earlier signals"
    with _reading(aside) as database:
        numbers = [*last, *_rows(database, "SELECT max(seq) FROM signals")]
        numbers += _rows(database, "SELECT max(after_signal) FROM journals")
        notices = _rows(database, "SELECT max(seq) FROM notices")
        notices += _rows(database, "SELECT max(after_notice) FROM journals")
        documents = dict(filter(_is_document, _all_rows(database, "SELECT name, content FROM documents")))
    return Salvaged(damage, _highest(numbers), _highest(notices), documents)


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (Path(f"{path}-damaged-{stamp}{more}") for more in ("", *(f"-{number}" for number in range(2, 1_000))))
    return next(name for name in names if not name.exists())


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        yield database
    finally:
        database.close()


def _rows(database: sqlite3.Connection, question: str) -> list[Any]:
    return [row[0] for row in _all_rows(database, question)]


def _all_rows(database: sqlite3.Connection, question: str) -> Iterator[Any]:
    """The rows up to the first that cannot be read."""
    with contextlib.suppress(sqlite3.Error, UnicodeDecodeError):
        yield from database.execute(question)


def _is_document(row: tuple[Any, Any]) -> bool:
    name, content = row
    try:
        return isinstance(name, str) and isinstance(content, str) and json.loads(content) is not None
    except (ValueError, RecursionError):
        return False


def _highest(numbers: list[Any]) -> int:
    """The highest number; of a damaged table it may be anything, and beyond this there is no room for more."""
    return max((number for number in numbers if isinstance(number, int) and 0 <= number < 1 << 52), default=0)
