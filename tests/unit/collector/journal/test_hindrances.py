"""What others do to the journal's files while the collector runs: nothing stops, nothing is lost, all is said."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickflag.services.collector.journal import journal as journal_module
from tickflag.services.collector.journal.file_errors import JournalLockedError
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import UnnumberedNotice
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.views.view import Position, UnnumberedSignal
from tickflag.services.collector.views.views import SavedTrader

NOTICE = UnnumberedNotice(1_000, "rsi", "plugin circuit", "closed", "open", "why")


def unnumbered(symbol: str) -> UnnumberedSignal:
    return UnnumberedSignal("t", symbol, "entered", 1.0, 100, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as journal:
        yield journal


@pytest.fixture
def other(path: Path, journal: Journal) -> Iterator[sqlite3.Connection]:
    """Another program's connection."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_another_writers_lock(path: Path, journal: Journal, other: sqlite3.Connection) -> None:
    """Signals are committed, published and given as before; notices, documents and positions wait until it is over."""
    records = RecordStore(journal)
    journal.commit([unnumbered("A")], [Position("t", 1, 1, 1)], 4)
    other.execute("BEGIN IMMEDIATE")
    assert [row.seq for row in journal.commit([unnumbered("B")], [Position("t", 1, 2, 2)], 5)] == [2]
    assert records.write([NOTICE], {"circuits": {"rsi": 1}}) == []
    assert records.waiting
    assert not journal.fold()
    assert "locked" in journal.hindrance
    assert [signal.symbol for signal in journal.signals(0, 10)] == ["A", "B"]
    assert [signal.symbol for signal in journal.signals(0, 1)] == ["A"]
    with pytest.raises(JournalLockedError, match=r"journal\.sqlite is locked by another program"):
        journal.fold_all()
    other.execute("ROLLBACK")
    assert [notice.seq for notice in records.write([NOTICE], {"errors": []})] == [1, 2]
    assert (records.waiting, records.document("circuits")) == (False, {"rsi": 1})
    journal.commit([], [], 5)
    assert not journal.fold()
    assert journal.hindrance == ""
    assert journal.load() == (5, [SavedTrader(Position("t", 1, 2, 2), {"A": 1.0, "B": 1.0})])


def test_an_end_while_the_tables_are_locked(path: Path) -> None:
    """The log keeps what the tables could not take, the mark the version of the control state."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        with Journal(path) as journal:
            other.execute("BEGIN IMMEDIATE")
            journal.commit([unnumbered("A")], [], 7)
        other.execute("ROLLBACK")
    with Journal(path) as journal:
        assert (journal.begun.loss, journal.last_seq) == ("", 1)
        assert journal.load().state_version == 7


def test_a_lock_can_be_waited_for(journal: Journal, other: sqlite3.Connection) -> None:
    """For a moment, as at the end; it is as if nobody waited where the lock stays."""
    other.execute("BEGIN IMMEDIATE")
    journal.database.wait_for_locks(0.01)
    journal.commit([unnumbered("A")], [], 1)
    with pytest.raises(JournalLockedError):
        journal.fold_all()


def test_a_long_reader(
    path: Path, journal: Journal, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own log can only grow meanwhile: from a size on, signals wait in ours, which takes a hundredth. Where
    ours is full, all are folded at once. When the reader is done, both shrink."""
    monkeypatch.setattr(journal_module, "UNMOVED_LIMIT_BYTES", 100_000)
    wal = Path(f"{path}-wal")
    other.execute("BEGIN")
    other.execute("SELECT * FROM signals").fetchall()
    number = 0
    while not journal.hindrance:
        journal.commit([unnumbered(f"S{number}")], [], 1)
        journal.fold()
        number += 1
    assert "reading" in journal.hindrance
    size = wal.stat().st_size
    for more in range(100):
        journal.commit([unnumbered(f"T{more}")], [], 1)
        assert not journal.fold()
    assert (wal.stat().st_size, journal.unfolded) == (size, 101)
    monkeypatch.setattr(journal_module, "LOG_LIMIT_BYTES", 100)
    assert not journal.fold()
    assert journal.unfolded == 0
    monkeypatch.undo()
    monkeypatch.setattr(journal_module, "UNMOVED_LIMIT_BYTES", 100_000)
    journal.commit([unnumbered("U")], [], 1)
    other.execute("ROLLBACK")
    assert not journal.fold()
    assert (journal.hindrance, journal.unfolded) == ("", 0)
    assert wal.stat().st_size < 100_000
    assert len(journal.signals(0, 1_000)) == number + 101


@pytest.mark.parametrize("kind", ["", "-tail", "-mark"])
def test_a_file_that_is_removed(path: Path, journal: Journal, kind: str) -> None:
    """What is written to it ends with the process, and that is said."""
    journal.commit([unnumbered("A")], [], 1)
    journal.fold()
    assert journal.hindrance == ""
    Path(f"{path}{kind}").rename(path.with_name("away"))
    journal.fold()
    assert f"{path}{kind} was removed" in journal.hindrance
    Path(f"{path}{kind}").touch()  # another file of that name is no help
    journal.fold()
    assert f"{path}{kind} was removed" in journal.hindrance


def test_sqlites_own_file_may_be_gone(path: Path, journal: Journal) -> None:
    """It is then not counted."""
    Path(f"{path}-wal").unlink()
    assert journal._files.unmoved_bytes == 0


def test_a_mark_that_cannot_be_opened(path: Path) -> None:
    """The log is released, so that the next try finds it free."""
    Path(f"{path}-mark").mkdir()
    for _ in range(2):
        with pytest.raises(Exception, match=r"cannot be used: .*Is a directory"):
            Journal(path)
    Path(f"{path}-mark").rmdir()
    Journal(path).close()
