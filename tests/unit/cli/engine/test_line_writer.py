"""LineWriter and LogFile: output that neither blocks nor fails."""

import errno
import os
import threading
from pathlib import Path

import pytest

from tests.support.processes.waiting import wait_until
from tickflag.common.errors import TickflagError
from tickflag.services.cli.engine import line_writer
from tickflag.services.cli.engine.line_writer import LineWriter, LogFile, to_descriptor
from tickflag.services.cli.engine.start import _log_file


def test_lines_arrive_in_order(tmp_path: Path) -> None:
    """All that was written before the end, and what the encoding cannot say is escaped."""
    with (tmp_path / "out").open("wb") as file:
        writer = LineWriter(to_descriptor(file.fileno()), "latin-1")
        for line in ("one", "两", "three"):
            writer.write(line)
        writer.close()
    assert (tmp_path / "out").read_bytes() == b"one\n\\u4e24\nthree\n"


def test_a_reader_that_stands_still_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond those that may wait are left out, which is said once it goes on."""
    monkeypatch.setattr(line_writer, "WAITING_LINES", 3)
    monkeypatch.setattr(line_writer, "CLOSE_WITHIN_S", 30)
    goes_on, began = threading.Event(), threading.Event()
    taken: list[bytes] = []

    def put(data: bytes) -> None:
        began.set()
        assert goes_on.wait(30)
        taken.append(data)

    writer = LineWriter(put)
    writer.write("0")
    assert began.wait(30)
    for number in range(1, 6):
        writer.write(str(number))
    goes_on.set()
    wait_until(lambda: len(taken) == 4)
    writer.write("last")
    writer.close()
    said = b"(2 lines were left out: they came faster than read)\n"
    assert taken == [b"0\n", b"1\n", b"2\n", b"3\n", said, b"last\n"]


def test_the_error_is_kept() -> None:
    """Writing goes on to be harmless."""

    def put(_data: bytes) -> None:
        raise OSError(errno.EIO, "gone")

    writer = LineWriter(put)
    writer.write("x")
    wait_until(lambda: writer.error is not None)
    writer.write("y")
    writer.close()
    assert writer.error is not None
    assert writer.error.errno == errno.EIO


def test_a_log_file_is_put_aside_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before stays, as one file; what is appended to is the named one."""
    monkeypatch.setattr(line_writer, "LOG_LIMIT_BYTES", 10)
    path = tmp_path / "log"
    path.write_text("before\n")
    log = LogFile(path)
    for line in (b"1\n", b"22222222\n", b"3\n"):
        log(line)
    assert path.read_text() == "3\n"
    assert (tmp_path / "log.1").read_text() == "22222222\n"


@pytest.mark.parametrize(("number", "raised"), [(errno.ENOSPC, False), (errno.EDQUOT, False), (errno.EBADF, True)])
def test_a_full_disk_drops_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raised: bool) -> None:
    """Any other error is one."""
    log = LogFile(tmp_path / "log")

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    if raised:
        with pytest.raises(OSError, match=os.strerror(number)):
            log(b"x")
    else:
        log(b"x")


def test_a_log_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """One line names the file and the option."""
    with pytest.raises(TickflagError, match=f"log file {tmp_path}/no/log: .*--log"):
        _log_file(tmp_path / "no" / "log")
