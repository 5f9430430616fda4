"""FileChanges: which files changed, as soon as nobody writes them any more."""

import os
from pathlib import Path

import pytest

from tickflag.services.trader.supervisor.file_changes import GONE_NS, REST_NS, FileChanges


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that was there at the start."""
    path = tmp_path / "a.py"
    path.write_text("1")
    return path


@pytest.fixture
def changes(file: Path) -> FileChanges:
    """The changes of all Python files beside `file`."""
    return FileChanges(lambda: file.parent.glob("*.py"))


def test_what_is_there_at_first_has_not_changed(changes: FileChanges) -> None:
    """Such a file is reported neither at once nor later."""
    assert changes.completed(0) == set()
    assert changes.completed(10 * GONE_NS) == set()
    assert not changes.moving


def test_a_change_is_told_once_when_at_rest(changes: FileChanges, file: Path) -> None:
    """A change is not reported while the file is being written, whatever its content, and not twice."""
    file.write_text("")
    assert changes.completed(0) == set()
    assert changes.moving
    file.write_text("22")
    assert changes.completed(REST_NS) == set()
    assert changes.completed(2 * REST_NS - 1) == set()
    assert changes.completed(2 * REST_NS) == {file}
    assert changes.completed(9 * REST_NS) == set()
    assert not changes.moving


def test_a_rename_over_it_is_a_change(changes: FileChanges, file: Path) -> None:
    """The new file has the same length and time, but is another file."""
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    fresh = file.with_suffix(".new")
    fresh.write_text("2")
    os.utime(fresh, ns=times)
    fresh.replace(file)
    changes.completed(0)
    assert changes.completed(REST_NS) == {file}


def test_a_new_file_and_a_removed_one(changes: FileChanges, file: Path) -> None:
    """A removal is reported later, since the file may come back."""
    other = file.with_name("b.py")
    other.write_text("1")
    file.unlink()
    changes.completed(0)
    assert changes.completed(REST_NS) == {other}
    assert changes.completed(GONE_NS) == {file}
    assert changes.completed(2 * GONE_NS) == set()


def test_what_was_only_moved_aside_or_came_and_went(changes: FileChanges, file: Path) -> None:
    """Neither is a change."""
    aside = file.rename(file.with_suffix(".bak"))
    other = file.with_name("b.py")
    other.write_text("1")
    changes.completed(0)
    aside.rename(file)
    other.unlink()
    assert changes.completed(GONE_NS) == set()
    assert changes.completed(3 * GONE_NS) == set()
    assert not changes.moving
