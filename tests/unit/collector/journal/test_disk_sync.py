"""Bringing the journal to the disk: now, soon or never, and never unnoticed where it fails."""

import os
from pathlib import Path

import pytest

from tests.support.processes.waiting import WITHIN_S, wait_until
from tickflag.services.collector.journal.disk_sync import DiskSync, SyncMode


class Disk:
    """Counts what is brought to the disk; `broken` makes that fail."""

    def __init__(self) -> None:
        self.logs = self.tables = 0
        self.broken = False

    def fdatasync(self, _descriptor: int) -> None:
        self.logs += 1
        if self.broken:
            raise OSError(5, "Input/output error")

    def fsync(self, _descriptor: int) -> None:
        self.tables += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "fdatasync", disk.fdatasync)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    return disk


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    Path(f"{path}-wal").touch()
    return path


@pytest.mark.parametrize(("mode", "there"), [("off", True), ("1s", False), ("always", False)])
def test_off_asks_nothing_of_the_disk(disk: Disk, tables: Path, mode: SyncMode, there: bool) -> None:
    """A journal in memory has no disk, whatever the setting is."""
    sync = DiskSync(mode, 0, tables if there else None)
    assert sync.mode == "off"
    sync.after_commit()
    sync.after_fold()
    sync.after_transaction()
    assert sync.covers_all()
    sync.sync()
    sync.close()
    assert (disk.logs, disk.tables) == (0, 0)


def test_always_waits(disk: Disk, tables: Path) -> None:
    """A commit waits for the log, a transaction for the tables; a fold for nothing, but the log is emptied only after
    the tables are there."""
    sync = DiskSync("always", 0, tables)
    sync.after_commit()
    assert (disk.logs, disk.tables) == (1, 0)
    sync.after_transaction()
    assert (disk.logs, disk.tables) == (1, 1)
    sync.after_fold()
    assert (disk.logs, disk.tables) == (1, 1)
    assert sync.covers_all()
    assert (disk.logs, disk.tables) == (1, 2)
    sync.sync()
    assert (disk.logs, disk.tables) == (2, 3)
    Path(f"{tables}-wal").unlink()  # SQLite has moved all on
    sync.sync()
    assert (disk.logs, disk.tables) == (3, 3)
    Path(f"{tables}-wal").touch()  # and has more
    sync.sync()
    assert (disk.logs, disk.tables) == (4, 4)
    sync.release()
    sync.release()
    sync.close()


@pytest.mark.parametrize("kind", ["after_commit", "after_fold", "after_transaction"])
def test_a_thread_follows_what_was_written(disk: Disk, tables: Path, kind: str) -> None:
    """Nobody waits, and soon all is there."""
    sync = DiskSync("1s", 0, tables)
    getattr(sync, kind)()
    getattr(sync, kind)()
    wait_until(sync.covers_all, WITHIN_S, "all is on the disk")
    assert disk.logs == disk.tables >= 1
    sync.close()


def test_the_log_is_kept_until_all_is_there(disk: Disk, tables: Path) -> None:
    """What was written after the thread began is not covered by what it did."""
    sync = DiskSync("1s", 0, tables)
    sync.close()  # no thread any more
    sync.after_commit()
    assert not sync.covers_all()
    sync.sync()
    assert sync.covers_all()
    sync.after_fold()
    assert not sync.covers_all()


def test_a_failing_disk_is_told(disk: Disk, tables: Path) -> None:
    """The next look raises what the thread met with."""
    disk.broken = True
    sync = DiskSync("1s", 0, tables)
    sync.after_commit()

    wait_until(lambda: sync._fault, WITHIN_S, "the thread meets it")
    with pytest.raises(OSError, match="Input/output error"):
        sync.covers_all()
    sync.close()
