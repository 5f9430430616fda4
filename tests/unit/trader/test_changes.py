"""Which files changed, once they are at rest; and hints that something did."""

import os
import select
import sys
from pathlib import Path

import pytest

from services.trader.changes import GONE_NS, REST_NS, Changes, Hints


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that was there before."""
    path = tmp_path / "a.py"
    path.write_text("1")
    return path


@pytest.fixture
def changes(file: Path) -> Changes:
    """Of all Python files beside it."""
    return Changes(lambda: file.parent.glob("*.py"))


def test_what_is_there_at_first_has_not_changed(changes: Changes) -> None:
    """Neither at once nor later."""
    assert changes.look(0) == set()
    assert changes.look(10 * GONE_NS) == set()
    assert not changes.restless


def test_a_change_is_told_once_when_at_rest(changes: Changes, file: Path) -> None:
    """Not while it is written, whatever its content; and not twice."""
    file.write_text("")
    assert changes.look(0) == set()
    assert changes.restless
    file.write_text("22")
    assert changes.look(REST_NS) == set()
    assert changes.look(2 * REST_NS - 1) == set()
    assert changes.look(2 * REST_NS) == {file}
    assert changes.look(9 * REST_NS) == set()
    assert not changes.restless


def test_a_rename_over_it_is_a_change(changes: Changes, file: Path) -> None:
    """Of the same length and time, but another file."""
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    fresh = file.with_suffix(".new")
    fresh.write_text("2")
    os.utime(fresh, ns=times)
    fresh.replace(file)
    changes.look(0)
    assert changes.look(REST_NS) == {file}


def test_a_new_file_and_a_removed_one(changes: Changes, file: Path) -> None:
    """A removal has more time to turn out as none."""
    other = file.with_name("b.py")
    other.write_text("1")
    file.unlink()
    changes.look(0)
    assert changes.look(REST_NS) == {other}
    assert changes.look(GONE_NS) == {file}
    assert changes.look(2 * GONE_NS) == set()


def test_what_was_only_moved_aside_or_came_and_went(changes: Changes, file: Path) -> None:
    """Is no change."""
    aside = file.rename(file.with_suffix(".bak"))
    other = file.with_name("b.py")
    other.write_text("1")
    changes.look(0)
    aside.rename(file)
    other.unlink()
    assert changes.look(GONE_NS) == set()
    assert changes.look(3 * GONE_NS) == set()
    assert not changes.restless


def test_hints_wake(tmp_path: Path) -> None:
    """A descriptor is readable soon after a file of the folder changed."""
    pytest.importorskip("watchfiles")
    hints = Hints([tmp_path, tmp_path / "missing"])
    try:
        assert not hints.take()
        for attempt in range(100):  # the thread may not watch yet
            (tmp_path / "a.py").write_text("1" * attempt)
            if select.select([hints], [], [], 0.2)[0]:
                break
        assert hints.take()
    finally:
        hints.close()


def test_without_watchfiles_there_are_no_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are enough."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    hints = Hints([tmp_path])
    (tmp_path / "a.py").touch()
    assert not hints.take()
    hints.close()
