import errno
import mmap
import os
import shutil
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.markets.markets import open_market
from tickflag.common.errors import SegmentError
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Attach, AttachError, Segment, interval_name, interval_seconds

PLAN = layout.plan(10, 5, (60, 300))


def _created(runtime: Runtime) -> Path:
    """The path of a published segment that nobody maps."""
    with Segment.create(runtime, PLAN) as segment:
        segment.publish(runtime)
        return segment.path


def _change(path: Path, at: int, content: bytes) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def _change_header(path: Path, **values: Any) -> None:
    """Set header fields and correct the checksum, as if a program of ours had written them."""
    header = np.frombuffer(path.read_bytes()[: layout.HEADER.itemsize], layout.HEADER).copy()
    for field, value in values.items():
        header[field] = value
    fields = layout.HEADER.fields
    assert fields is not None
    raw = bytearray(path.read_bytes()[: layout.HEADER.itemsize])
    for field in values:
        dtype, at = fields[field][:2]
        raw[at : at + dtype.itemsize] = header[field].tobytes()
    plain = bytearray(raw)
    for field in ("state", "checksum"):
        plain[fields[field][1] : fields[field][1] + 4] = bytes(4)
    at = fields["checksum"][1]
    raw[at : at + 4] = zlib.crc32(plain).to_bytes(4, "little")
    _change(path, 0, bytes(raw))


def _state(path: Path) -> Attach:
    with pytest.raises(AttachError) as caught:
        Segment.attach(path)
    assert path.name in str(caught.value)
    assert caught.value.state.value in str(caught.value)
    return caught.value.state


def test_a_published_segment_can_be_attached(runtime: Runtime) -> None:
    """READY: a reader gets the layout, generation and bytes of the creator."""
    with Segment.create(runtime, PLAN) as segment:
        segment.publish(runtime)
        segment.arrays.rings[1, 9, 6, 4] = 4.5
        segment.names[9] = b"LAST"
        with Segment.attach_current(runtime) as reader:
            assert reader.layout == segment.layout == PLAN
            assert reader.generation == segment.generation
            assert reader.path == segment.path
            assert reader.nbytes == segment.path.stat().st_size == PLAN.total_bytes
            assert reader.arrays.rings[1, 9, 6, 4] == 4.5
            assert reader.names[9] == b"LAST"


def test_every_creation_is_another_generation(runtime: Runtime) -> None:
    """Generations differ unless one is given; each has a file of its own, readable by its owner only."""
    with Segment.create(runtime, PLAN) as one, Segment.create(runtime, PLAN) as two:
        assert one.generation != two.generation
        assert runtime.segments() == sorted([one.path, two.path])
        assert one.path.stat().st_mode & 0o777 == 0o600
    with Segment.create(runtime, PLAN, 7) as chosen:
        assert (chosen.generation, chosen.path.name) == (7, "0000000000000007.seg")
    with pytest.raises(FileExistsError):
        Segment.create(runtime, PLAN, 7)


def test_its_lineage_is_in_its_header(runtime: Runtime) -> None:
    """The lineage tells a reader whether what it has seen still counts."""
    plan = layout.plan(2, 3, (60,))
    with Segment.create(runtime, plan) as old, Segment.create(runtime, plan, lineage=old.lineage) as segment:
        segment.publish(runtime)
        with Segment.attach_current(runtime) as attached:
            assert attached.lineage == segment.lineage == old.lineage == old.generation


def test_readers_cannot_write(runtime: Runtime) -> None:
    """The operating system and numpy keep a reader from changing a single byte."""
    with Segment.attach(_created(runtime)) as reader:
        for array in (*reader.arrays, reader.names):
            assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            reader.arrays.versions[0] = 1


def test_arrays_cover_their_regions(runtime: Runtime) -> None:
    """Each array begins at its region's offset and none reaches into the next one."""
    with Segment.create(runtime, PLAN) as segment:
        base = np.frombuffer(segment._mapping, np.uint8)
        start = base.ctypes.data
        ends = [*PLAN.offsets[1:], PLAN.total_bytes]
        arrays = {**segment.arrays._asdict(), "names": segment.names}
        arrays["tickers"] = arrays.pop("ticker_words")
        for region, array in arrays.items():
            assert array.ctypes.data - start == PLAN.offset(region)
            assert PLAN.offset(region) + array.nbytes <= ends[layout.REGIONS.index(region)]
        assert set(arrays) == set(layout.REGIONS)
        assert segment.arrays.tickers.ctypes.data == segment.arrays.ticker_words.ctypes.data
        del base, array, arrays


def test_missing(runtime: Runtime) -> None:
    """MISSING: no file, or no pointer to one."""
    assert _state(runtime.folder / "none.seg") is Attach.MISSING
    with pytest.raises(AttachError, match="is the feed running") as caught:
        Segment.attach_current(runtime)
    assert caught.value.state is Attach.MISSING


def test_a_segment_that_makes_way_is_followed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed replaces the segment after the pointer was read: the larger one is attached."""
    with Segment.create(runtime, PLAN) as segment:
        segment.publish(runtime)
        names = iter(["0000000000000001.seg"])
        current = runtime.read_pointer
        monkeypatch.setattr(runtime, "read_pointer", lambda: next(names, None) or current())
        with Segment.attach_current(runtime) as reader:
            assert reader.generation == segment.generation


@pytest.mark.parametrize("name", ["../other.seg", "/etc/passwd", "..", "feed.lock"])
def test_a_pointer_out_of_the_folder_is_not_followed(runtime: Runtime, name: str) -> None:
    """FOREIGN: the pointer names something outside its folder."""
    runtime.write_pointer(name)
    with pytest.raises(AttachError) as caught:
        Segment.attach_current(runtime)
    assert caught.value.state is Attach.FOREIGN


@pytest.mark.parametrize("content", [b"", bytes(10), bytes(PLAN.total_bytes)])
def test_an_empty_file_is_not_ready(runtime: Runtime, content: bytes) -> None:
    """NOT_READY: the creator has reserved the space and not written the header."""
    path = runtime.folder / "made.seg"
    path.write_bytes(content)
    assert _state(path) is Attach.NOT_READY


def test_an_unpublished_segment_is_not_ready(runtime: Runtime) -> None:
    """NOT_READY: the header is there, but its `state` is not set."""
    with Segment.create(runtime, PLAN) as segment:
        assert _state(segment.path) is Attach.NOT_READY
        segment.publish(runtime)
        Segment.attach(segment.path).close()


@pytest.mark.parametrize("written", [8, 12, 40, 100])
def test_a_half_written_header_is_not_ready(runtime: Runtime, written: int) -> None:
    """NOT_READY: `state` comes last, whatever part of the header is there already."""
    path = _created(runtime)
    _change(path, 12, bytes(4))
    _change(path, written, bytes(layout.HEADER.itemsize - written))
    assert _state(path) is Attach.NOT_READY


def test_another_layout_version_is_named(runtime: Runtime) -> None:
    """WRONG_VERSION: the error has both versions."""
    path = _created(runtime)
    _change_header(path, layout_version=99)
    with pytest.raises(AttachError, match=f"layout 99, this program {layout.LAYOUT_VERSION}") as caught:
        Segment.attach(path)
    assert caught.value.state is Attach.WRONG_VERSION


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"x", b"TICK", bytes(8) + b"x" * 300])
def test_a_foreign_file_is_no_segment(runtime: Runtime, content: bytes) -> None:
    """FOREIGN: the file does not begin with our magic."""
    path = runtime.folder / "foreign.seg"
    path.write_bytes(content)
    assert _state(path) is Attach.FOREIGN


def test_a_segment_of_another_user_is_not_mapped(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNTRUSTED: its owner can change the bytes under a reader."""
    path = _created(runtime)
    if os.getuid() == 0:
        os.chown(path, 12_345, -1)
    else:
        owner = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert _state(path) is Attach.UNTRUSTED


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_segment_that_others_can_write_is_not_mapped(runtime: Runtime, mode: int) -> None:
    """UNTRUSTED, as before."""
    path = _created(runtime)
    path.chmod(mode)
    assert _state(path) is Attach.UNTRUSTED


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_only_a_file_is_mapped(runtime: Runtime, what: str) -> None:
    """UNTRUSTED: a link leads to what others may own; a pipe would make the reader wait."""
    path = runtime.folder / "other.seg"
    if what == "link":
        path.symlink_to(_created(runtime))
    elif what == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.mkdir()
    assert _state(path) is Attach.UNTRUSTED


def test_a_segment_that_may_not_be_read(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNTRUSTED: it is another user's. Other errors of the system are let through."""
    path = _created(runtime)
    for number, expected in ((errno.EACCES, AttachError), (errno.EMFILE, OSError)):

        def fail(*_: Any, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as broken:
            broken.setattr(os, "open", fail)
            with pytest.raises(expected):
                Segment.attach(path)


@pytest.mark.parametrize("at", sorted({*range(16, 56), *range(56, 60), 64, 100, 128, 200, 255}))
def test_a_damaged_header_is_found(runtime: Runtime, at: int) -> None:
    """DAMAGED: one wrong bit anywhere behind `state`, also in the gaps between fields, breaks the checksum."""
    path = _created(runtime)
    _change(path, at, bytes([path.read_bytes()[at] ^ 1]))
    assert _state(path) is Attach.DAMAGED


def test_an_unknown_state_is_damage(runtime: Runtime) -> None:
    """DAMAGED: `state` is neither that of a segment being made nor READY."""
    path = _created(runtime)
    _change(path, 12, b"what")
    assert _state(path) is Attach.DAMAGED


@pytest.mark.parametrize("values", [{"capacity": 0}, {"depth": 0}, {"interval_count": 0}, {"capacity": 11}])
def test_a_header_that_cannot_be_is_damage(runtime: Runtime, values: dict[str, int]) -> None:
    """DAMAGED: the checksum is right, but no segment has such sizes, or this file has others."""
    path = _created(runtime)
    _change_header(path, **values)
    assert _state(path) is Attach.DAMAGED


@pytest.mark.parametrize("size", [PLAN.total_bytes - 1, 4096, 255, 8])
def test_a_truncated_file_is_damage(runtime: Runtime, size: int) -> None:
    """DAMAGED: a file cut off anywhere is refused with its size; reading beyond its end would end the process."""
    path = _created(runtime)
    os.truncate(path, size)
    with pytest.raises(AttachError, match=f"cut off at {size}") as caught:
        Segment.attach(path)
    assert caught.value.state is Attach.DAMAGED


def test_too_little_space_is_told_before_anything_is_made(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has needed and free bytes and the settings to change; no file is left."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(9999, 9000, 999))
    with pytest.raises(SegmentError) as caught:
        Segment.create(runtime, PLAN)
    for part in (f"{PLAN.total_bytes:,}", "999 free", "segment.capacity", "segment.depth", "runtime.root"):
        assert part in str(caught.value)
    assert runtime.segments() == []


def _refuse(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("platform", "call"), [("linux", "posix_fallocate"), ("darwin", "ftruncate")])
def test_space_that_cannot_be_reserved_is_told(
    platform: str, call: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses the reservation after all, the error says so and the file is removed."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, call, _refuse)
    with pytest.raises(SegmentError, match="needs") as caught:
        Segment.create(runtime, PLAN)
    assert isinstance(caught.value.__cause__, OSError)
    assert runtime.segments() == []


def test_space_that_the_system_really_lacks_is_told(runtime: Runtime) -> None:
    """A file system that is too small refuses the file when its space is reserved, not when it is used."""
    plan = layout.plan(layout.MAX_CAPACITY, 100_000, (60, 300))
    big = plan.total_bytes * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(big, 0, big))
        with pytest.raises(SegmentError, match="needs") as caught:
            Segment.create(runtime, plan)
    assert isinstance(caught.value.__cause__, OSError)
    assert runtime.segments() == []


def test_without_reservation_the_file_still_has_its_size(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system cannot reserve space, the file is sparse and has the right size."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with Segment.create(runtime, PLAN) as segment:
        assert segment.path.stat().st_size == PLAN.total_bytes


def test_a_reader_outlives_the_file(runtime: Runtime) -> None:
    """A mapping stays readable after its file was removed, as at a feed's end."""
    with Segment.attach(_created(runtime)) as reader:
        reader.path.unlink()
        assert int(reader.arrays.control.sum()) == 0


def test_closing_waits_for_the_last_view(runtime: Runtime) -> None:
    """An array that outlives its segment can still be read; a segment may be closed twice."""
    segment = Segment.create(runtime, PLAN)
    versions, mapping = segment.arrays.versions, segment._mapping
    versions[3] = 8
    segment.close()
    segment.close()
    assert versions[3] == 8
    del versions
    mapping.close()
    assert mapping.closed


def test_closing_unmaps(runtime: Runtime) -> None:
    """Without a view left, the memory is returned at once."""
    segment = Segment.create(runtime, PLAN)
    mapping: mmap.mmap = segment._mapping
    segment.close()
    assert mapping.closed


def test_channels_and_intervals_have_names(runtime: Runtime) -> None:
    """`ticker` is channel 0, then each interval has a channel; an unknown name is refused with those there are."""
    with Segment.create(runtime, PLAN) as segment:
        assert segment.channel_names == ("ticker", "1m", "5m")
        assert [segment.channel(name) for name in segment.channel_names] == [0, 1, 2]
        assert [segment.interval(name) for name in ("1m", "5m")] == [0, 1]
        with pytest.raises(SegmentError, match="no channel '1h'; it has ticker, 1m, 5m"):
            segment.channel("1h")
        with pytest.raises(SegmentError, match="no 'ticker' candles; it keeps 1m, 5m"):
            segment.interval("ticker")


def test_counters_are_a_snapshot_by_name(runtime: Runtime) -> None:
    """Every named counter is there, and the values that were read do not change any more."""
    with open_market(runtime) as market:
        before = market.segment.counters()
        assert before == dict.fromkeys(layout.COUNTERS, 0)
        market.segment.arrays.living[layout.COUNTER["swaps"]] += 2
        assert before["swaps"] == 0
        assert market.segment.counters()["swaps"] == 2


@pytest.mark.parametrize(
    ("seconds", "name"), [(1, "1s"), (60, "1m"), (90, "90s"), (300, "5m"), (3600, "1h"), (86_400, "1d"), (5400, "90m")]
)
def test_intervals_have_their_shortest_name(seconds: int, name: str) -> None:
    """Name and seconds of an interval lead to one another."""
    assert interval_name(seconds) == name
    assert interval_seconds(name) == seconds


@pytest.mark.parametrize("name", ["", "m", "5", "0m", "-1m", "1.5m", "5M", "1 m", "٣m", "367d", "9" * 5000 + "s"])
def test_what_is_no_interval_is_refused_by_name(name: str) -> None:
    """The error quotes the text at fault, at most its beginning."""
    with pytest.raises(ValueError, match="is no interval") as caught:
        interval_seconds(name)
    assert repr(name[:80]) in str(caught.value)


@pytest.mark.parametrize("seconds", [0, -60])
def test_an_interval_has_at_least_a_second(seconds: int) -> None:
    """A shorter interval has no name."""
    with pytest.raises(ValueError, match="at least 1 s"):
        interval_name(seconds)
