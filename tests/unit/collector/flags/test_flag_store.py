"""The file of the feature flags: changes, edits by hand, damage, a full disk."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from common.errors import TickflagError
from common.flags import Document, Flag
from services.collector.flagstore import BY_HAND, FlagStore
from tests.support.disk import disk_full_after

KILLED = {"audit": Flag(default=True, killed=True)}
HALF = {"audit": Flag(default=True, percentage=50.0)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.flags.json"


def _edit(path: Path, content: Any) -> None:
    """As an editor does: another file in its place."""
    fresh = path.with_name("edited")
    fresh.write_text(content if isinstance(content, str) else json.dumps(content))
    fresh.replace(path)


def test_nothing_stored_is_an_empty_document(path: Path) -> None:
    """And makes no file."""
    store = FlagStore(path)
    assert (store.document, store.trouble) == (Document(), "")
    assert not path.exists()


def test_what_was_put_is_there_after_a_restart(path: Path) -> None:
    """With its history, for the owner's eyes only; what changes nothing writes nothing."""
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    store.put(HALF, "bob", 2)
    again = FlagStore(path)
    assert again.document == store.document
    assert [change.who for change in again.document.history] == ["ann", "bob", "bob"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mark = path.stat()
    again.put(HALF, "eve", 3)
    assert path.stat() == mark
    assert sorted(os.listdir(path.parent)) == ["j.flags.good.json", "j.flags.json"]


def test_each_change_is_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file before it is put in place, then the folder."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        calls.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    FlagStore(path).put(KILLED, "ann", 1)
    assert calls == ["file", "j.flags.json", "folder", "file", "j.flags.good.json", "folder"]


def test_an_edit_by_hand_is_taken(path: Path) -> None:
    """Once, as a change of the history, which the file then has too."""
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    assert not store.refresh(5)
    content = json.loads(path.read_text())
    content["flags"]["audit"]["percentage"] = 25
    _edit(path, content)
    assert store.refresh(6)
    assert not store.refresh(7)
    assert store.document.flag("audit").percentage == 25.0
    assert store.document.history[-1][:5] == (2, 6, BY_HAND, "audit", "percentage")
    assert FlagStore(path).document == store.document


def test_a_file_that_appears_is_taken(path: Path) -> None:
    """It needs no more than the flags."""
    store = FlagStore(path)
    _edit(path, {"flags": {"audit": {"default": False}}})
    assert store.refresh(1)
    assert store.document.flag("audit").default is False


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"flags": {"audit": {"default": true, "percentage": 101}}}', "flag 'audit', field `percentage`"),
        ('{"flags": {"audit": {"default": true, "percentage": NaN}}}', "flag 'audit', field `percentage`"),
        ('{"version": 2}', "field `version`"),
        ("\xff\xfe", "no JSON"),
    ],
)
def test_a_damaged_edit_leaves_the_flags(path: Path, content: str, words: str) -> None:
    """It says so once; the next right one is taken, and a change by command keeps what was written."""
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    before = store.document
    path.write_bytes(content.encode("latin-1"))
    assert store.refresh(2)
    assert not store.refresh(3)
    assert store.document == before
    assert f"{path} is not taken, and the flags are as before: " in store.trouble
    assert words in store.trouble
    store.put(HALF, "ann", 4)
    assert store.trouble == ""
    assert path.with_suffix(".damaged.json").read_bytes() == content.encode("latin-1")
    assert not store.refresh(5)
    path.write_bytes(content.encode("latin-1"))
    store.refresh(6)
    _edit(path, {"flags": {}})
    assert store.refresh(7)
    assert (store.document.flags, store.trouble) == ({}, "")


def test_a_damaged_file_at_the_start_gives_way_to_the_good_copy(path: Path) -> None:
    """It says so, and the damaged one is kept when the next change is written."""
    first = FlagStore(path)
    first.put(KILLED, "ann", 1)
    path.write_text("{")
    store = FlagStore(path)
    assert store.document == first.document
    assert f"{path} cannot be used: no JSON" in store.trouble
    assert "the flags are those of j.flags.good.json, revision 1" in store.trouble
    store.put(HALF, "ann", 2)
    assert path.with_suffix(".damaged.json").read_text() == "{"
    assert FlagStore(path).document == store.document


def test_a_missing_file_gives_way_to_the_good_copy(path: Path) -> None:
    """Also when it vanishes while the collector runs."""
    first = FlagStore(path)
    first.put(KILLED, "ann", 1)
    path.unlink()
    store = FlagStore(path)
    assert store.document == first.document
    assert f"{path} is missing; the flags are those of" in store.trouble
    assert first.refresh(2)
    assert "No such file" in first.trouble
    first.put(HALF, "ann", 3)
    assert FlagStore(path).document == first.document


def test_without_a_good_copy_the_defaults_count(path: Path) -> None:
    """And it says so."""
    path.write_text("{")
    path.with_suffix(".good.json").write_text("{")
    store = FlagStore(path)
    assert store.document == Document()
    assert "there is no good copy, so all flags have their defaults" in store.trouble


def test_a_full_disk_changes_nothing(path: Path) -> None:
    """The error names the file; flags, file and copy are as before."""
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    before = path.read_bytes()
    with disk_full_after(100), pytest.raises(TickflagError, match="cannot be saved: File too large"):
        store.put(HALF, "ann", 2)
    assert store.document.flags == KILLED
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == ["j.flags.good.json", "j.flags.json"]
    store.put(HALF, "ann", 3)
    assert FlagStore(path).document.flags == HALF


def test_a_copy_that_cannot_be_written_is_told(path: Path) -> None:
    """The change itself counts."""
    path.with_suffix(".good.json").mkdir()
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    assert "j.flags.good.json cannot be written" in store.trouble
    assert FlagStore(path).document.flags == KILLED
    store.put(HALF, "ann", 2)
    assert not path.with_suffix(".damaged.json").exists()


def test_an_unchanged_file_is_not_read_again(path: Path) -> None:
    """It is told by inode, time and size; a damaged one is not looked at in every heartbeat."""
    store = FlagStore(path)
    path.write_text("{ ")
    store.refresh(1)
    looks = path.stat()
    path.write_text("{}")
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert not store.refresh(2)
    assert store.trouble != ""


def test_a_file_that_is_right_again_ends_the_trouble(path: Path) -> None:
    """With what it held before, or with something else: it is not put aside as damaged."""
    store = FlagStore(path)
    store.put(KILLED, "ann", 1)
    content = path.read_text()
    _edit(path, "{")
    store.refresh(2)
    _edit(path, content)
    assert store.refresh(3)
    assert (store.trouble, store.document.flags) == ("", KILLED)
    _edit(path, "{")
    store.refresh(4)
    _edit(path, {"flags": {}})
    assert store.refresh(5)
    assert (store.trouble, store.document.flags) == ("", {})
    assert not path.with_suffix(".damaged.json").exists()
