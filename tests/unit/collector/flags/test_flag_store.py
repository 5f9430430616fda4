"""The file of the feature flags: changes, edits by hand, damage, a full disk."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.disk import disk_full_after
from tickflag.common.errors import TickflagError
from tickflag.common.flags import Flag, FlagDocument
from tickflag.services.collector.flags.flag_store import BY_HAND, FlagStore

KILLED = {"audit": Flag(default=True, killed=True)}
HALF = {"audit": Flag(default=True, percentage=50.0)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.flags.json"


def _edit(path: Path, content: Any) -> None:
    """Write as editors do: a new file that replaces the old one."""
    fresh = path.with_name("edited")
    fresh.write_text(content if isinstance(content, str) else json.dumps(content))
    fresh.replace(path)


def test_nothing_stored_is_an_empty_document(path: Path) -> None:
    """Reading makes no file."""
    store = FlagStore(path)
    assert (store.document, store.trouble) == (FlagDocument(), "")
    assert not path.exists()


def test_what_was_put_is_there_after_a_restart(path: Path) -> None:
    """The history is there too, readable by the owner only; a change to the same value writes nothing."""
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
    """The new file is synced before it replaces the old one, then the folder."""
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
    """An edit is read once, and becomes a change of the history, which is then in the file as well."""
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
    """The file needs only the feature flags."""
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
    """The store reports the damage once. The next correct edit is read; a command replaces the damaged file and keeps a
    copy of it."""
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
    """The store reports the damage; the next change keeps a copy of the damaged file."""
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
    """The copy counts also where the file vanishes while the collector runs."""
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
    """The store reports that too."""
    path.write_text("{")
    path.with_suffix(".good.json").write_text("{")
    store = FlagStore(path)
    assert store.document == FlagDocument()
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
    """Inode, time and size identify the content, so a damaged file is not read again at every heartbeat."""
    store = FlagStore(path)
    path.write_text("{ ")
    store.refresh(1)
    looks = path.stat()
    path.write_text("{}")
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert not store.refresh(2)
    assert store.trouble != ""


def test_a_file_that_is_right_again_ends_the_trouble(path: Path) -> None:
    """Whether the file has its old content or another: it is not put aside as damaged."""
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
