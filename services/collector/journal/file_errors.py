"""Errors of the journal's files, as TickflagErrors that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickflag.common.errors import TickflagError


class JournalLockedError(TickflagError):
    """Another program holds a lock on the tables. What had to be written to them was not; try again later."""


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turns errors of the journal's files within the block into a TickflagError. `path` is the journal's."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise JournalLockedError(
                f"journal {path} is locked by another program: end what it does there, or stop the program"
            ) from None
        raise TickflagError(
            f"journal {path} cannot be used: {error}: look at free space, permissions and who else has it open"
        ) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.DatabaseError) and type(error) is not sqlite3.DatabaseError:
            raise  # a misuse of the database is our own bug
        raise TickflagError(
            f"journal {path} is damaged: {error}: start again: the start sets it aside, and begins another journal id"
        ) from None
