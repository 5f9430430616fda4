"""JournalMark: which numbers a journal may have given out, in a small file of its own.

The tables and the write-ahead log cannot tell that their own newest signals are gone. The mark can: it has the number
of the newest signal and notice, and it is on the disk before any number of a new block is given out.

    0     magic, journal id, reserved signal, reserved notice, boot id, durable, orderly, checksum     on the disk
    512   newest signal, newest notice, state version, checksum           with the operating system, as the log is
"""

import contextlib
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

BLOCK = 10_000  # numbers, for which the mark is written to the disk once

_MAGIC = b"TFMARK01"
_HEAD = struct.Struct("<8s32sQQ36s??")
_NEWEST = struct.Struct("<QQQ")
_CHECKSUM = struct.Struct("<I")
_NEWEST_AT = 512  # a sector of its own: a power cut in the middle of one write harms one of the two
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class FormerLife(NamedTuple):
    """What the last process that wrote the journal left in the mark."""

    journal_id: str
    reserved: int
    """No signal has a higher number."""
    reserved_notice: int
    boot_id: str
    """Of the system's run; empty where the system does not tell."""
    durable: bool
    """Each number was on the disk before it was published."""
    orderly: bool
    """The journal was closed, and all of it was on the disk."""
    newest: int
    """Number of the newest signal, as far as the operating system kept it."""
    newest_notice: int
    state_version: int
    """Of the control state; the tables may have an older one."""


class JournalMark:
    """One process, one thread; whoever holds the lock of the write-ahead log. Raises OSError where the file cannot be
    used. Without a `path` the file has no name and ends with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is None:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        else:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = os.pread(self._descriptor, 1 << 12, 0)
        self.former = _read(data)
        """None where there is no mark, or a damaged one."""
        self.damaged = bool(data) and self.former is None
        self._life = self.former or FormerLife("", 0, 0, "", False, False, 0, 0, 0)
        self._begun = False

    def begin(self, journal_id: str, newest: int, newest_notice: int, state_version: int, durable: bool) -> None:
        """Begin a life of the journal, which has signals and notices up to these numbers."""
        reserved = newest + BLOCK, newest_notice + BLOCK
        newest_numbers = newest, newest_notice, state_version
        self._life = FormerLife(journal_id, *reserved, boot_id(), durable, False, *newest_numbers)
        self._begun = True
        self.note(*newest_numbers)
        self._write_head()
        if self._path is not None:
            _sync_folder(self._path.parent)

    def reserve(self, newest: int, newest_notice: int) -> None:
        """Make sure that numbers up to these may be given out. Waits for the disk where a new block begins."""
        life = self._life
        if newest > life.reserved or newest_notice > life.reserved_notice:
            self._life = life._replace(
                reserved=max(life.reserved, newest + BLOCK),
                reserved_notice=max(life.reserved_notice, newest_notice + BLOCK),
            )
            self._write_head()

    def note(self, newest: int, newest_notice: int, state_version: int) -> None:
        """The numbers up to these are going to be published."""
        record = _NEWEST.pack(newest, newest_notice, state_version)
        os.pwrite(self._descriptor, record + _CHECKSUM.pack(zlib.crc32(record)), _NEWEST_AT)

    def end(self) -> None:
        """All of the journal is on the disk, and nothing more is written. Nothing where no life was begun."""
        if self._begun:
            self._life = self._life._replace(orderly=True)
            self._write_head()

    def close(self) -> None:
        os.close(self._descriptor)

    def _write_head(self) -> None:
        life = self._life
        record = _HEAD.pack(
            _MAGIC,
            life.journal_id.encode(),
            life.reserved,
            life.reserved_notice,
            life.boot_id.encode(),
            life.durable,
            life.orderly,
        )
        os.pwrite(self._descriptor, record + _CHECKSUM.pack(zlib.crc32(record)), 0)
        if self._path is not None:
            os.fsync(self._descriptor)


def boot_id() -> str:
    """Another text after each start of the system; empty where the system does not tell."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()[:36]
    return ""


def _read(data: bytes) -> FormerLife | None:
    head, newest = data[: _HEAD.size], data[_NEWEST_AT : _NEWEST_AT + _NEWEST.size]
    if not (_checked(data, 0, head, _HEAD.size) and _checked(data, _NEWEST_AT, newest, _NEWEST.size)):
        return None
    magic, journal_id, reserved, reserved_notice, boot, durable, orderly = _HEAD.unpack(head)
    if magic != _MAGIC:
        return None
    numbers = _NEWEST.unpack(newest)
    return FormerLife(_text(journal_id), reserved, reserved_notice, _text(boot), durable, orderly, *numbers)


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode()


def _checked(data: bytes, place: int, record: bytes, size: int) -> bool:
    checksum = data[place + size : place + size + _CHECKSUM.size]
    return len(checksum) == _CHECKSUM.size and _CHECKSUM.unpack(checksum)[0] == zlib.crc32(record)


def _sync_folder(folder: Path) -> None:
    """Let the names of new files survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
