"""The mark: it keeps what was given out, and no damage of it passes unnoticed."""

from pathlib import Path

import pytest

from tickflag.services.collector.journal import mark as mark_module
from tickflag.services.collector.journal.mark import BLOCK, FormerLife, JournalMark, boot_id

ID = "0123456789abcdef" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def former(path: Path) -> FormerLife | None:
    mark = JournalMark(path)
    mark.close()
    return mark.former


def test_a_new_file_has_no_former_life(path: Path) -> None:
    """An empty file is no damage."""
    mark = JournalMark(path)
    assert (mark.former, mark.damaged) == (None, False)
    mark.end()  # no life was begun, so none ends in order
    mark.close()
    assert path.read_bytes() == b""


def test_what_was_noted_comes_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a kill; after an orderly end the mark says so."""
    monkeypatch.setattr(mark_module, "boot_id", lambda: "this-run")
    mark = JournalMark(path)
    mark.begin(ID, 7, 3, 5, durable=True)
    mark.note(9, 4, 6)
    mark.close()
    assert former(path) == FormerLife(ID, 7 + BLOCK, 3 + BLOCK, "this-run", True, False, 9, 4, 6)
    mark = JournalMark(path)
    mark.begin(ID, 9, 4, 6, durable=False)
    mark.end()
    mark.close()
    assert former(path) == FormerLife(ID, 9 + BLOCK, 4 + BLOCK, "this-run", False, True, 9, 4, 6)


def test_a_block_is_reserved_before_its_numbers_are_used(path: Path) -> None:
    """Within a block the disk is not asked."""
    mark = JournalMark(path)
    mark.begin(ID, 0, 0, 0, durable=False)
    mark.reserve(BLOCK, BLOCK)
    assert former(path) == FormerLife(ID, BLOCK, BLOCK, boot_id(), False, False, 0, 0, 0)
    mark.reserve(BLOCK + 1, 5)
    life = former(path)
    assert life is not None
    assert (life.reserved, life.reserved_notice) == (2 * BLOCK + 1, BLOCK + 5)
    mark.close()


def test_any_flipped_byte_is_damage(path: Path) -> None:
    """In the part on the disk, in the newest numbers, and where the file is cut off."""
    mark = JournalMark(path)
    mark.begin(ID, 7, 3, 5, durable=True)
    mark.close()
    data = path.read_bytes()
    used = [*range(98), *range(512, len(data))]
    for place in used:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        damaged = JournalMark(path)
        damaged.close()
        assert damaged.damaged
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        assert former(path) is None


def test_a_mark_without_a_name_is_a_file_too() -> None:
    """A journal in memory has one."""
    mark = JournalMark(None)
    mark.begin(ID, 1, 1, 1, durable=False)
    mark.note(2, 1, 1)
    mark.end()
    mark.close()
    assert mark.former is None


def test_a_mark_of_another_kind_is_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later program may write other marks."""
    mark = JournalMark(path)
    monkeypatch.setattr(mark_module, "_MAGIC", b"TFMARK99")
    mark.begin(ID, 7, 3, 5, durable=True)
    mark.close()
    monkeypatch.undo()
    assert former(path) is None


def test_a_system_without_boot_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the text is empty; on Linux it is not, and stays the same."""
    monkeypatch.setattr(mark_module, "_BOOT_ID", tmp_path / "nowhere")
    assert boot_id() == ""
    (tmp_path / "nowhere").write_text("57be1ad6-0b6f-4b34-8f7e-a6a5bd1a2f3c\n")
    assert boot_id() == "57be1ad6-0b6f-4b34-8f7e-a6a5bd1a2f3c"
