"""Notices and documents in the journal's file."""

import json
from pathlib import Path

import pytest

from tickflag.common.errors import TickflagError
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import UnnumberedNotice
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.views.view import UnnumberedSignal


def _unnumbered(text: str) -> UnnumberedNotice:
    return UnnumberedNotice(1_000, "rsi", "plugin circuit", "closed", text, "why")


def test_notices_are_numbered_without_a_hole(tmp_path: Path) -> None:
    """The numbers go on over restarts; notices before the kept ones are gone."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        records = RecordStore(journal, keep=3)
        assert (records.first_seq, records.last_seq) == (1, 0)
        assert [notice.seq for notice in records.write([_unnumbered("a"), _unnumbered("b")], {})] == [1, 2]
    with Journal(path) as journal:
        records = RecordStore(journal, keep=3)
        assert (records.first_seq, records.last_seq) == (1, 2)
        [third, fourth] = records.write([_unnumbered("c"), _unnumbered("d")], {})
        assert (third.seq, fourth.after, fourth.reason) == (3, "d", "why")
        assert (records.first_seq, records.last_seq) == (2, 4)
        assert [notice.after for notice in records.notices(0, 10)] == ["b", "c", "d"]
        assert [notice.seq for notice in records.notices(2, 1)] == [3]


def test_documents_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """A document that was never written is None; a damaged one is reported."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        records = RecordStore(journal)
        assert records.document("circuits") is None
        records.write([], {"circuits": {"rsi": [1]}, "errors": []})
        records.write([], {"circuits": {"macd": 2}})
    with Journal(path) as journal:
        records = RecordStore(journal)
        assert (records.document("circuits"), records.document("errors")) == ({"macd": 2}, [])
        with journal.database.writing() as database:
            database.execute("UPDATE documents SET content = '{' WHERE name = 'circuits'")
        with pytest.raises(ValueError, match="Expecting property name"):
            records.document("circuits")


def test_all_or_nothing(tmp_path: Path) -> None:
    """A document that is not JSON leaves no notice of its batch."""
    with Journal(tmp_path / "journal") as journal:
        records = RecordStore(journal)
        with pytest.raises(TypeError):
            records.write([_unnumbered("a")], {"circuits": object()})
        assert (records.last_seq, records.notices(0, 10)) == (0, [])


def test_a_journal_without_them_is_taken(tmp_path: Path) -> None:
    """A journal from before there were notices opens, and keeps its signals."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.commit([UnnumberedSignal("rsi", "A", "entered", 1.0, 1, 1)], [], 1)
    with Journal(path) as journal:
        RecordStore(journal).write([_unnumbered("a")], {"x": json.loads("1")})
        assert journal.last_seq == 1


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    """The error is worded as the journal's."""
    with Journal(tmp_path / "journal") as journal:
        records = RecordStore(journal)
        with journal.database.reading() as database:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(TickflagError, match="cannot be used: database or disk is full"):
            records.write([_unnumbered("x" * 4_000) for _ in range(100)], {})
        assert records.last_seq == 0


def test_a_document_without_end_is_damage() -> None:
    """A document without end is reported like other damage, though JSON's own error does not cover it."""
    with Journal(":memory:") as journal:
        records = RecordStore(journal)
        with journal.database.writing() as database:
            database.execute("INSERT INTO documents VALUES ('circuits', ?)", ("[" * 200_000,))
        with pytest.raises(ValueError, match="'circuits' of the journal is nested too deep"):
            records.document("circuits")
