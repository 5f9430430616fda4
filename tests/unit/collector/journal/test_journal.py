"""The journal: whole batches, numbers without holes, and what it says about files it cannot use."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.processes.disk import disk_full_after
from tickflag.common.errors import TickflagError
from tickflag.services.collector.journal import journal as journal_module
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.mark import BLOCK
from tickflag.services.collector.journal.write_ahead_log import SignalRow, WriteAheadLog
from tickflag.services.collector.views.view import Event, Position, UnnumberedSignal
from tickflag.services.collector.views.views import SavedTrader


def unnumbered(symbol: str, event: Event = "entered", score: float = 1.0, trader: str = "t") -> UnnumberedSignal:
    return UnnumberedSignal(trader, symbol, event, score, 100, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@contextlib.contextmanager
def other_connection(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def crashed(path: Path, *, tail_of: Path | None = None) -> Path:
    """A copy of the present files, as a killed process leaves them."""
    copy = path.with_name("crashed.sqlite")
    for name in (path, Path(f"{path}-wal")):
        shutil.copy(name, str(name).replace(str(path), str(copy)))
    shutil.copy(tail_of or f"{path}-tail", f"{copy}-tail")
    shutil.copy(f"{path}-mark", f"{copy}-mark")
    return copy


def numbers(journal: Journal) -> list[int]:
    return [signal.seq for signal in journal.signals(0, 1_000)]


def test_commit_numbers_the_signals_and_all_is_there_after_a_restart(path: Path) -> None:
    """Signals, matches, positions and the control version are one commit."""
    with Journal(path) as journal:
        assert (journal.first_seq, journal.last_seq) == (1, 0)
        rows = journal.commit([unnumbered("A"), unnumbered("B")], [Position("t", 3, 4, 5)], 9)
        assert [row.seq for row in rows] == [1, 2]
        journal.commit([unnumbered("A", "left"), unnumbered("B", "score", 2.5)], [Position("t", 3, 5, 6)], 10)
    with Journal(path) as journal:
        assert (journal.first_seq, journal.last_seq) == (1, 4)
        assert journal.load().state_version == 10
        assert journal.load().traders == [SavedTrader(Position("t", 3, 5, 6), {"B": 2.5})]
        assert [signal.to_array() for signal in journal.signals(0, 2)] == [list(row) for row in rows]
        assert [(s.seq, s.event, s.score) for s in journal.signals(2, 10)] == [(3, "left", 1.0), (4, "score", 2.5)]


def test_commit_waits_in_the_tail_until_it_is_folded(path: Path) -> None:
    """Readers of the tables meanwhile see whole batches, late; the journal itself knows all."""
    with Journal(path) as journal, other_connection(path) as reader:
        journal.commit([unnumbered("A"), unnumbered("B")], [], 1)
        assert (journal.unfolded, journal.last_seq) == (2, 2)
        assert reader.execute("SELECT count(*) FROM signals").fetchone() == (0,)
        journal.fold()
        assert (journal.unfolded, journal.last_seq) == (0, 2)
        assert reader.execute("SELECT symbol FROM matches").fetchall() == [("A",), ("B",)]
        assert Path(f"{path}-tail").stat().st_size == 0
        journal.commit([unnumbered("C")], [], 1)
        assert numbers(journal) == [1, 2, 3]


def test_fold_takes_a_part_and_the_more_the_more_there_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that comes meanwhile waits for one part; a large write-ahead log is folded as a whole."""
    monkeypatch.setattr(journal_module, "FOLD_STEP", 2)
    with Journal(path) as journal:
        for n in range(40):
            journal.commit([unnumbered(f"S{n}")], [], 1)
        left = []
        for _ in range(4):
            journal.fold()
            left.append(journal.unfolded)
        assert left == [35, 31, 28, 25]
        monkeypatch.setattr(journal_module, "LOG_LIMIT_BYTES", 100)
        journal.fold()
        assert journal.unfolded == 0


@pytest.mark.parametrize("folded", [0, 1, 3])
def test_crash_before_the_fold_is_done_loses_and_repeats_nothing(
    path: Path, folded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed after a commit, after a part, and after the last part before the log was emptied."""
    monkeypatch.setattr(journal_module, "FOLD_STEP", 1)
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [Position("t", 1, 1, 1)], 4)
        journal.commit([unnumbered("B"), unnumbered("A", "left")], [], 4)
        tail = shutil.copy(f"{path}-tail", path.with_name("tail"))
        for _ in range(folded):
            journal.fold()
        copy = crashed(path, tail_of=Path(tail))
    with Journal(copy) as journal:
        assert journal.last_seq == 3
        assert numbers(journal) == [1, 2, 3]
        assert journal.load() == (4, [SavedTrader(Position("t", 1, 1, 1), {"B": 1.0})])
        assert [row.seq for row in journal.commit([unnumbered("C")], [], 4)] == [4]


def test_crash_inside_a_fold_leaves_the_commits(path: Path) -> None:
    """The files of a process killed in the middle of a transaction open as of the last commit."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [Position("t", 1, 1, 1)], 1)
        dying = journal.database.connection
        dying.execute("PRAGMA cache_size = 1")  # the transaction reaches the file before its end
        dying.execute("BEGIN IMMEDIATE")
        rows = [(n, "t", f"S{n}", "entered", 1.0, 1, 1, "") for n in range(1, 2_000)]
        dying.executemany("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        dying.executemany("INSERT INTO matches VALUES ('t', ?, 1.0)", [(row[2],) for row in rows])
        copy = crashed(path)
        assert b"S1000" in Path(f"{copy}-wal").read_bytes()
        dying.execute("ROLLBACK")
    with Journal(copy) as journal:
        assert numbers(journal) == [1]
        assert journal.load().traders == [SavedTrader(Position("t", 1, 1, 1), {"A": 1.0})]


def test_crash_inside_a_commit_leaves_nothing_of_the_batch(path: Path) -> None:
    """A batch that did not reach the write-ahead log as a whole was never committed."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        whole = Path(f"{path}-tail").stat().st_size
        copy = crashed(path)
        journal.commit([unnumbered("B"), unnumbered("C")], [], 1)
        torn = Path(f"{path}-tail").read_bytes()
    Path(f"{copy}-tail").write_bytes(torn[: (whole + len(torn)) // 2])
    with Journal(copy) as journal:
        assert numbers(journal) == [1]
        assert journal.begun.loss == ""
        assert [row.seq for row in journal.commit([unnumbered("D")], [], 1)] == [2]


@pytest.mark.parametrize("retired", [False, True])
def test_crash_between_signals_and_position(path: Path, retired: bool) -> None:
    """A trader that was unknown or retired and then reported has matches, but no position that says so: it is loaded as
    present."""
    with Journal(path) as journal:
        if retired:
            journal.commit([], [Position("t", 5, 1, 1, retired=True)], 1)
        journal.commit([unnumbered("A")], [], 1)
        copy = crashed(path)
    with Journal(copy) as journal:
        (saved,) = journal.load().traders
        assert saved == SavedTrader(Position("t", 5, 1, 1) if retired else Position("t"), {"A": 1.0})


def test_power_cut_that_took_a_fold_begins_another_journal_id(path: Path) -> None:
    """What the write-ahead log holds after a hole cannot be numbered. New numbers lie above all that were given out."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        journal.fold_all()
        copy = crashed(path)
        journal.commit([unnumbered("B")], [], 1)
        journal.fold_all()
        journal.commit([unnumbered("C")], [], 1)
        for kind in ("tail", "mark"):
            shutil.copy(f"{path}-{kind}", f"{copy}-{kind}")
    with Journal(copy) as journal:
        assert "signals 2 to 3 are lost" in journal.begun.loss
        assert numbers(journal) == []
        assert [row.seq for row in journal.commit([unnumbered("D")], [], 1)] == [BLOCK + 1]
        assert numbers(journal) == [BLOCK + 1]
        assert journal.load().traders == [SavedTrader(Position("t"), {"A": 1.0, "D": 1.0})]


def test_tail_of_another_journal_is_not_taken(path: Path) -> None:
    """The journal begins anew where somebody moved the database away and forgot the log and the mark: with another
    journal id, above the old numbers."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        tail = Path(f"{path}-tail").read_bytes()
    path.unlink()
    Path(f"{path}-tail").write_bytes(tail)
    with Journal(path) as journal:
        assert (journal.last_seq, journal.unfolded) == (BLOCK, 0)
        assert journal.begun.loss.endswith("journal.sqlite was missing")


def test_fault_folds_nothing_and_an_orderly_end_everything(path: Path) -> None:
    """Other programs find all signals in the tables of a journal that was closed in order."""
    with contextlib.suppress(KeyError), Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        raise KeyError
    with other_connection(path) as reader:
        assert reader.execute("SELECT seq FROM signals").fetchall() == []
    with Journal(path) as journal:
        journal.commit([unnumbered("B")], [], 1)
    with other_connection(path) as reader:
        assert reader.execute("SELECT seq FROM signals").fetchall() == [(1,), (2,)]


def test_refused_commit_takes_nothing(path: Path) -> None:
    """A batch that cannot be written moves neither the numbers nor the matches, and says why."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        journal.database.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(TickflagError, match=r"journal\.sqlite cannot be used"):
            journal.commit([unnumbered("B")], [Position("t", 1, 2, 2)], 2)
        journal.database.connection.execute("PRAGMA query_only = 0")
        assert [row.seq for row in journal.commit([unnumbered("C")], [], 2)] == [2]
        copy = crashed(path)
    with Journal(copy) as journal:
        assert journal.load().traders == [SavedTrader(Position("t"), {"A": 1.0, "C": 1.0})]
        assert [signal.symbol for signal in journal.signals(0, 10)] == ["A", "C"]


def test_commit_that_fails_in_the_middle_takes_nothing(path: Path) -> None:
    """Neither the signals in the log nor half a transaction stay, also where the fault is our own bug."""
    with Journal(path) as journal:
        with pytest.raises(OverflowError):
            journal.commit([unnumbered("A")], [Position("t", 1, 1, 1), Position("u", 1 << 63)], 1)
        assert [row.seq for row in journal.commit([unnumbered("B")], [], 1)] == [1]
        copy = crashed(path)
    with Journal(copy) as journal:
        assert journal.load().traders == [SavedTrader(Position("t"), {"B": 1.0})]


def test_a_journal_has_one_writer(path: Path) -> None:
    """A second collector on the same file is refused, whatever its runtime folder is."""
    with Journal(path), pytest.raises(TickflagError, match=r"cannot be used: .* who else has it open"):
        Journal(path)


def test_full_disk_takes_nothing(path: Path) -> None:
    """No byte of the batch stays in the log, and the error names the file."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 1)
        with disk_full_after(Path(f"{path}-tail").stat().st_size + 10):
            with pytest.raises(TickflagError, match=r"journal\.sqlite cannot be used: .*written"):
                journal.commit([unnumbered("B")], [], 1)
            with pytest.raises(TickflagError, match=r"journal\.sqlite cannot be used"):
                journal.commit([unnumbered(f"S{n}") for n in range(100)], [], 1)
        assert [row.seq for row in journal.commit([unnumbered("C")], [], 1)] == [2]
        copy = crashed(path)
    with Journal(copy) as journal:
        assert [signal.symbol for signal in journal.signals(0, 10)] == ["A", "C"]


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["entered", "left", "score"])), max_size=5)))
def test_matches_are_what_the_signals_add_up_to(batches: list[list[tuple[str, Event]]]) -> None:
    """However the signals lie in batches, also several of one symbol in one batch."""
    held: dict[str, float] = {}
    score = 0.0
    with Journal(":memory:") as journal:
        for batch in batches:
            given = []
            for symbol, event in batch:
                score += 1.0
                given.append(unnumbered(symbol, event, score))
                if event == "left":
                    held.pop(symbol, None)
                else:
                    held[symbol] = score
            journal.commit(given, [Position("t", 1, 1, 1)], 1)
            assert journal.load().traders[0].matches == held
        signals = journal.signals(0, 1_000)
        assert [signal.seq for signal in signals] == list(range(1, sum(map(len, batches)) + 1))


@pytest.mark.parametrize("keep", [1, 7, 10])
def test_pruning_keeps_the_newest_in_steps(keep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least `keep` signals stay, and at most a step more; matches and numbers stay as they are."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 3)
    with Journal(":memory:", keep) as journal:
        for n in range(1, 60):
            journal.commit([unnumbered(f"S{n}")], [Position("t", 1, n, n)], 1)
            numbers = [signal.seq for signal in journal.signals(0, 1_000)]
            assert numbers == list(range(journal.first_seq, n + 1))
            assert min(n, keep) <= len(numbers) <= keep + 3
        assert len(journal.load().traders[0].matches) == 59


def test_a_smaller_limit_is_reached_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No single commit pays for deleting everything that a larger limit kept."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 3)
    with Journal(path) as journal:
        journal.commit([unnumbered(f"S{n}") for n in range(20)], [], 1)
    with Journal(path, keep=5) as journal:
        firsts = [journal.first_seq]
        for _ in range(5):
            journal.fold()
            firsts.append(journal.first_seq)
        assert firsts == [4, 7, 10, 13, 16, 16]


@pytest.mark.parametrize("damage", ["pages", "garbage"])
def test_damage_that_shows_later_says_what_to_do(path: Path, damage: str) -> None:
    """The message names the file and the way out."""
    with Journal(path) as journal:
        journal.commit([unnumbered(f"S{n}") for n in range(3_000)], [], 1)
    journal = Journal(path)
    content = bytearray(path.read_bytes())
    if damage == "pages":
        content[8192 : len(content) // 2] = b"\xaa" * (len(content) // 2 - 8192)
    else:
        content = bytearray(b"this is no database, but long enough to be looked at as one" * 100)
    path.write_bytes(content)
    journal.database.connection.execute("PRAGMA shrink_memory")  # else it reads what it has in memory
    with pytest.raises(TickflagError, match=r"journal .*journal\.sqlite is damaged: .*: start again: "):
        journal.signals(0, 3_000)
    journal.close()


def test_missing_signals_are_damage(path: Path) -> None:
    """A hole in the numbers would make every consumer wait for ever."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A"), unnumbered("B"), unnumbered("C")], [], 1)
    with other_connection(path) as vandal:
        vandal.execute("DELETE FROM signals WHERE seq = 2")
    with Journal(path) as journal:
        assert "damaged (signals are missing between 1 and 3)" in journal.begun.loss


def test_a_newer_format_is_refused(path: Path) -> None:
    """A program does not touch what it may not understand."""
    with other_connection(path) as other:
        other.execute("PRAGMA user_version = 4")
    with pytest.raises(TickflagError, match=r"format 4, written by a newer tickflag .* move the file away"):
        Journal(path)


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_journal_is_brought_to_this_format(path: Path, version: int) -> None:
    """Signals, matches and positions stay, the numbers go on. Format 1 had no log; neither had notes."""
    with other_connection(path) as old:
        old.executescript(
            f"""CREATE TABLE signals (seq INTEGER PRIMARY KEY, trader TEXT NOT NULL, symbol TEXT NOT NULL,
            event TEXT NOT NULL, score REAL NOT NULL, time_ms INTEGER NOT NULL, cycle INTEGER NOT NULL);
            CREATE TABLE matches (trader TEXT NOT NULL, symbol TEXT NOT NULL, score REAL NOT NULL,
            PRIMARY KEY (trader, symbol)) WITHOUT ROWID;
            CREATE TABLE traders (name TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,
            cycle INTEGER NOT NULL, retired INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO signals VALUES (7, 't', 'A', 'entered', 1.5, 100, 3), (8, 't', 'B', 'entered', 2.5, 101, 4);
            INSERT INTO matches VALUES ('t', 'A', 1.5), ('t', 'B', 2.5);
            INSERT INTO traders VALUES ('t', 5, 2, 4, 0);
            INSERT INTO meta VALUES ('state_version', 12);
            PRAGMA user_version = {version};"""
        )
    expected = [7, 8]
    if version == 2:
        log = WriteAheadLog(Path(f"{path}-tail"))
        log.append([SignalRow(9, "t", "A", "left", 1.5, 102, 5)[:-1]])  # type: ignore[list-item]
        log.close()
        expected.append(9)
    for _ in range(2):
        with Journal(path) as journal:
            assert numbers(journal) == expected
            assert {signal.note for signal in journal.signals(0, 10)} == {""}
            assert journal.begun.loss == ""
            held = {"A": 1.5, "B": 2.5} if version == 1 else {"B": 2.5}
            assert journal.load() == (12, [SavedTrader(Position("t", 5, 2, 4), held)])
            journal_id = journal.journal_id
    with Journal(path) as journal:
        assert journal.journal_id == journal_id
        assert [row.seq for row in journal.commit([unnumbered("C")], [], 12)] == [expected[-1] + 1]


def test_foreign_database_is_refused(path: Path) -> None:
    """Somebody else's database is left alone."""
    with other_connection(path) as foreign:
        foreign.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(TickflagError, match="some other program"):
        Journal(path)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """The error is no traceback, and no database is made."""
    with pytest.raises(TickflagError, match="cannot be used"):
        Journal(tmp_path / "missing" / "journal.sqlite")


def test_empty_file_is_a_fresh_journal(path: Path) -> None:
    """A crash right after the creation leaves such a file."""
    path.touch()
    with Journal(path) as journal:
        assert journal.last_seq == 0
        assert journal.size_bytes > 0


def test_notes_survive(path: Path) -> None:
    """Notes are in the log and in the tables; a signal without a note has an empty text."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")._replace(note="RSI 27.9, überverkauft"), unnumbered("B")], [], 1)
        copy = crashed(path)
    for journalled in (path, copy):
        with Journal(journalled) as journal:
            assert [signal.note for signal in journal.signals(0, 10)] == ["RSI 27.9, überverkauft", ""]


def test_names_of_any_kind_survive(path: Path) -> None:
    """A symbol is text, not syntax."""
    symbols = ["'; DROP TABLE signals; --", "a\0b", "ß漢字🦊", " "]
    with Journal(path) as journal:
        journal.commit([unnumbered(symbol) for symbol in symbols], [Position("t")], 1)
    with Journal(path) as journal:
        assert [signal.symbol for signal in journal.signals(0, 10)] == symbols
        assert journal.load().traders[0].matches.keys() == set(symbols)


def test_a_closed_journal_refuses_everything(path: Path) -> None:
    """That is our own bug, and reported as one; closing the journal again is allowed."""
    journal = Journal(path)
    journal.close()
    journal.close()
    for use in (
        lambda: journal.commit([unnumbered("A")], (), 1),
        lambda: journal.signals(0, 1),
        lambda: journal.size_bytes,
    ):
        with pytest.raises(ValueError, match="the journal is closed"):
            use()


def test_a_misuse_of_the_database_is_no_damage(path: Path) -> None:
    """A misuse is our own bug, and SQLite's own error reports it."""
    with Journal(path) as journal, pytest.raises(sqlite3.IntegrityError), journal.database.writing() as database:
        database.execute("INSERT INTO meta VALUES (NULL, 1)")
