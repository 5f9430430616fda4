"""WriteAheadLog: the newest signals, in an append-only file beside the journal's database.

A commit here is one write of some hundred bytes; a transaction of the database takes ten times as long. A signal that
was written here survives the end of the process, as the operating system holds it. The journal moves the signals to the
database later.

    record    length u32, checksum u32 (CRC-32 of the content), content: msgpack of [[seq, trader, ...], ...]
"""

import fcntl
import os
import struct
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgpack

from tickflag.services.collector.views.view import Event

_HEAD = struct.Struct("<II")


class SignalRow(NamedTuple):
    """A numbered signal, with the fields of `Signal` in their order on the wire."""

    seq: int
    trader: str
    symbol: str
    event: Event
    score: float
    time_ms: int
    cycle: int
    note: str = ""


class WriteAheadLog:
    """One process, one thread. Raises OSError where the file cannot be used, or another process has it open.

    Without a `path` the file has no name and ends with the process.
    """

    def __init__(self, path: Path | None) -> None:
        if path is None:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        else:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise
        self._packer = msgpack.Packer()
        self.size = os.fstat(self._descriptor).st_size
        """Size in bytes. Anything in the file beyond this size was not committed."""
        self.fault = ""
        """What `recover` found at the end of the batches; empty where the file ends there."""
        self._name = "the write-ahead log" if path is None else str(path)

    @property
    def descriptor(self) -> int:
        """Of the open file, to bring it to the disk."""
        return self._descriptor

    def append(self, rows: Sequence[SignalRow]) -> None:
        """Write a batch, all or nothing."""
        content: bytes = self._packer.pack(rows)
        record = _HEAD.pack(len(content), zlib.crc32(content)) + content
        written = os.pwrite(self._descriptor, record, self.size)
        if written != len(record):
            self.cut(self.size)
            raise OSError(f"only {written} of {len(record)} bytes could be written")
        self.size += written

    def cut(self, size: int) -> None:
        """Remove everything after the first `size` bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def recover(self) -> list[list[SignalRow]]:
        """The batches in the file, up to the first that a crash cut short or that is damaged. The file is cut before
        that batch."""
        batches, end = self.batches()
        if end < self.size:
            self.fault = f"{self._name} is damaged or cut short at byte {end:,}"
        self.cut(end)
        return batches

    def batches(self) -> tuple[list[list[SignalRow]], int]:
        """The batches, and where in the file the last of them ends. Changes nothing."""
        data = os.pread(self._descriptor, self.size, 0)
        batches, place = [], 0
        while place + _HEAD.size < len(data):
            length, checksum = _HEAD.unpack_from(data, place)
            content = data[place + _HEAD.size : place + _HEAD.size + length]
            if not content or len(content) != length or zlib.crc32(content) != checksum:
                break
            batches.append([SignalRow(*row) for row in msgpack.unpackb(content)])
            place += _HEAD.size + length
        return batches, place

    def close(self) -> None:
        os.close(self._descriptor)
