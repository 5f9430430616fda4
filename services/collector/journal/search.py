"""Search: the signals of the journal that fit, from a number or a time on, in steps that each cost a few milliseconds.

One step looks through at most `STEP` numbers and says how far it came, so that no question keeps the collector from its
work, however rare what is sought may be.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from tickflag.services.collector.journal.file_errors import explained
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.write_ahead_log import SignalRow

STEP = 20_000


class Search(NamedTuple):
    """What is sought. Empty texts are no condition."""

    number: int
    """Signals below it, the newest first; with `upwards` those above it, the oldest first."""
    limit: int
    upwards: bool = False
    until_ms: int = 0
    """In place of the number: signals up to this UTC time, the newest first; 0 for none."""
    trader: str = ""
    symbol: str = ""
    event: str = ""
    text: str = ""
    """Part of the symbol, the trader or the note; capital letters or not is the same."""

    def fits(self, row: SignalRow) -> bool:
        """As `conditions`, for a row that is not in the table yet."""
        pairs = ((self.trader, row.trader), (self.symbol, row.symbol), (self.event, row.event))
        texts = (row.symbol, row.trader, row.note)
        return all(wanted in ("", there) for wanted, there in pairs) and (
            not self.text or any(_lower(self.text) in _lower(one) for one in texts)
        )

    def conditions(self) -> tuple[str, list[str]]:
        """SQL after WHERE, which begins with AND, and its values."""
        wanted = (("trader", self.trader), ("symbol", self.symbol), ("event", self.event))
        clauses = [f" AND {column} = ?" for column, value in wanted if value]
        values = [value for _column, value in wanted if value]
        if self.text:
            clauses.append(" AND (instr(lower(symbol), ?) OR instr(lower(trader), ?) OR instr(lower(note), ?))")
            values += [_lower(self.text)] * 3
        return "".join(clauses), values


class SearchStep(NamedTuple):
    """What one step found."""

    rows: list[SignalRow]
    """In the order of the search."""
    reached: int
    """Number from which a next step goes on."""
    whole: bool
    """There is nothing more to look through."""


def searched(journal: Journal, wanted: Search) -> SearchStep:
    """One step of a search among the signals of the present journal id. Raises TickflagError as the journal does."""
    with explained(journal.path):
        return _search(journal.database.connection, journal.pending, wanted, journal.first_seq, journal.last_seq)


def _search(
    database: sqlite3.Connection, pending: Sequence[SignalRow], wanted: Search, first_seq: int, last_seq: int
) -> SearchStep:
    """One step of a search. `pending` are the last signals, which are not in the table yet; `first_seq` and `last_seq`
    are the numbers of the oldest and the newest signal kept."""
    if wanted.until_ms:
        wanted = wanted._replace(number=_number_after(database, pending, wanted.until_ms, first_seq, last_seq))
    if wanted.upwards:
        low = max(wanted.number + 1, first_seq)
        high = min(low + STEP - 1, last_seq)
    else:
        high = min(wanted.number - 1, last_seq)
        low = max(high - STEP + 1, first_seq)
    if low > high:
        return SearchStep([], wanted.number, True)
    conditions, values = wanted.conditions()
    order = "ASC" if wanted.upwards else "DESC"
    statement = f"SELECT * FROM signals WHERE seq BETWEEN ? AND ?{conditions} ORDER BY seq {order} LIMIT ?"
    stored = [SignalRow(*row) for row in database.execute(statement, (low, high, *values, wanted.limit))]
    waiting = [row for row in pending if low <= row.seq <= high and wanted.fits(row)]
    rows = stored + waiting if wanted.upwards else waiting[::-1] + stored
    if len(rows) > wanted.limit or (len(rows) == wanted.limit and rows):
        rows = rows[: wanted.limit]
        reached = rows[-1].seq
    else:
        reached = high if wanted.upwards else low
    whole = reached >= last_seq if wanted.upwards else reached <= first_seq
    return SearchStep(rows, reached, whole)


def _number_after(
    database: sqlite3.Connection, pending: Sequence[SignalRow], time_ms: int, first_seq: int, last_seq: int
) -> int:
    """The first number whose signal is later than this UTC time; `last_seq` + 1 where none is.

    Times of signals grow with their numbers, but for some milliseconds between traders.
    """
    in_table = last_seq - len(pending)
    low, high = first_seq, last_seq + 1
    while low < high:
        middle = (low + high) // 2
        if middle > in_table:
            later = pending[middle - in_table - 1].time_ms > time_ms
        else:
            (found,) = database.execute("SELECT time_ms FROM signals WHERE seq = ?", (middle,)).fetchone()
            later = found > time_ms
        low, high = (low, middle) if later else (middle + 1, high)
    return low


def _lower(text: str) -> str:
    """As SQLite does it: ASCII letters only."""
    return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in text)
