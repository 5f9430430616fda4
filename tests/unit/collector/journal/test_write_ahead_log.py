"""The write-ahead log: batches come back whole or not at all."""

from pathlib import Path

import pytest

from tests.support.processes.disk import disk_full_after
from tickflag.services.collector.journal.write_ahead_log import SignalRow, WriteAheadLog


def row(seq: int) -> SignalRow:
    return SignalRow(seq, "t", f"S{seq}", "entered", 1.5, 100, 7)


BATCHES = [[row(1)], [row(2), row(3)._replace(note="a note")], [row(4)]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tail"


@pytest.fixture
def ends(path: Path) -> list[int]:
    """Where each batch of the file ends."""
    tail = WriteAheadLog(path)
    ends = []
    for batch in BATCHES:
        tail.append(batch)
        ends.append(tail.size)
    tail.close()
    return ends


def recovered(path: Path) -> list[list[SignalRow]]:
    tail = WriteAheadLog(path)
    batches = tail.recover()
    tail.close()
    return batches


def test_batches_come_back_and_the_next_follow_them(path: Path, ends: list[int]) -> None:
    """Batches come back in their order, also after a second opening."""
    assert recovered(path) == BATCHES
    tail = WriteAheadLog(path)
    tail.append([row(5)])
    tail.close()
    assert recovered(path) == [*BATCHES, [row(5)]]


def test_a_file_that_ends_anywhere_has_the_batches_before(path: Path, ends: list[int]) -> None:
    """Whatever length a killed process leaves, what is cut off is removed for good."""
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        whole = sum(end <= size for end in ends)
        assert recovered(path) == BATCHES[:whole]
        assert path.stat().st_size == ([0, *ends])[whole]


def test_a_damaged_batch_and_what_follows_it_are_not_there(path: Path, ends: list[int]) -> None:
    """The damage is any byte of the second batch, head or content; or zeros, which a power cut may leave."""
    data = path.read_bytes()
    for place in range(ends[0], ends[1]):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        assert recovered(path) == BATCHES[:1]
    path.write_bytes(data + bytes(4096))
    assert recovered(path) == BATCHES


def test_a_batch_that_finds_no_room_is_not_there(path: Path, ends: list[int]) -> None:
    """The batch is gone where a part of it could be written, and where nothing could; the next batch is written in its
    place."""
    tail = WriteAheadLog(path)
    for room in (0, 5, 20):
        with disk_full_after(ends[-1] + room), pytest.raises(OSError, match=r"too large|bytes could be written"):
            tail.append([row(5)])
        assert path.stat().st_size == tail.size == ends[-1]
    tail.append([row(5)])
    tail.close()
    assert recovered(path) == [*BATCHES, [row(5)]]


def test_a_tail_has_one_writer(path: Path, ends: list[int]) -> None:
    """A second writer is refused for as long as the first one has the file open."""
    first = WriteAheadLog(path)
    with pytest.raises(BlockingIOError):
        WriteAheadLog(path)
    first.close()
    assert recovered(path) == BATCHES


def test_a_tail_without_a_name_is_a_file_too() -> None:
    """A journal in memory needs such a log."""
    tail = WriteAheadLog(None)
    tail.append(BATCHES[0])
    assert tail.recover() == BATCHES[:1]
    tail.cut(0)
    assert tail.recover() == []
    tail.close()
