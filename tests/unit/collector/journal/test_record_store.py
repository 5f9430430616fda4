"""Notices and documents in the journal's file."""

import json
from pathlib import Path

import pytest

from common.errors import TickflagError
from services.collector.journal import Journal
from services.collector.records import NoticeDraft, Records
from services.collector.view import Draft


def _draft(text: str) -> NoticeDraft:
    return NoticeDraft(1_000, "rsi", "plugin circuit", "closed", text, "why")


def test_notices_are_numbered_without_a_hole(tmp_path: Path) -> None:
    """Over restarts as well; those before the kept ones are gone."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        records = Records(journal, keep=3)
        assert (records.first_seq, records.last_seq) == (1, 0)
        assert [notice.seq for notice in records.write([_draft("a"), _draft("b")], {})] == [1, 2]
    with Journal(path) as journal:
        records = Records(journal, keep=3)
        assert (records.first_seq, records.last_seq) == (1, 2)
        [third, fourth] = records.write([_draft("c"), _draft("d")], {})
        assert (third.seq, fourth.after, fourth.reason) == (3, "d", "why")
        assert (records.first_seq, records.last_seq) == (2, 4)
        assert [notice.after for notice in records.notices(0, 10)] == ["b", "c", "d"]
        assert [notice.seq for notice in records.notices(2, 1)] == [3]


def test_documents_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """One that was never written is none; one that is damaged is told."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        records = Records(journal)
        assert records.document("circuits") is None
        records.write([], {"circuits": {"rsi": [1]}, "errors": []})
        records.write([], {"circuits": {"macd": 2}})
    with Journal(path) as journal:
        records = Records(journal)
        assert (records.document("circuits"), records.document("errors")) == ({"macd": 2}, [])
        with journal.transaction() as database:
            database.execute("UPDATE documents SET content = '{' WHERE name = 'circuits'")
        with pytest.raises(ValueError, match="Expecting property name"):
            records.document("circuits")


def test_all_or_nothing(tmp_path: Path) -> None:
    """A document that is no JSON leaves no notice of its batch."""
    with Journal(tmp_path / "journal") as journal:
        records = Records(journal)
        with pytest.raises(TypeError):
            records.write([_draft("a")], {"circuits": object()})
        assert (records.last_seq, records.notices(0, 10)) == (0, [])


def test_a_journal_without_them_is_taken(tmp_path: Path) -> None:
    """One that was written before there were notices; its signals stay."""
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.commit([Draft("rsi", "A", "entered", 1.0, 1, 1)], [], 1)
    with Journal(path) as journal:
        Records(journal).write([_draft("a")], {"x": json.loads("1")})
        assert journal.last_seq == 1


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    """As of the journal."""
    with Journal(tmp_path / "journal") as journal:
        records = Records(journal)
        with journal.database() as database:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(TickflagError, match="cannot be used: database or disk is full"):
            records.write([_draft("x" * 4_000) for _ in range(100)], {})
        assert records.last_seq == 0
