"""Segment: the mapped file, created by the feed and attached read-only by everyone else.

The creator writes the header first and its `state` last, so that a half-made file reads as "not ready". The file is
never resized or rewritten in place; more symbols need a new file, that is a new generation. Readers map the file with
`ACCESS_READ`: so the operating system keeps a plugin from harming the data.
"""

import contextlib
import enum
import errno
import mmap
import os
import secrets
import shutil
import stat
import sys
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tickflag.common.arrays import Floats, Integers, Records, Words
from tickflag.common.errors import SegmentError
from tickflag.common.histogram import Counts
from tickflag.common.runtime import SEGMENT_SUFFIX, Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import Layout
from tickflag.common.units import NS_PER_MS, S_PER_UNIT


class Attach(enum.Enum):
    """Why a segment could not be attached, or READY."""

    READY = "ready"
    MISSING = "missing"
    NOT_READY = "not ready"
    WRONG_VERSION = "wrong layout version"
    FOREIGN = "not a tickflag segment"
    DAMAGED = "damaged"
    UNTRUSTED = "not a file that only its owner, this user, can write"


class Arrays(NamedTuple):
    """The regions of a segment as numpy arrays over the mapping, for kernels."""

    living: Integers
    control: Integers  # flat: channel * CONTROL_WORDS + word
    cycles: Integers  # (channel, CYCLE_RING, 2)
    debug: Records
    versions: Integers
    heads: Integers  # (interval, capacity)
    flags: Words  # (channel, buffer, words)
    tickers: Records
    ticker_words: Integers  # (capacity, TICKER_WORDS): the same bytes as `tickers`
    opens: Records  # (capacity, interval)
    rings: Floats  # (interval, capacity, field, depth)


class AttachError(SegmentError):
    """The segment is missing or cannot be used; `state` says why."""

    def __init__(self, state: Attach, detail: str) -> None:
        super().__init__(f"segment {detail}: {state.value}")
        self.state = state


class Segment:
    """One mapped segment. Made by `create` (writable, once, by the feed) or `attach` (read-only, by anyone)."""

    def __init__(self, path: Path, mapping: mmap.mmap, plan: Layout, generation: int, lineage: int) -> None:
        self.path = path
        self.layout = plan
        self.generation = generation
        self.lineage = lineage
        """The first of the generations that grew one out of the other up to this one; this generation itself if it grew
        out of none. Slots and versions mean the same in all of them."""
        self._mapping = mapping
        self.names = self._array("names", np.dtype(f"S{layout.NAME_BYTES}"), (plan.capacity,))
        capacity, intervals, channels = plan.capacity, len(plan.intervals_s), plan.channel_count
        int64, float64 = np.dtype("<i8"), np.dtype("<f8")
        self.arrays = Arrays(
            living=self._array("living", int64, (layout.LIVING_WORDS,)),
            control=self._array("control", int64, (channels * layout.CONTROL_WORDS,)),
            cycles=self._array("cycles", int64, (channels, layout.CYCLE_RING, 2)),
            debug=self._array("debug", layout.DEBUG_ENTRY, (layout.DEBUG_RING,)),
            versions=self._array("versions", int64, (capacity,)),
            heads=self._array("heads", int64, (intervals, capacity)),
            flags=self._array("flags", np.dtype("<u4"), (channels, 2, plan.flag_words)),
            tickers=self._array("tickers", layout.TICKER, (capacity,)),
            ticker_words=self._array("tickers", int64, (capacity, layout.TICKER_WORDS)),
            opens=self._array("opens", layout.OPEN_CANDLE, (capacity, intervals)),
            rings=self._array("rings", float64, (intervals, capacity, len(layout.CANDLE_FIELDS), plan.depth)),
        )

    @classmethod
    def create(cls, runtime: Runtime, plan: Layout, generation: int | None = None, lineage: int = 0) -> "Segment":
        """Make the file of a new generation, reserve its space and map it; `publish` makes it current.

        Without a `lineage` the generation begins one. Raises SegmentError with needed and free bytes where the space is
        too small.
        """
        generation = generation or secrets.randbits(62) | 1
        lineage = lineage or generation
        path = runtime.folder / f"{generation:016x}{SEGMENT_SUFFIX}"
        free = shutil.disk_usage(runtime.folder).free
        if free < plan.total_bytes:
            raise _no_space(runtime.folder, plan, free)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                if sys.platform == "darwin":  # it has no posix_fallocate, only sparse files
                    os.ftruncate(descriptor, plan.total_bytes)
                else:
                    os.posix_fallocate(descriptor, 0, plan.total_bytes)
            except OSError as error:
                path.unlink()
                raise _no_space(runtime.folder, plan, free) from error
            mapping = mmap.mmap(descriptor, plan.total_bytes)
        finally:
            os.close(descriptor)
        header = np.zeros((), layout.HEADER)
        header["magic"] = layout.MAGIC
        header["layout_version"] = layout.LAYOUT_VERSION
        header["generation"] = generation
        header["total_bytes"] = plan.total_bytes
        header["capacity"] = plan.capacity
        header["depth"] = plan.depth
        header["interval_count"] = len(plan.intervals_s)
        header["owner_pid"] = os.getpid()
        header["created_ms"] = time.time_ns() // NS_PER_MS
        header["intervals_s"][: len(plan.intervals_s)] = plan.intervals_s
        header["offsets"][:] = plan.offsets
        header["lineage"] = lineage
        header["checksum"] = _checksum(header.tobytes())
        mapping[: layout.HEADER.itemsize] = header.tobytes()
        return cls(path, mapping, plan, generation, lineage)

    @classmethod
    def attach(cls, path: Path) -> "Segment":
        """Map the file `path` read-only. Raises AttachError, whose `state` says why the file cannot be used."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise AttachError(Attach.MISSING, path.name) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EACCES):  # a link, or a file of another user
                raise AttachError(Attach.UNTRUSTED, path.name) from None
            raise
        try:
            facts = os.fstat(descriptor)
            mine = facts.st_uid == os.getuid() and stat.S_ISREG(facts.st_mode)
            if not mine or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise AttachError(Attach.UNTRUSTED, path.name)
            header, plan = _checked_header(path, os.pread(descriptor, layout.HEADER.itemsize, 0), facts.st_size)
            mapping = mmap.mmap(descriptor, plan.total_bytes, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        return cls(path, mapping, plan, int(header["generation"]), int(header["lineage"]))

    @classmethod
    def attach_current(cls, runtime: Runtime) -> "Segment":
        """Attach the segment that the pointer names. Raises AttachError."""
        while True:
            name = runtime.read_pointer()
            if name is None:
                raise AttachError(Attach.MISSING, "of this instance (is the feed running?)")
            if Path(name).name != name or not name.endswith(SEGMENT_SUFFIX):
                raise AttachError(Attach.FOREIGN, name)
            try:
                return cls.attach(runtime.folder / name)
            except AttachError as error:
                # A larger segment may have replaced this one since the pointer was read.
                if error.state is not Attach.MISSING or runtime.read_pointer() == name:
                    raise

    def publish(self, runtime: Runtime) -> None:
        """Mark the segment READY and make it the current one."""
        at = layout.HEADER.fields["state"][1]  # type: ignore[index] # a structured dtype has fields
        self._mapping[at : at + 4] = layout.STATE_READY.to_bytes(4, "little")
        runtime.write_pointer(self.path.name)

    @property
    def nbytes(self) -> int:
        return self.layout.total_bytes

    def channel(self, name: str) -> int:
        """Number of the channel `ticker` or of an interval as `5m`. Raises SegmentError naming all channels."""
        names = self.channel_names
        if name not in names:
            raise SegmentError(f"this feed has no channel {name!r}; it has {', '.join(names)}")
        return names.index(name)

    @property
    def channel_names(self) -> tuple[str, ...]:
        return ("ticker", *(interval_name(seconds) for seconds in self.layout.intervals_s))

    def interval(self, name: str) -> int:
        """Number of the interval. Raises SegmentError naming all intervals."""
        names = self.channel_names[1:]
        if name not in names:
            raise SegmentError(f"this feed keeps no {name!r} candles; it keeps {', '.join(names)}")
        return names.index(name)

    def counters(self) -> dict[str, int]:
        """The present values of the named counters."""
        return {name: int(self.arrays.living[word]) for name, word in layout.COUNTER.items()}

    def histograms(self) -> dict[str, Counts]:
        """The histograms as the feed's last heartbeat left them."""
        found = {}
        for name, bounds_ns in layout.HISTOGRAMS.items():
            word = layout.HISTOGRAM[name]
            total, *buckets = self.arrays.living[word : word + len(bounds_ns) + 2].tolist()
            found[name] = Counts(total, buckets)
        return found

    def close(self) -> None:
        """Unmap as soon as the last array over the mapping is gone. The file stays; a second close does nothing."""
        vars(self).pop("arrays", None)
        vars(self).pop("names", None)
        with contextlib.suppress(BufferError):  # an array over the mapping still exists: the mapping ends with it
            self._mapping.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _array(self, region: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        count = int(np.prod(shape))
        return np.frombuffer(self._mapping, dtype, count, self.layout.offset(region)).reshape(shape)


def interval_name(seconds: int) -> str:
    """The shortest usual name: 60 -> `1m`, 90 -> `90s`."""
    if seconds < 1:
        raise ValueError(f"an interval has at least 1 s, not {seconds}")
    unit, length = next((unit, length) for unit, length in reversed(S_PER_UNIT.items()) if seconds % length == 0)
    return f"{seconds // length}{unit}"


def interval_seconds(name: str) -> int:
    """Seconds of `30s`, `5m`, `4h`, `1d`. Raises ValueError naming the text."""
    number, unit = name[:-1], name[-1:]
    length = S_PER_UNIT.get(unit, 0)
    seconds = int(number) * length if number.isascii() and number.isdigit() and len(number) < 10 else 0
    if not 1 <= seconds <= layout.MAX_INTERVAL_S:
        raise ValueError(f"{name[:80]!r} is no interval; use a number and s, m, h or d, as 5m, up to 366d")
    return seconds


def _checked_header(path: Path, raw: bytes, size: int) -> tuple[Records, Layout]:
    """The header and its layout. Raises AttachError unless magic, version, checksum, state and file size are right."""
    if raw[:8] != layout.MAGIC:
        state = Attach.NOT_READY if not raw.strip(b"\0") else Attach.FOREIGN
        raise AttachError(state, path.name)
    if len(raw) < layout.HEADER.itemsize:
        raise AttachError(Attach.DAMAGED, f"{path.name} (cut off at {size} bytes)")
    header = np.frombuffer(raw, layout.HEADER)[0]
    if header["state"] == layout.STATE_CREATING:  # checked first: the rest may be half written
        raise AttachError(Attach.NOT_READY, path.name)
    if header["layout_version"] != layout.LAYOUT_VERSION:
        detail = f"{path.name} has layout {header['layout_version']}, this program {layout.LAYOUT_VERSION}"
        raise AttachError(Attach.WRONG_VERSION, detail)
    if header["state"] != layout.STATE_READY or header["checksum"] != _checksum(raw):
        raise AttachError(Attach.DAMAGED, f"{path.name} (header checksum)")
    intervals = tuple(int(seconds) for seconds in header["intervals_s"][: int(header["interval_count"])])
    try:
        plan = layout.plan(int(header["capacity"]), int(header["depth"]), intervals)
    except ValueError as error:
        raise AttachError(Attach.DAMAGED, f"{path.name} ({error})") from None
    if header["total_bytes"] != plan.total_bytes or tuple(header["offsets"]) != plan.offsets:
        raise AttachError(Attach.DAMAGED, f"{path.name} (offsets of another layout)")
    if size < plan.total_bytes:
        raise AttachError(Attach.DAMAGED, f"{path.name} (cut off at {size} of {plan.total_bytes} bytes)")
    return header, plan


def _checksum(raw: bytes) -> int:
    """The checksum of all header bytes but `state` and the checksum itself."""
    # It works on the bytes and not on a copied record: numpy's copies leave the gaps between fields undefined.
    plain = bytearray(raw)
    for field in ("state", "checksum"):
        at = layout.HEADER.fields[field][1]  # type: ignore[index] # a structured dtype has fields
        plain[at : at + 4] = bytes(4)
    return zlib.crc32(plain)


def _no_space(folder: Path, plan: Layout, free: int) -> SegmentError:
    return SegmentError(
        f"the segment needs {plan.total_bytes:,} bytes and {folder} has {free:,} free: lower `segment.capacity` "
        f"(now {plan.capacity:,}) or `segment.depth` (now {plan.depth}), or set `runtime.root` to a larger place"
    )
