"""The journal: whole batches, numbers without holes, and what it says about files it cannot use."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import TickflagError
from services.collector import journal as journal_module
from services.collector.journal import Journal
from services.collector.view import Draft, Event, Position
from services.collector.views import Saved


def draft(symbol: str, event: Event = "entered", score: float = 1.0, trader: str = "t") -> Draft:
    return Draft(trader, symbol, event, score, 100, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@contextlib.contextmanager
def other_connection(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_commit_numbers_the_drafts_and_all_is_there_after_a_restart(path: Path) -> None:
    """Signals, matches, positions and the control version are one commit."""
    with Journal(path) as journal:
        assert (journal.first_seq, journal.last_seq) == (1, 0)
        signals = journal.commit([draft("A"), draft("B")], [Position("t", 3, 4, 5)], 9)
        assert [signal.seq for signal in signals] == [1, 2]
        journal.commit([draft("A", "left"), draft("B", "score", 2.5)], [Position("t", 3, 5, 6)], 10)
    with Journal(path) as journal:
        assert (journal.first_seq, journal.last_seq) == (1, 4)
        assert journal.load().state_version == 10
        assert journal.load().traders == [Saved(Position("t", 3, 5, 6), {"B": 2.5})]
        assert journal.signals(0, 2) == signals
        assert [(s.seq, s.event, s.score) for s in journal.signals(2, 10)] == [(3, "left", 1.0), (4, "score", 2.5)]


def test_crash_inside_a_commit_leaves_nothing_of_the_batch(path: Path) -> None:
    """The files as a process leaves them that is killed in the middle of a transaction open as of the last commit."""
    copy = path.with_name("crashed.sqlite")
    with Journal(path) as journal:
        journal.commit([draft("A")], [Position("t", 1, 1, 1)], 1)
        dying = journal._connection
        dying.execute("PRAGMA cache_size = 1")  # so that the transaction reaches the file before its end
        dying.execute("BEGIN IMMEDIATE")
        rows = [(n, "t", f"S{n}", "entered", 1.0, 1, 1) for n in range(2, 2_000)]
        dying.executemany("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        dying.executemany("INSERT INTO matches VALUES ('t', ?, 1.0)", [(row[2],) for row in rows])
        written = Path(f"{path}-wal").read_bytes()
        assert b"S1000" in written
        copy.write_bytes(path.read_bytes())
        Path(f"{copy}-wal").write_bytes(written)
        dying.execute("ROLLBACK")
    with Journal(copy) as journal:
        assert journal.last_seq == 1
        assert journal.load().traders == [Saved(Position("t", 1, 1, 1), {"A": 1.0})]


def test_refused_commit_takes_nothing(path: Path) -> None:
    """A batch that cannot be written moves neither the numbers nor the matches, and says why."""
    with Journal(path) as journal:
        journal.commit([draft("A")], [], 1)
        journal._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(TickflagError, match=r"journal\.sqlite cannot be used"):
            journal.commit([draft("B")], [Position("t", 1, 2, 2)], 2)
        journal._connection.execute("PRAGMA query_only = 0")
        assert [signal.seq for signal in journal.commit([draft("C")], [], 2)] == [2]
        assert journal.load().traders == []
        assert [signal.symbol for signal in journal.signals(0, 10)] == ["A", "C"]


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["entered", "left", "score"])), max_size=5)))
def test_matches_are_what_the_signals_add_up_to(batches: list[list[tuple[str, Event]]]) -> None:
    """However the drafts lie in batches, also several of one symbol in one batch."""
    held: dict[str, float] = {}
    score = 0.0
    with Journal(":memory:") as journal:
        for batch in batches:
            drafts = []
            for symbol, event in batch:
                score += 1.0
                drafts.append(draft(symbol, event, score))
                if event == "left":
                    held.pop(symbol, None)
                else:
                    held[symbol] = score
            journal.commit(drafts, [Position("t", 1, 1, 1)], 1)
            assert journal.load().traders[0].matches == held
        signals = journal.signals(0, 1_000)
        assert [signal.seq for signal in signals] == list(range(1, sum(map(len, batches)) + 1))


@pytest.mark.parametrize("keep", [1, 7, 10])
def test_pruning_keeps_the_newest_in_steps(keep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least `keep` signals stay, at most a step more; the matches and numbers do not care."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 3)
    with Journal(":memory:", keep) as journal:
        for n in range(1, 60):
            journal.commit([draft(f"S{n}")], [Position("t", 1, n, n)], 1)
            numbers = [signal.seq for signal in journal.signals(0, 1_000)]
            assert numbers == list(range(journal.first_seq, n + 1))
            assert min(n, keep) <= len(numbers) <= keep + 3
        assert len(journal.load().traders[0].matches) == 59


def test_a_smaller_limit_is_reached_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No single commit pays for deleting all that a former limit kept."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 3)
    with Journal(path) as journal:
        journal.commit([draft(f"S{n}") for n in range(20)], [], 1)
    with Journal(path, keep=5) as journal:
        firsts = []
        for _ in range(6):
            journal.commit([], [Position("t")], 1)
            firsts.append(journal.first_seq)
        assert firsts == [4, 7, 10, 13, 16, 16]


@pytest.mark.parametrize("damage", ["head", "pages", "garbage"])
def test_damaged_file_says_what_to_do(path: Path, damage: str) -> None:
    """The message names the file and the way out."""
    with Journal(path) as journal:
        journal.commit([draft(f"S{n}") for n in range(3_000)], [], 1)
    content = bytearray(path.read_bytes())
    if damage == "head":
        content[:16] = b"x" * 16
    elif damage == "pages":
        content[8192 : len(content) // 2] = b"\xaa" * (len(content) // 2 - 8192)
    else:
        content = bytearray(b"this is no database, but long enough to be looked at as one" * 100)
    path.write_bytes(content)
    with pytest.raises(TickflagError, match=r"journal .*journal\.sqlite is damaged: .* move it"):
        Journal(path)


def test_missing_signals_are_damage(path: Path) -> None:
    """A hole in the numbers would make every consumer wait for ever."""
    with Journal(path) as journal:
        journal.commit([draft("A"), draft("B"), draft("C")], [], 1)
    with other_connection(path) as vandal:
        vandal.execute("DELETE FROM signals WHERE seq = 2")
    with pytest.raises(TickflagError, match="damaged: signals are missing"):
        Journal(path)


def test_newer_format_is_refused(path: Path) -> None:
    """An older program does not touch what it may not understand."""
    with other_connection(path) as newer:
        newer.execute("PRAGMA user_version = 2")
    with pytest.raises(TickflagError, match=r"format 2, written by a newer tickflag"):
        Journal(path)


def test_foreign_database_is_refused(path: Path) -> None:
    """Somebody else's database is not made ours."""
    with other_connection(path) as foreign:
        foreign.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(TickflagError, match="some other program"):
        Journal(path)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """No database, no traceback."""
    with pytest.raises(TickflagError, match="cannot be used"):
        Journal(tmp_path / "missing" / "journal.sqlite")


def test_empty_file_is_a_fresh_journal(path: Path) -> None:
    """What a crash right after creation leaves."""
    path.touch()
    with Journal(path) as journal:
        assert journal.last_seq == 0
        assert journal.size_bytes > 0


def test_names_of_any_kind_survive(path: Path) -> None:
    """A symbol is text, not syntax."""
    symbols = ["'; DROP TABLE signals; --", "a\0b", "ß漢字🦊", " "]
    with Journal(path) as journal:
        journal.commit([draft(symbol) for symbol in symbols], [Position("t")], 1)
    with Journal(path) as journal:
        assert [signal.symbol for signal in journal.signals(0, 10)] == symbols
        assert journal.load().traders[0].matches.keys() == set(symbols)
