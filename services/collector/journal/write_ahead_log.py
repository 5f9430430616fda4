"""Tail: the newest signals, in a file beside the journal's database that only ever grows at its end.

A commit is one write of some hundred bytes here, where a transaction of the database takes ten times as long. What is
here survives the end of the process at any moment, as the system has it. The journal moves it to the database later.

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

from services.collector.view import Event

_HEAD = struct.Struct("<II")


class Row(NamedTuple):
    """A numbered signal, its fields in their order on the wire."""

    seq: int
    trader: str
    symbol: str
    event: Event
    score: float
    time_ms: int
    cycle: int
    note: str = ""


class Tail:
    """One process, one thread. Raises OSError where the file cannot be used, or another process has it.

    `path` None is a file without a name.
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
        """In bytes. What lies behind it was not committed."""

    def append(self, rows: Sequence[Row]) -> None:
        """Add a batch. Where it raises, nothing of it is there."""
        content: bytes = self._packer.pack(rows)
        record = _HEAD.pack(len(content), zlib.crc32(content)) + content
        written = os.pwrite(self._descriptor, record, self.size)
        if written != len(record):
            self.cut(self.size)
            raise OSError(f"only {written} of {len(record)} bytes could be written")
        self.size += written

    def cut(self, size: int) -> None:
        """Forget what comes after the first `size` bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def recover(self) -> list[list[Row]]:
        """The batches, up to the first that a crash cut short; what follows is removed."""
        data = os.pread(self._descriptor, self.size, 0)
        batches, place = [], 0
        while place + _HEAD.size < len(data):
            length, checksum = _HEAD.unpack_from(data, place)
            content = data[place + _HEAD.size : place + _HEAD.size + length]
            if not content or len(content) != length or zlib.crc32(content) != checksum:
                break
            batches.append([Row(*row) for row in msgpack.unpackb(content)])
            place += _HEAD.size + length
        self.cut(place)
        return batches

    def close(self) -> None:
        os.close(self._descriptor)
